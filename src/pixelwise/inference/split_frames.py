"""Images of several frames or pages to one image a frame."""

from pathlib import Path

from pixelwise.errors import ConfigError
from pixelwise.inference.output_folder import is_on_disk
from pixelwise.inference.sources import Sources
from pixelwise.io.frames import name_frames


def split_frames(sources: Sources) -> Sources:
    """Each frame as an image of its own, named as `parse_frame` reads it; files of one picture as
    they are. Raises ConfigError for images in stores and shards.
    """
    frames = Sources()
    for image, pixels in sources.items():
        if not is_on_disk(image):
            raise ConfigError(
                f"{image}: --frames all splits files on disk alone; fetch it first, or leave "
                "--frames out for the first frame of each"
            )
        names = name_frames(Path(image))
        frames |= {image: pixels} if len(names) == 1 else dict.fromkeys(names)
    return frames
