"""Findings about the image of a pair, and about the sizes of image and mask."""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelwise.checks.findings import Hit
from pixelwise.checks.inspect_pairs import ImageLook, Look, MaskLook, Picture, Size

_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg"},
    "MPO": {".jpg", ".jpeg"},
    "PNG": {".png"},
    "BMP": {".bmp"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
    "GIF": {".gif"},
    "PPM": {".ppm", ".pgm"},
}
_TINY_SIDE = 32
_HUGE_AREA = 50_000_000
_APART = 16
_FEW_TONES = 24
_PHOTO_TONES = 150
_CONTRAST = 3


def picture_hits(look: Look) -> Iterator[Hit]:
    """What one pair's files and sizes show."""
    for kind, path, reason in look.problems:
        if not path.is_symlink() or path.exists():
            yield Hit(kind, path, reason, image=look.couple.image, mask=look.couple.mask)
    if look.image:
        yield from _image(look, look.image)
    if look.mask:
        yield from _suffix(look, look.mask.picture, mask=True)
    if look.image and look.mask:
        yield from _sizes(look, look.image.picture, look.mask)
        yield from _mixed_up(look, look.image, look.mask)


def _hit(look: Look, kind: str, text: str, *, mask: bool = False) -> Hit:
    couple = look.couple
    return Hit(
        kind, couple.mask if mask else couple.image, text, image=couple.image, mask=couple.mask
    )


def _image(look: Look, image: ImageLook) -> Iterator[Hit]:
    picture = image.picture
    yield from _suffix(look, picture, mask=False)
    if picture.frames > 1:
        yield _hit(look, "image-frames", f"{picture.frames} frames")
    if image.transparent:
        yield _hit(look, "image-transparent", f"mode {picture.mode}")
    if picture.mode == "CMYK":
        yield _hit(look, "image-cmyk", "mode CMYK")
    if picture.mode.startswith("I;16"):
        yield _hit(look, "image-deep", f"mode {picture.mode}")
    if image.high - image.low < _CONTRAST:
        yield _hit(look, "image-blank", f"grey {image.low} to {image.high} everywhere")
    elif image.grey:
        yield _hit(look, "image-grey", "red, green and blue are alike")
    if min(picture.size) < _TINY_SIDE:
        yield _hit(look, "image-tiny", _size(picture.size))
    if picture.size[0] * picture.size[1] > _HUGE_AREA:
        yield _hit(look, "image-huge", _size(picture.size))


def _suffix(look: Look, picture: Picture, *, mask: bool) -> Iterator[Hit]:
    path = look.couple.mask if mask else look.couple.image
    if path.suffix.lower() not in _SUFFIXES.get(picture.format, {path.suffix.lower()}):
        yield _hit(look, "suffix-wrong", f"is {picture.format}", mask=mask)


def _sizes(look: Look, image: Picture, mask: MaskLook) -> Iterator[Hit]:
    ours = image.size
    theirs = mask.picture.size
    turned = [
        name for name, one in (("image", image), ("mask", mask.picture)) if one.orientation != 1
    ]
    if ours == theirs:
        if (
            turned
            and _unlike_turn(image, mask.picture)
            and look.fit
            and look.fit.turned > look.fit.here + 1
        ):
            text = (
                f"orientation {image.orientation} and {mask.picture.orientation}; the mask "
                f"fits better {look.fit.turn}"
            )
            yield _hit(look, "orientation-mismatch", text)
        elif turned:
            yield _hit(
                look, "orientation-tag", f"{' and '.join(turned)}: orientation {image.orientation}"
            )
        return
    text = f"the image is {_size(ours)}, its mask {_size(theirs)} (height x width)"
    if turned and (image.stored == theirs or mask.picture.stored == ours):
        yield _hit(
            look,
            "orientation-mismatch",
            f"{text}; they match with the {turned[0]}'s orientation left out",
        )
    elif ours == (theirs[1], theirs[0]):
        yield _hit(look, "size-transposed", text)
    else:
        yield _hit(
            look, "size-mismatch", text + ("" if same_shape(ours, theirs) else ", of another shape")
        )


def _unlike_turn(image: Picture, mask: Picture) -> bool:
    return image.orientation != mask.orientation


def same_shape(a: Size, b: Size) -> bool:
    """Whether one size is the other at another scale, within a pixel of rounding or a fiftieth."""
    off = abs(a[0] * b[1] - a[1] * b[0])
    return off <= max(*a, *b) or off / (a[1] * b[0]) <= 0.02


def _mixed_up(look: Look, image: ImageLook, mask: MaskLook) -> Iterator[Hit]:
    """A mask is made of areas; a photograph has hardly two neighbours alike."""
    photo = mask.distinct >= _PHOTO_TONES and float(mask.solid.sum()) < 0.4 * float(
        mask.counts.sum()
    )
    if photo:
        yield _hit(
            look,
            "mask-is-photo",
            f"{mask.distinct} different values, hardly two neighbours alike",
            mask=True,
        )
    if (
        image.tones <= _FEW_TONES
        and image.high - image.low >= _CONTRAST
        and image.picture.format != "JPEG"
    ):
        yield _hit(look, "image-is-mask", f"only {image.tones} colours")


def size_hits(looks: Sequence[Look]) -> Iterator[Hit]:
    """Images far smaller or larger than the others."""
    sized = [(look, look.image.picture.size) for look in looks if look.image]
    if len(sized) < 3:
        return
    middle = float(np.median([height * width for _, (height, width) in sized]))
    for look, size in sized:
        area = size[0] * size[1]
        if area * _APART < middle and min(size) >= _TINY_SIDE:
            yield _hit(
                look, "image-tiny", f"{_size(size)}, a {middle / area:.0f}th of the usual area"
            )
        if area > _APART * middle and area <= _HUGE_AREA:
            yield _hit(
                look, "image-huge", f"{_size(size)}, {area / middle:.0f} times the usual area"
            )


def _size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
