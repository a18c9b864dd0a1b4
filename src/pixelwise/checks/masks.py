"""Findings about masks: how they are written, values without meaning, and masks that say too
little.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from pixelwise.classes import VOID
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding, is_lossy
from pixelwise.datasets.mask_issues import stray_issue, variant_issue
from pixelwise.datasets.pair_stats import MaskStats, PairStats
from pixelwise.datasets.strays import find_variant

_BLENDED = 0.08  # share of steps through a value in between; CamVid has .029 at most, VOC .006
_BLANK_VOID = 0.95
_RIM = 0.5
_RIM_MORE = 0.15
_PALETTE_APART = 8
_CHUNK = 64


def find_mask_issues(
    pairs: Sequence[PairStats], index: Index, encoding: MaskEncoding
) -> Iterator[Issue]:
    """All findings about masks that could be read; masks with odd values are read a second time."""
    masks = [(stats, stats.mask) for stats in pairs if stats.mask]
    yield from _encodings(masks, encoding)
    for stats, mask in masks:
        yield from _one(stats, mask, encoding, layered=index.format == "layers")
    odd = [stats for stats, mask in masks if not _all_legal(mask, encoding)]
    explain = partial(stray_issue, encoding=encoding, source=index.mask_source)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(odd), _CHUNK):
            yield from filter(None, pool.map(explain, odd[start : start + _CHUNK]))
    yield from _copies(masks)
    yield from _inverted(masks, encoding)
    yield from _check_declared(masks, index, encoding)


def _issue(stats: PairStats, type: str, text: str, **more: object) -> Issue:
    return Issue(type, stats.pair.mask, text, image=stats.pair.image, mask=stats.pair.mask, **more)  # type: ignore[arg-type]


def _all_legal(mask: MaskStats, encoding: MaskEncoding) -> bool:
    return bool(find_variant(mask, encoding)) or encoding.all_legal(mask)


def _one(
    stats: PairStats, mask: MaskStats, encoding: MaskEncoding, *, layered: bool
) -> Iterator[Issue]:
    matte = encoding.form == "matte"
    if mask.in_alpha:
        yield _issue(stats, "mask-in-alpha", f"mode {mask.file.mode}; the colours say nothing")
    if mask.widened and not matte:
        yield _issue(
            stats, "mask-wide", f"mode {mask.file.mode}, every value is 257 times that of 8 bits"
        )
    for type, count, what in (
        (
            "layers-overlap" if layered else "shapes-overlap",
            mask.overlaps,
            "pixels of two classes",
        ),
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
    if legal and not matte and mask.between > _BLENDED:
        yield _issue(
            stats,
            "mask-blended",
            f"{mask.between:.0%} of the borders run through a class in between",
        )
    pixels = encoding.pixels(mask)
    total = int(mask.counts.sum())
    void = int(pixels[VOID])
    seen = np.flatnonzero(pixels[:VOID])
    if void >= _BLANK_VOID * total:
        yield _issue(stats, "mask-void", f"{void / total:.1%} of it is void", count=void)
    elif len(seen) == 1 and int(pixels.sum()) == total:
        yield _issue(stats, "mask-blank", f"only {encoding.classes.names[int(seen[0])]}")


def _encodings(
    masks: Sequence[tuple[PairStats, MaskStats]], encoding: MaskEncoding
) -> Iterator[Issue]:
    coloured = sum(mask.coloured for _, mask in masks)
    for stats, mask in masks:
        variant = find_variant(mask, encoding)
        if variant:
            yield variant_issue(stats, variant)
        elif mask.coloured and encoding.colours and 2 * coloured <= len(masks):
            yield _issue(stats, "encodings-mixed", "in colours, where most masks hold numbers")
        elif not mask.coloured and 2 * coloured > len(masks) and encoding.form == "colours":
            yield _issue(stats, "encodings-mixed", "numbers, where the other masks are in colours")
    yield from _palettes(masks)


def _palettes(masks: Sequence[tuple[PairStats, MaskStats]]) -> Iterator[Issue]:
    """Palettes that give a value, where it is used, another colour than most do."""
    said: dict[int, Counter[tuple[int, int, int]]] = defaultdict(Counter)
    for palette, count in Counter(mask.palette for _, mask in masks if mask.palette).items():
        for value, shade in enumerate(palette):
            said[value][shade] += count
    usual = {value: colours.most_common(1)[0][0] for value, colours in said.items()}
    for stats, mask in masks:
        for value in mask.values.tolist() if mask.palette else ():
            colour = (
                mask.palette[value]
                if mask.palette and value < len(mask.palette)
                else usual.get(value)
            )
            if (
                colour
                and value in usual
                and max(abs(a - b) for a, b in zip(colour, usual[value], strict=True))
                > _PALETTE_APART
            ):
                yield _issue(
                    stats, "palettes-differ", f"value {value} is {colour}, elsewhere {usual[value]}"
                )
                break


def _copies(masks: Sequence[tuple[PairStats, MaskStats]]) -> Iterator[Issue]:
    first: dict[bytes, PairStats] = {}
    for stats, mask in masks:
        if mask.distinct < 2:
            continue
        other = first.setdefault(mask.file.content, stats)
        if other is not stats:
            yield _issue(
                stats,
                "mask-identical",
                f"the same as {other.pair.mask.name} ({other.split})",
            )


def _inverted(
    masks: Sequence[tuple[PairStats, MaskStats]], encoding: MaskEncoding
) -> Iterator[Issue]:
    """Of two classes, the object seldom fills the rim and leaves out the middle."""
    if len(encoding.classes) != 2:
        return
    two = [(stats, mask) for stats, mask in masks if mask.distinct > 1]
    odd = [
        (stats, mask)
        for stats, mask in two
        if mask.rim >= _RIM and mask.rim - mask.core >= _RIM_MORE
    ]
    if len(two) > 2 and 2 * len(odd) > len(two):
        yield Issue(
            "masks-inverted",
            None,
            f"in {len(odd)} of {len(two)} the upper class fills the rim",
            count=len(odd),
        )
        return
    for stats, mask in odd:
        yield _issue(
            stats,
            "mask-inverted",
            f"the upper class fills {mask.rim:.0%} of the rim, {mask.core:.0%} inside",
        )


def _check_declared(
    masks: Sequence[tuple[PairStats, MaskStats]], index: Index, encoding: MaskEncoding
) -> Iterator[Issue]:
    declared = index.declared
    coloured = sum(mask.coloured for _, mask in masks)
    if declared.source and not declared.colours and 2 * coloured > len(masks):
        text = "gives no colours, but the masks are in colours; write name,r,g,b in classes.csv"
        yield Issue("classes-misfit", declared.source, text)
    if declared.source and len(declared.classes) < 2:
        yield Issue(
            "classes-misfit",
            declared.source,
            f"names {len(declared.classes)} class; two at least are needed",
        )
    values = Counter[int]()
    for _, mask in masks:
        values.update(mask.values.tolist() if not mask.coloured else [])
    seen = sorted(value for value in values if value != VOID)
    if seen and not coloured and not declared.source and not encoding.declared and seen[0] > 0:
        yield Issue("values-not-from-zero", None, f"the lowest value is {seen[0]}")
