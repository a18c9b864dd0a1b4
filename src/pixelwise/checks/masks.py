"""Findings about masks: values without meaning, and masks that say too little."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from pixelwise.checks.mixed_encodings import find_mixed_encodings
from pixelwise.classes import VOID
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding, is_damaged
from pixelwise.datasets.mask_issues import lossy_issue, stray_issue
from pixelwise.datasets.mask_notes import count_zero_nodata
from pixelwise.datasets.pair_stats import MaskStats, PairStats
from pixelwise.datasets.set_issues import find_set_issues
from pixelwise.datasets.strays import find_variant

# Share of steps through a value in between; CamVid has .029 at most, VOC .006.
_MAX_BETWEEN = 0.08
# A mask of this share of void teaches nothing.
_MOSTLY_VOID = 0.95
# The upper class of an inverted mask fills this much of the rim, and this much less of the middle.
_INVERTED_RIM = 0.5
_INVERTED_EXCESS = 0.15
# In fewer masks than this, "most are inverted" is chance.
_MIN_INVERTIBLE = 3
# Of fewer masks than this, no share is usual; a share is unusual that lies so many quartile ranges
# from the median, and at least by so much.
_MIN_SHARES = 10
_SHARE_REACH = 3.0
_SHARE_NOISE = 0.15
_TWO = 2
# Masks that are decoded a second time at once: two threads, as each holds several arrays of a mask.
_CHUNK = 64
_THREADS = 2

MeasuredMask = tuple[PairStats, MaskStats]
"""A pair whose mask could be read, and what was measured of that."""


def find_mask_issues(
    pairs: Sequence[PairStats], index: Index, encoding: MaskEncoding
) -> Iterator[Issue]:
    """All findings about masks that could be read; masks with odd values are read a second time."""
    masks = [(stats, stats.mask) for stats in pairs if stats.mask]
    set_issues = list(find_set_issues(pairs, encoding, index.declared))
    yield from set_issues
    if any(issue.type == "mask-instances" for issue in set_issues):
        return  # numbers of objects have no further fault
    yield from find_mixed_encodings(masks, encoding)
    for stats, mask in masks:
        yield from _check_mask(stats, mask, encoding, layered=index.format == "layers")
    yield from _find_strays(masks, index, encoding)
    yield from _find_identical(masks)
    yield from _find_inverted(masks, encoding)
    yield from _find_misfits(masks, index, encoding)


def _find_strays(
    masks: Sequence[MeasuredMask], index: Index, encoding: MaskEncoding
) -> Iterator[Issue]:
    """The first pixel of each mask that has no meaning: its place was not measured, so the mask is
    decoded once more.
    """
    odd = [stats for stats, mask in masks if not _all_legal(mask, encoding)]
    explain = partial(stray_issue, encoding=encoding, source=index.mask_source)
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(odd), _CHUNK):
            chunk = odd[start : start + _CHUNK]
            for issue in pool.map(explain, chunk):
                if issue is not None:
                    yield issue


def _all_legal(mask: MaskStats, encoding: MaskEncoding) -> bool:
    return bool(find_variant(mask, encoding)) or encoding.all_legal(mask)


def _check_mask(
    stats: PairStats, mask: MaskStats, encoding: MaskEncoding, *, layered: bool
) -> Iterator[Issue]:
    matte = encoding.form == "matte"
    mode = f"mode {mask.file.mode}"
    if mask.in_alpha:
        yield stats.mask_issue("mask-in-alpha", f"{mode}; the colours say nothing")
    if mask.widened and not matte:
        yield stats.mask_issue("mask-wide", f"{mode}, every value is 257 times that of 8 bits")
    yield from _check_shapes(stats, mask, layered=layered)
    if matte:
        yield from _check_opacity(stats, mask)
    elif _all_legal(mask, encoding):
        yield from _check_legal(stats, mask, encoding)
    yield from _check_content(stats, mask, encoding)


def _check_shapes(
    stats: PairStats,
    mask: MaskStats,
    *,
    layered: bool,
) -> Iterator[Issue]:
    """What was lost when a mask was drawn from layers or shapes."""
    overlap = "layers-overlap" if layered else "shapes-overlap"
    losses = (
        (overlap, mask.overlaps, "pixels of two classes"),
        ("shapes-clipped", mask.clipped, "shapes reach over the border"),
        ("shapes-blank", mask.blank, "shapes have no pixel"),
    )
    for type, count, what in losses:
        if count:
            yield stats.mask_issue(type, f"{count} {what}", count=count)


def _check_opacity(stats: PairStats, mask: MaskStats) -> Iterator[Issue]:
    if not mask.coloured and int(mask.values.max()) == 1:
        yield stats.mask_issue("matte-faint", "no alpha above 1: is it 0 and 1 for 0 and 255?")


def _check_legal(
    stats: PairStats,
    mask: MaskStats,
    encoding: MaskEncoding,
) -> Iterator[Issue]:
    """Damage that no illegal value shows: JPEG may keep every value, and smooth resizing between
    neighbouring ids makes ids.
    """
    if is_damaged(mask, encoding):
        yield lossy_issue(stats, mask)
    if mask.between > _MAX_BETWEEN:
        text = f"{mask.between:.0%} of the borders run through a class in between"
        yield stats.mask_issue("mask-blended", text)


def _check_content(
    stats: PairStats,
    mask: MaskStats,
    encoding: MaskEncoding,
) -> Iterator[Issue]:
    """Masks that are nearly all void, or of one class."""
    pixels = encoding.pixels(mask)
    total = int(mask.counts.sum())
    void = int(pixels[VOID])
    present = np.flatnonzero(pixels[:VOID])
    all_counted = int(pixels.sum()) == total
    if void >= _MOSTLY_VOID * total:
        yield stats.mask_issue("mask-void", f"{void / total:.1%} of it is void", count=void)
    elif len(present) == 1 and all_counted:
        name = encoding.classes.names[int(present[0])]
        yield stats.mask_issue("mask-blank", f"only {name}")


def _find_identical(masks: Sequence[MeasuredMask]) -> Iterator[Issue]:
    by_content: dict[bytes, PairStats] = {}
    for stats, mask in masks:
        if mask.distinct < 2:
            continue  # masks of background alone are alike, and rightly so
        original = by_content.setdefault(mask.file.content, stats)
        if original is not stats:
            text = f"the same as {original.pair.mask.name} ({original.split})"
            yield stats.mask_issue("mask-identical", text)


def _find_inverted(masks: Sequence[MeasuredMask], encoding: MaskEncoding) -> Iterator[Issue]:
    """Of two classes, the object seldom fills the rim and leaves out the middle."""
    if len(encoding.classes) != 2:
        return
    two_valued = [(stats, mask) for stats, mask in masks if mask.distinct > 1]
    inverted = [(stats, mask) for stats, mask in two_valued if _fills_rim(mask)]
    if len(two_valued) >= _MIN_INVERTIBLE and 2 * len(inverted) > len(two_valued):
        text = f"in {len(inverted)} of {len(two_valued)} the upper class fills the rim"
        yield Issue("masks-inverted", None, text, count=len(inverted))
        return
    yield from _find_other_shares(two_valued)
    for stats, mask in inverted:
        text = f"the upper class fills {mask.rim:.0%} of the rim, {mask.core:.0%} inside"
        yield stats.mask_issue("mask-inverted", text)


def _find_other_shares(masks: Sequence[MeasuredMask]) -> Iterator[Issue]:
    """Masks whose share of the object is that of the others only if they are turned round."""
    if len(masks) < _MIN_SHARES:
        return
    shares = np.array([_upper_share(mask) for _, mask in masks])
    lower, median, upper = np.quantile(shares, [0.25, 0.5, 0.75])
    reach = max(_SHARE_REACH * (upper - lower), _SHARE_NOISE)
    far = np.abs(shares - median) > reach
    turned_near = np.abs(1 - shares - median) <= reach
    for index in np.flatnonzero(far & turned_near).tolist():
        stats, mask = masks[index]
        if not _fills_rim(mask):  # else it is reported as inverted
            text = (
                f"the upper class fills {shares[index]:.0%} of it, {median:.0%} of the usual mask"
            )
            yield stats.mask_issue("mask-share", text)


def _upper_share(mask: MaskStats) -> float:
    """The share of the higher value of a mask's pixels that are not void."""
    values = sorted(mask.drawn)
    if len(values) > _TWO:
        values = [value for value in values if value != VOID]
    counts = dict(zip(mask.values.tolist(), mask.counts.tolist(), strict=True))
    return float(counts[values[-1]] / sum(counts[value] for value in values))


