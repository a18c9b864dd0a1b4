"""What the headers of image files say, each file read once."""

from collections.abc import Mapping
from dataclasses import dataclass

from pixelwise.errors import ImageError
from pixelwise.inference.output_folder import is_on_disk
from pixelwise.inference.raster import reads_by_window
from pixelwise.io.frames import file_of, parse_frame
from pixelwise.io.images import ImageFile


@dataclass(frozen=True)
class ImageInfo:
    """pixels: as `ImageFile` has them. by_window: whether the image is read by window."""

    pixels: int | None
    by_window: bool


class ImageInfos:
    """Infos of files on disk, read when they are asked for and kept for whoever asks again.

    known: pixels that somebody else has read, as a table of images.
    """

    def __init__(self, known: Mapping[str, int | None]) -> None:
        self._known = known
        self._infos = dict[str, ImageInfo]()

    def read(self, image: str) -> ImageInfo:
        """That of the file `image`. Raises ImageError as `reads_by_window`."""
        info = self._infos.get(image)
        if info is None:
            path = file_of(image)
            frame = parse_frame(image)
            with ImageFile(path, frame=frame.number if frame else None) as file:
                pixels = file.pixels
            info = ImageInfo(pixels, frame is None and reads_by_window(path, pixels))
            self._infos[image] = info
        return info

    def pixels(self, image: str) -> int | None:
        """Of a file on disk; None where its header does not tell."""
        known = self._known.get(image)
        if known is not None:
            return known
        try:
            return self.read(image).pixels
        except ImageError:
            return None  # reading it will say what is wrong

    def is_large(self, image: str) -> bool:
        """Whether a file on disk will be read by window; one that cannot be read will not."""
        try:
            return self.read(image).by_window
        except ImageError:
            return False

    def may_be_large(self, image: str) -> bool | None:
        """As `is_large`; None for what is no file on disk."""
        return self.is_large(image) if is_on_disk(image) else None

    def get(self, image: str) -> ImageInfo | None:
        """What has been read already."""
        return self._infos.get(image)
