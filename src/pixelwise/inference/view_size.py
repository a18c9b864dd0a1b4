"""At which size a picture is seen, and what is said of it."""

from pixelwise.io.images import Picture
from pixelwise.io.reading_notes import ReadingNote
from pixelwise.models.picture_sizes import PictureSizes

Size = tuple[int, int]

_TYPE = "image-size"
_RESIZED = "seen at the training's size; --scale 1 keeps the full size"
_KEPT = (
    "seen at full size, as the pixels are taken for as fine as the training's; if they are finer, "
    "shrink it first"
)
_LARGER = ReadingNote(_TYPE, "much larger than the training's pictures", _RESIZED)
_SMALLER = ReadingNote(_TYPE, "much smaller than the training's pictures", _RESIZED)
_LARGER_AS_IT_IS = ReadingNote(_TYPE, "much larger than the training's pictures", _KEPT)


def view_size(sizes: PictureSizes | None, size: Size, picture: Picture | None = None) -> Size:
    """(height, width) at which a model sees a picture of `size`: its own, or, of a photo that is
    larger or smaller by far, that of the training's pictures. Rasters are seen at their own.
    """
    if sizes is None or (picture is not None and picture.is_raster):
        return size
    return sizes.view_size(*size, format=picture.format if picture else "")


def size_note(
    sizes: PictureSizes | None, size: Size, view: Size, *, is_raster: bool = False
) -> ReadingNote | None:
    """What is said of a picture of `size` that is seen at `view`; None for one of usual size, a
    smaller one that is seen as it is, and a raster where the training's pictures were parts of
    larger ones too.
    """
    if sizes is None or not sizes.is_unusual(*size):
        return None
    is_larger = size[0] * size[1] > sizes.side**2
    if view != size:
        return _LARGER if is_larger else _SMALLER
    is_expected = is_raster and sizes.framed is False
    return _LARGER_AS_IT_IS if is_larger and not is_expected else None
