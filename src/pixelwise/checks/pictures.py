"""Findings about the image of a pair, and about the sizes of image and mask."""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelwise.datasets.edge_alignment import TURN_BETTER
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import FileStats, ImageStats, MaskStats, PairStats, Size

# What Pillow calls a format, and how its files are rightly called. A camera's MPO is a JPEG with
# further pictures behind the first.
_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "PNG": {".png", ".apng"},
    "BMP": {".bmp", ".dib"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
    "GIF": {".gif"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm"},
    "AVIF": {".avif"},
    "HEIF": {".heic", ".heif", ".hif"},
    "JPEG2000": {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"},
}
# Encoders halve a picture five times, so 32 pixels end as one.
_TINY_SIDE = 32
_HUGE_AREA = 50_000_000
# Areas that differ from the usual one by more than this factor (four times in each side).
_APART = 16
# With fewer images than this there is no usual area.
_MIN_SIZED = 3
# A photograph has hundreds of tones in its sample, a picture of labels a few; as a mask, a picture
# of this many values of which fewer than this share continue to the right and below is one.
_FEW_TONES = 24
_PHOTO_TONES = 150
_PHOTO_SOLID = 0.4
_CONTRAST = 3
# What is worth a word in a check alone: a container whose range is used.
_OF_PHOTOS = ("image-bands", "image-deep", "image-other-bands")
_FULL_RANGE = "of 16 bits, read by the upper 8"
# Sizes of one shape may be rounded: by a pixel, or by this share of the product of their sides.
_ROUNDING = 0.02


def find_image_issues(stats: PairStats, *, by_bands: bool = False) -> Iterator[Issue]:
    """What one pair's files and sizes show, of images that are read as photos or `by_bands`."""
    for problem in stats.problems:
        path = problem.file
        pair = stats.pair
        # A broken link is an issue of its folder already.
        if not path.is_symlink() or path.exists():
            yield Issue(
                problem.type,
                path,
                problem.reason,
                image=pair.image,
                mask=pair.mask,
            )
    if stats.image:
        yield from _check_image(stats, stats.image, by_bands=by_bands)
    if stats.mask:
        yield from _check_suffix(stats, stats.mask.file, mask=True)
    if stats.image and stats.mask:
        yield from _check_sizes(stats, stats.image.file, stats.mask.file)
        yield from _find_mixed_up(stats, stats.image, stats.mask)


def _check_image(stats: PairStats, image: ImageStats, *, by_bands: bool) -> Iterator[Issue]:
    picture = image.file
    yield from _check_suffix(stats, picture, mask=False)
    for note in image.notes:
        if by_bands and note.type in _OF_PHOTOS:
            continue
        yield stats.image_issue(note.type, str(note) or _FULL_RANGE)
    if not _has_contrast(image):
        yield stats.image_issue("image-blank", f"grey {image.low} to {image.high} everywhere")
    elif image.grey and not by_bands:
        yield stats.image_issue("image-grey", "red, green and blue are alike")
    if min(picture.size) < _TINY_SIDE:
        yield stats.image_issue("image-tiny", _describe_size(picture.size))
    if _area(picture.size) > _HUGE_AREA:
        yield stats.image_issue("image-huge", _describe_size(picture.size))


def _has_contrast(image: ImageStats) -> bool:
    return image.high - image.low >= _CONTRAST


def _check_suffix(
    stats: PairStats,
    picture: FileStats,
    *,
    mask: bool,
) -> Iterator[Issue]:
    path = stats.pair.mask if mask else stats.pair.image
    create_issue = stats.mask_issue if mask else stats.image_issue
    allowed = _SUFFIXES.get(picture.format)
    if allowed and path.suffix.lower() not in allowed:
        yield create_issue("suffix-wrong", f"is {picture.format}")


def _check_sizes(
    stats: PairStats,
    image: FileStats,
    mask: FileStats,
) -> Iterator[Issue]:
    sides = {"image": image, "mask": mask}
    turned = [name for name, file in sides.items() if file.orientation != 1]
    if image.size == mask.size:
        if turned:
            yield _check_orientations(stats, image, mask, turned)
        return
    # EXIF orientation is the usual cause, so it goes before sizes that are only exchanged.
    text = f"the image is {_describe_size(image.size)}, its mask {_describe_size(mask.size)}"
    text += " (height x width)"
    unturned_match = image.stored == mask.size or mask.stored == image.size
    if turned and unturned_match:
        text += f"; they match with the {turned[0]}'s orientation left out"
        yield stats.image_issue("orientation-mismatch", text)
    elif image.size == mask.size[::-1]:
        yield stats.image_issue("size-transposed", text)
    else:
        if not same_shape(image.size, mask.size):
            text += ", of another shape"
        yield stats.image_issue("size-mismatch", text)


def _check_orientations(
    stats: PairStats, image: FileStats, mask: FileStats, turned: Sequence[str]
) -> Issue:
    """Of sizes that agree, only the edges can say whether one of the two lacks the other's
    orientation: a square or upside down picture keeps its size.
    """
    fit = stats.fit
    unlike = image.orientation != mask.orientation
    if unlike and fit and fit.turned > fit.in_place + TURN_BETTER:
        text = (
            f"orientation {image.orientation} and {mask.orientation}; the mask "
            f"fits better {fit.turn}"
        )
        return stats.image_issue("orientation-mismatch", text)
    text = f"{' and '.join(turned)}: orientation {image.orientation}"
    return stats.image_issue("orientation-tag", text)


def same_shape(first: Size, second: Size) -> bool:
    """Whether one size is the other at another scale, within a pixel of rounding or a fiftieth."""
    # Products of height and width crosswise: no division, so small sides are no special case.
    product = second[0] * first[1]
    difference = abs(first[0] * second[1] - product)
    longest = max(*first, *second)
    return difference <= longest or difference / product <= _ROUNDING


def _find_mixed_up(
    stats: PairStats,
    image: ImageStats,
    mask: MaskStats,
) -> Iterator[Issue]:
    """A mask is made of areas; a photograph has hardly two neighbours alike."""
    solid = float(mask.solid.sum())
    total = float(mask.counts.sum())
    if mask.distinct >= _PHOTO_TONES and solid < _PHOTO_SOLID * total:
        text = f"{mask.distinct} different values, hardly two neighbours alike"
        yield stats.mask_issue("mask-is-photo", text)
    # JPEG gives even a picture of labels many tones, so a JPEG of few is a plain photograph.
    few_tones = image.tones <= _FEW_TONES and image.file.format != "JPEG"
    if few_tones and _has_contrast(image):
        yield stats.image_issue("image-is-mask", f"only {image.tones} colours")


def find_size_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """Images far smaller or larger than the others."""
    sized = [(stats, stats.image.file.size) for stats in pairs if stats.image]
    if len(sized) < _MIN_SIZED:
        return
    median = float(np.median([_area(size) for _, size in sized]))
    for stats, size in sized:
        area = _area(size)
        # What is tiny or huge by itself is an issue of the image already.
        if area * _APART < median and min(size) >= _TINY_SIDE:
            text = f"{_describe_size(size)}, a {median / area:.0f}th of the usual area"
            yield stats.image_issue("image-tiny", text)
        if _APART * median < area <= _HUGE_AREA:
            text = f"{_describe_size(size)}, {area / median:.0f} times the usual area"
            yield stats.image_issue("image-huge", text)


def _area(size: Size) -> int:
    return size[0] * size[1]


def _describe_size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