def _fills_rim(mask: MaskStats) -> bool:
    return mask.rim >= _INVERTED_RIM and mask.rim - mask.core >= _INVERTED_EXCESS


def _find_misfits(
    masks: Sequence[MeasuredMask], index: Index, encoding: MaskEncoding
) -> Iterator[Issue]:
    """A classes file that does not fit the masks, and ids that do not begin with 0."""
    coloured = sum(mask.coloured for _, mask in masks)
    if index.declared.source:
        mostly_coloured = 2 * coloured > len(masks)
        yield from _check_declared(index.declared, mostly_coloured=mostly_coloured)
        return
    nodata = count_zero_nodata([mask for _, mask in masks])
    if nodata:
        yield Issue("mask-zero-nodata", None, f"{nodata} of {len(masks)} masks")
    if not coloured and not encoding.declared and encoding.form == "ids":
        yield from _check_lowest(masks)


def _check_declared(declared: DeclaredClasses, *, mostly_coloured: bool) -> Iterator[Issue]:
    source = declared.source
    count = len(declared.classes)
    lacking = count - len(declared.colours)
    if not declared.colours and mostly_coloured:
        text = "gives no colours, but the masks are in colours; write name,r,g,b in classes.csv"
        yield Issue("classes-misfit", source, text)
    if declared.colours and lacking:
        text = f"{lacking} of {count} classes lack a colour; give all or none"
        yield Issue("classes-misfit", source, text)
    if count < 2:
        text = f"names {count} class; two at least are needed"
        yield Issue("classes-misfit", source, text)


def _check_lowest(masks: Sequence[MeasuredMask]) -> Iterator[Issue]:
    values: set[int] = set()
    for _, mask in masks:
        if mask.zero_is_nodata:
            return  # 0 is known, and means that nothing was labelled
        values |= mask.drawn
    lowest = min(values - {VOID}, default=0)
    if lowest > 0:
        yield Issue("values-not-from-zero", None, f"the lowest value is {lowest}")
