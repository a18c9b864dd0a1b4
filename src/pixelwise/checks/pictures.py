"""Findings about the image of a pair, and about the sizes of image and mask."""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import FileStats, ImageStats, MaskStats, PairStats, Size

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


def find_image_issues(stats: PairStats) -> Iterator[Issue]:
    """What one pair's files and sizes show."""
    for problem in stats.problems:
        path = problem.file
        if not path.is_symlink() or path.exists():  # else it is named as a broken link
            pair = stats.pair
            yield Issue(problem.type, path, problem.reason, image=pair.image, mask=pair.mask)
    if stats.image:
        yield from _image(stats, stats.image)
    if stats.mask:
        yield from _suffix(stats, stats.mask.file, mask=True)
    if stats.image and stats.mask:
        yield from _sizes(stats, stats.image.file, stats.mask)
        yield from _mixed_up(stats, stats.image, stats.mask)


def _issue(stats: PairStats, type: str, text: str, *, mask: bool = False) -> Issue:
    pair = stats.pair
    return Issue(type, pair.mask if mask else pair.image, text, image=pair.image, mask=pair.mask)


def _image(stats: PairStats, image: ImageStats) -> Iterator[Issue]:
    picture = image.file
    yield from _suffix(stats, picture, mask=False)
    if picture.frames > 1:
        yield _issue(stats, "image-frames", f"{picture.frames} frames")
    if image.transparent:
        yield _issue(stats, "image-transparent", f"mode {picture.mode}")
    if picture.mode == "CMYK":
        yield _issue(stats, "image-cmyk", "mode CMYK")
    if picture.mode.startswith("I;16"):
        yield _issue(stats, "image-deep", f"mode {picture.mode}")
    if image.high - image.low < _CONTRAST:
        yield _issue(stats, "image-blank", f"grey {image.low} to {image.high} everywhere")
    elif image.grey:
        yield _issue(stats, "image-grey", "red, green and blue are alike")
    if min(picture.size) < _TINY_SIDE:
        yield _issue(stats, "image-tiny", _size(picture.size))
    if picture.size[0] * picture.size[1] > _HUGE_AREA:
        yield _issue(stats, "image-huge", _size(picture.size))


def _suffix(stats: PairStats, picture: FileStats, *, mask: bool) -> Iterator[Issue]:
    path = stats.pair.mask if mask else stats.pair.image
    if path.suffix.lower() not in _SUFFIXES.get(picture.format, {path.suffix.lower()}):
        yield _issue(stats, "suffix-wrong", f"is {picture.format}", mask=mask)


def _sizes(stats: PairStats, image: FileStats, mask: MaskStats) -> Iterator[Issue]:
    ours = image.size
    theirs = mask.file.size
    turned = [name for name, one in (("image", image), ("mask", mask.file)) if one.orientation != 1]
    if ours == theirs:
        if (
            turned
            and image.orientation != mask.file.orientation
            and stats.fit
            and stats.fit.turned > stats.fit.in_place + 1
        ):
            text = (
                f"orientation {image.orientation} and {mask.file.orientation}; the mask "
                f"fits better {stats.fit.turn}"
            )
            yield _issue(stats, "orientation-mismatch", text)
        elif turned:
            yield _issue(
                stats, "orientation-tag", f"{' and '.join(turned)}: orientation {image.orientation}"
            )
        return
    text = f"the image is {_size(ours)}, its mask {_size(theirs)} (height x width)"
    if turned and (image.stored == theirs or mask.file.stored == ours):
        yield _issue(
            stats,
            "orientation-mismatch",
            f"{text}; they match with the {turned[0]}'s orientation left out",
        )
    elif ours == (theirs[1], theirs[0]):
        yield _issue(stats, "size-transposed", text)
    else:
        yield _issue(
            stats,
            "size-mismatch",
            text + ("" if same_shape(ours, theirs) else ", of another shape"),
        )


def same_shape(a: Size, b: Size) -> bool:
    """Whether one size is the other at another scale, within a pixel of rounding or a fiftieth."""
    off = abs(a[0] * b[1] - a[1] * b[0])
    return off <= max(*a, *b) or off / (a[1] * b[0]) <= 0.02


def _mixed_up(stats: PairStats, image: ImageStats, mask: MaskStats) -> Iterator[Issue]:
    """A mask is made of areas; a photograph has hardly two neighbours alike."""
    photo = mask.distinct >= _PHOTO_TONES and float(mask.solid.sum()) < 0.4 * float(
        mask.counts.sum()
    )
    if photo:
        yield _issue(
            stats,
            "mask-is-photo",
            f"{mask.distinct} different values, hardly two neighbours alike",
            mask=True,
        )
    if (
        image.tones <= _FEW_TONES
        and image.high - image.low >= _CONTRAST
        and image.file.format != "JPEG"
    ):
        yield _issue(stats, "image-is-mask", f"only {image.tones} colours")


def find_size_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """Images far smaller or larger than the others."""
    sized = [(stats, stats.image.file.size) for stats in pairs if stats.image]
    if len(sized) < 3:
        return
    middle = float(np.median([height * width for _, (height, width) in sized]))
    for stats, size in sized:
        area = size[0] * size[1]
        if area * _APART < middle and min(size) >= _TINY_SIDE:
            yield _issue(
                stats, "image-tiny", f"{_size(size)}, a {middle / area:.0f}th of the usual area"
            )
        if area > _APART * middle and area <= _HUGE_AREA:
            yield _issue(
                stats, "image-huge", f"{_size(size)}, {area / middle:.0f} times the usual area"
            )


def _size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
