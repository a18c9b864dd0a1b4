"""Findings about masks: how they are written, values without meaning, and masks that say too
little.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from pixelwise.checks.class_files import Declared
from pixelwise.checks.findings import Hit
from pixelwise.checks.inspect_pairs import Look, MaskLook
from pixelwise.checks.repair_mask import read_mask, variant
from pixelwise.classes import VOID
from pixelwise.datasets.mask_encoding import Encoding, is_lossy
from pixelwise.errors import PixelwiseError

_BLENDED = 0.08  # share of steps through a value in between; CamVid has .029 at most, VOC .006
_BLANK_VOID = 0.95
_RIM = 0.5
_RIM_MORE = 0.15
_PALETTE_APART = 8
_CHUNK = 64


def label_hits(looks: Sequence[Look], encoding: Encoding, declared: Declared) -> Iterator[Hit]:
    """All findings about masks that could be read; masks with odd values are read a second time."""
    masks = [(look, look.mask) for look in looks if look.mask]
    yield from _encodings(masks, encoding)
    for look, mask in masks:
        yield from _one(look, mask, encoding)
    odd = [
        look for look, mask in masks if not look.couple.layers and not _all_legal(mask, encoding)
    ]
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(odd), _CHUNK):
            for hits in pool.map(partial(_closely, encoding), odd[start : start + _CHUNK]):
                yield from hits
    yield from _copies(masks)
    yield from _inverted(masks, encoding)
    yield from _declared_hits(masks, encoding, declared)


def _hit(look: Look, kind: str, text: str, **more: object) -> Hit:
    return Hit(kind, look.couple.mask, text, image=look.couple.image, mask=look.couple.mask, **more)  # type: ignore[arg-type]


def _all_legal(mask: MaskLook, encoding: Encoding) -> bool:
    if variant(mask, encoding):
        return True
    return mask.distinct == len(mask.values) and bool(encoding.legal(mask).all())


def _one(look: Look, mask: MaskLook, encoding: Encoding) -> Iterator[Hit]:
    matte = encoding.kind.startswith("alpha")
    if mask.alpha:
        yield _hit(look, "mask-in-alpha", f"mode {mask.picture.mode}; the colours say nothing")
    if mask.wide and not matte:
        yield _hit(
            look, "mask-wide", f"mode {mask.picture.mode}, every value is 257 times that of 8 bits"
        )
    for kind, count, what in (
        (
            "layers-overlap" if look.couple.layers else "shapes-overlap",
            mask.overlaps,
            "pixels of two classes",
        ),
        ("shapes-clipped", mask.clipped, "shapes reach over the border"),
        ("shapes-blank", mask.blank, "shapes have no pixel"),
    ):
        if count:
            yield _hit(look, kind, f"{count} {what}", count=count)
    legal = _all_legal(mask, encoding)
    if legal and is_lossy(mask) and not matte and mask.distinct > 1:
        yield _hit(look, "mask-lossy", f"is {mask.picture.format}, though no value is odd")
    if matte and not mask.coloured and int(mask.values.max()) == 1:
        yield _hit(look, "matte-faint", "no alpha above 1: is it 0 and 1 for 0 and 255?")
    if legal and not matte and mask.between > _BLENDED:
        yield _hit(
            look,
            "mask-blended",
            f"{mask.between:.0%} of the borders run through a class in between",
        )
    pixels = encoding.pixels(mask)
    total = int(mask.counts.sum())
    void = int(pixels[VOID])
    seen = np.flatnonzero(pixels[:VOID])
    if void >= _BLANK_VOID * total:
        yield _hit(look, "mask-void", f"{void / total:.1%} of it is void", count=void)
    elif len(seen) == 1 and int(pixels.sum()) == total:
        yield _hit(look, "mask-blank", f"only {encoding.classes.names[int(seen[0])]}")


def _closely(encoding: Encoding, look: Look) -> list[Hit]:
    """The odd values of one mask, read again."""
    if look.mask is None or (encoding.kind.startswith("alpha") and look.mask.coloured):
        return [_hit(look, "encodings-mixed", "a matte in colours; it must be grey")]
    try:
        _, strays, _ = read_mask(look.couple, look.mask, encoding)
    except (PixelwiseError, OSError) as error:
        return [_hit(look, "mask-unreadable", str(error))]
    if strays is None:
        return []
    if look.mask.coloured and not encoding.colours and encoding.kind == "RGB colours":
        text = f"{look.mask.distinct} colours, none of which fills an area"
        return [_hit(look, "colour-stray", text, position=strays.first, count=strays.pixels)]
    if look.mask.coloured and not encoding.colours:
        kind = "mask-lossy" if is_lossy(look.mask) else "encodings-mixed"
        return [
            _hit(
                look, kind, "in colours, where the other masks hold numbers", position=strays.first
            )
        ]
    doubtful = strays.kind == "value-outside-classes" and not encoding.declared
    large = not look.mask.coloured and int(look.mask.values.max()) > VOID
    kind = "value-large" if large else "value-doubtful" if doubtful else strays.kind
    what = f"{strays.distinct} values, the first" if strays.distinct > 1 else "value"
    text = (
        f"{strays.pixels} pixels of {what} {strays.value} at row {strays.first[0]}, column "
        f"{strays.first[1]}"
    )
    text += f"; the nearest legal is {strays.nearest}"
    return [_hit(look, kind, text, position=strays.first, count=strays.pixels)]


def _encodings(masks: Sequence[tuple[Look, MaskLook]], encoding: Encoding) -> Iterator[Hit]:
    texts = {
        "one": "0 and 1, where the other masks hold 0 and 255",
        "full": "0 and 255, where the other masks hold 0 and 1: 255 would be read as void",
        "palette": "numbers with a palette, where the other masks are in colours",
    }
    coloured = sum(mask.coloured for _, mask in masks)
    for look, mask in masks:
        how = variant(mask, encoding)
        if how:
            yield _hit(look, "encodings-mixed", texts[how])
        elif mask.coloured and encoding.colours and 2 * coloured <= len(masks):
            yield _hit(look, "encodings-mixed", "in colours, where most masks hold numbers")
        elif not mask.coloured and 2 * coloured > len(masks) and encoding.kind == "RGB colours":
            yield _hit(look, "encodings-mixed", "numbers, where the other masks are in colours")
    yield from _palettes(masks)


def _palettes(masks: Sequence[tuple[Look, MaskLook]]) -> Iterator[Hit]:
    """Palettes that give a value, where it is used, another colour than most do."""
    said: dict[int, Counter[tuple[int, int, int]]] = defaultdict(Counter)
    for palette, count in Counter(mask.palette for _, mask in masks if mask.palette).items():
        for value, shade in enumerate(palette):
            said[value][shade] += count
    usual = {value: colours.most_common(1)[0][0] for value, colours in said.items()}
    for look, mask in masks:
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
                yield _hit(
                    look, "palettes-differ", f"value {value} is {colour}, elsewhere {usual[value]}"
                )
                break


def _copies(masks: Sequence[tuple[Look, MaskLook]]) -> Iterator[Hit]:
    first: dict[bytes, Look] = {}
    for look, mask in masks:
        if mask.distinct < 2:
            continue
        other = first.setdefault(mask.picture.content, look)
        if other is not look:
            yield _hit(
                look,
                "mask-identical",
                f"the same as {other.couple.mask.name} ({other.couple.split})",
            )


def _inverted(masks: Sequence[tuple[Look, MaskLook]], encoding: Encoding) -> Iterator[Hit]:
    """Of two classes, the object seldom fills the rim and leaves out the middle."""
    if len(encoding.classes) != 2:
        return
    two = [(look, mask) for look, mask in masks if mask.distinct > 1]
    odd = [
        (look, mask) for look, mask in two if mask.rim >= _RIM and mask.rim - mask.core >= _RIM_MORE
    ]
    if len(two) > 2 and 2 * len(odd) > len(two):
        yield Hit(
            "masks-inverted",
            None,
            f"in {len(odd)} of {len(two)} the upper class fills the rim",
            count=len(odd),
        )
        return
    for look, mask in odd:
        yield _hit(
            look,
            "mask-inverted",
            f"the upper class fills {mask.rim:.0%} of the rim, {mask.core:.0%} inside",
        )


def _declared_hits(
    masks: Sequence[tuple[Look, MaskLook]], encoding: Encoding, declared: Declared
) -> Iterator[Hit]:
    coloured = sum(mask.coloured for _, mask in masks)
    if (
        declared.source
        and not any(entry.colour for entry in declared.kept)
        and 2 * coloured > len(masks)
    ):
        text = "gives no colours, but the masks are in colours; write name,r,g,b in classes.csv"
        yield Hit("classes-misfit", declared.source, text)
    if declared.source and len(declared.kept) < 2:
        yield Hit(
            "classes-misfit",
            declared.source,
            f"names {len(declared.kept)} class; two at least are needed",
        )
    values = Counter[int]()
    for _, mask in masks:
        values.update(mask.values.tolist() if not mask.coloured else [])
    seen = sorted(value for value in values if value != VOID)
    if seen and not coloured and not declared.source and not encoding.declared and seen[0] > 0:
        yield Hit("values-not-from-zero", None, f"the lowest value is {seen[0]}")
