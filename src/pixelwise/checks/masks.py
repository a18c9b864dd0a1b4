"""Findings about masks: values without meaning, and masks that say too little."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from pixelwise.checks.mixed_encodings import find_mixed_encodings
from pixelwise.classes import VOID
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding, is_lossy
from pixelwise.datasets.mask_issues import stray_issue
from pixelwise.datasets.pair_stats import MaskStats, PairStats
from pixelwise.datasets.strays import find_variant

# Share of steps through a value in between; CamVid has .029 at most, VOC .006.
_MAX_BETWEEN = 0.08
# A mask of this share of void teaches nothing.
_MOSTLY_VOID = 0.95
# The upper class of an inverted mask fills this much of the rim, and this much less of the middle.
_INVERTED_RIM = 0.5
_INVERTED_EXCESS = 0.15
_CHUNK = 64


def find_mask_issues(
    pairs: Sequence[PairStats], index: Index, encoding: MaskEncoding
) -> Iterator[Issue]:
    """All findings about masks that could be read; masks with odd values are read a second time."""
    masks = [(stats, stats.mask) for stats in pairs if stats.mask]
    yield from find_mixed_encodings(masks, encoding)
    for stats, mask in masks:
        yield from _check_mask(stats, mask, encoding, layered=index.format == "layers")
    odd = [stats for stats, mask in masks if not _all_legal(mask, encoding)]
    explain = partial(stray_issue, encoding=encoding, source=index.mask_source)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(odd), _CHUNK):
            yield from filter(None, pool.map(explain, odd[start : start + _CHUNK]))
    yield from _find_identical(masks)
    yield from _find_inverted(masks, encoding)
    yield from _find_misfits(masks, index, encoding)


def _issue(stats: PairStats, type: str, text: str, *, count: int = 1) -> Issue:
    pair = stats.pair
    return Issue(type, pair.mask, text, count=count, image=pair.image, mask=pair.mask)


def _all_legal(mask: MaskStats, encoding: MaskEncoding) -> bool:
    return bool(find_variant(mask, encoding)) or encoding.all_legal(mask)


def _check_mask(
    stats: PairStats, mask: MaskStats, encoding: MaskEncoding, *, layered: bool
) -> Iterator[Issue]:
    matte = encoding.form == "matte"
    mode = f"mode {mask.file.mode}"
    if mask.in_alpha:
        yield _issue(stats, "mask-in-alpha", f"{mode}; the colours say nothing")
    if mask.widened and not matte:
        yield _issue(stats, "mask-wide", f"{mode}, every value is 257 times that of 8 bits")
    overlap = "layers-overlap" if layered else "shapes-overlap"
    for type, count, what in (
        (overlap, mask.overlaps, "pixels of two classes"),
        ("shapes-clipped", mask.clipped, "shapes reach over the border"),
        ("shapes-blank", mask.blank, "shapes have no pixel"),
    ):
        if count:
            yield _issue(stats, type, f"{count} {what}", count=count)
    legal = _all_legal(mask, encoding)
    if legal and is_lossy(mask) and not matte and mask.distinct > 1:
        yield _issue(stats, "mask-lossy", f"is {mask.file.format}, though no value is odd")
    if matte and not mask.coloured and int(mask.values.max()) == 1:
        yield _issue(stats, "matte-faint", "no alpha above 1: is it 0 and 1 for 0 and 255?")
    if legal and not matte and mask.between > _MAX_BETWEEN:
        text = f"{mask.between:.0%} of the borders run through a class in between"
        yield _issue(stats, "mask-blended", text)
    yield from _check_content(stats, mask, encoding)


def _check_content(stats: PairStats, mask: MaskStats, encoding: MaskEncoding) -> Iterator[Issue]:
    """Masks that are nearly all void, or of one class."""
    pixels = encoding.pixels(mask)
    total = int(mask.counts.sum())
    void = int(pixels[VOID])
    present = np.flatnonzero(pixels[:VOID])
    if void >= _MOSTLY_VOID * total:
        yield _issue(stats, "mask-void", f"{void / total:.1%} of it is void", count=void)
    elif len(present) == 1 and int(pixels.sum()) == total:
        yield _issue(stats, "mask-blank", f"only {encoding.classes.names[int(present[0])]}")


def _find_identical(masks: Sequence[tuple[PairStats, MaskStats]]) -> Iterator[Issue]:
    by_content: dict[bytes, PairStats] = {}
    for stats, mask in masks:
        if mask.distinct < 2:
            continue
        original = by_content.setdefault(mask.file.content, stats)
        if original is not stats:
            text = f"the same as {original.pair.mask.name} ({original.split})"
            yield _issue(stats, "mask-identical", text)


def _find_inverted(
    masks: Sequence[tuple[PairStats, MaskStats]], encoding: MaskEncoding
) -> Iterator[Issue]:
    """Of two classes, the object seldom fills the rim and leaves out the middle."""
    if len(encoding.classes) != 2:
        return
    two = [(stats, mask) for stats, mask in masks if mask.distinct > 1]
    inverted = [
        (stats, mask)
        for stats, mask in two
        if mask.rim >= _INVERTED_RIM and mask.rim - mask.core >= _INVERTED_EXCESS
    ]
    if len(two) > 2 and 2 * len(inverted) > len(two):
        text = f"in {len(inverted)} of {len(two)} the upper class fills the rim"
        yield Issue("masks-inverted", None, text, count=len(inverted))
        return
    for stats, mask in inverted:
        text = f"the upper class fills {mask.rim:.0%} of the rim, {mask.core:.0%} inside"
        yield _issue(stats, "mask-inverted", text)


def _find_misfits(
    masks: Sequence[tuple[PairStats, MaskStats]], index: Index, encoding: MaskEncoding
) -> Iterator[Issue]:
    """A classes file that does not fit the masks, and ids that do not begin with 0."""
    declared = index.declared
    count = len(declared.classes)
    coloured = sum(mask.coloured for _, mask in masks)
    if declared.source and not declared.colours and 2 * coloured > len(masks):
        text = "gives no colours, but the masks are in colours; write name,r,g,b in classes.csv"
        yield Issue("classes-misfit", declared.source, text)
    if declared.source and declared.colours and len(declared.colours) < count:
        text = f"{count - len(declared.colours)} of {count} classes lack a colour; give all or none"
        yield Issue("classes-misfit", declared.source, text)
    if declared.source and count < 2:
        text = f"names {count} class; two at least are needed"
        yield Issue("classes-misfit", declared.source, text)
    values: set[int] = set()
    for _, mask in masks:
        values.update(mask.values.tolist() if not mask.coloured else [])
    lowest = min(values - {VOID}, default=0)
    if lowest > 0 and not coloured and not declared.source and not encoding.declared:
        yield Issue("values-not-from-zero", None, f"the lowest value is {lowest}")
