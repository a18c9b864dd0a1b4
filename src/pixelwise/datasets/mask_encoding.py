"""How masks are written, judged from all of them, with the evidence; and masks read so, repaired
where need be.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pixelwise.checks.class_files import Declared
from pixelwise.checks.inspect_pairs import MaskLook
from pixelwise.classes import VOID, VOID_COLOUR, Classes, Colour, voc_colormap
from pixelwise.datasets.mask_reader import Values, unpack
from pixelwise.datasets.readers import camvid, matte, voc
from pixelwise.datasets.readers.folder import ClassEntry

Table = tuple[tuple[int, int], ...]
"""(raw value or packed colour, class id or VOID), sorted."""

_LOSSY = frozenset({"JPEG", "WEBP", "MPO"})
_NEAR = 24  # colours of classes that were not declared differ by more in some channel
_FEW = 10  # with fewer masks than this, being in one of them alone says nothing
_DARK = 64
_LIGHT = 191  # below and above, a lossy mask of 0 and 255 has its two classes
# of such a mask lies there; and of the areas of one value on either side, this much has one value
_MOST = 0.95
_GUESSED = 64  # ids from here on are hardly class ids where none are declared, as in data/folder


@dataclass(frozen=True)
class Encoding:
    """What the raw values of masks mean.

    `values` serves masks of numbers, `colours` masks of colours. `declared` says that the classes
    are known, not guessed. `kind` and `evidence` are for the user. `binary` says that 0 and 255 are
    two classes.
    """

    kind: str
    evidence: str
    classes: Classes
    values: Table
    colours: Table = ()
    declared: bool = False
    binary: bool = False

    def table(self, coloured: bool) -> tuple[Values, NDArray[np.uint8]]:
        """Legal raw values, sorted, and the label of each."""
        pairs = self.colours if coloured else self.values
        return np.array([raw for raw, _ in pairs], np.int64), np.array(
            [label for _, label in pairs], np.uint8
        )

    @property
    def closest(self) -> int:
        """The least distance of two classes' numbers."""
        raws = sorted(raw for raw, label in self.values if label != VOID)
        return min((b - a for a, b in pairwise(raws)), default=VOID)

    def legal(self, look: MaskLook) -> NDArray[np.bool_]:
        """Which of a mask's values have a meaning."""
        return np.isin(look.values, self.table(look.coloured)[0])

    def pixels(self, look: MaskLook) -> NDArray[np.int64]:
        """(256,) pixels by class id, 255 for void; pixels of no meaning are left out."""
        raws, labels = self.table(look.coloured)
        counts = np.zeros(256, np.int64)
        if len(raws):
            place = np.minimum(np.searchsorted(raws, look.values), len(raws) - 1)
            known = raws[place] == look.values
            np.add.at(counts, labels[place[known]], look.counts[known])
        return counts


def is_lossy(look: MaskLook) -> bool:
    """Whether the file's format changes values."""
    return look.picture.format in _LOSSY


def fixed_encoding(format: str, classes: Classes | None = None) -> Encoding | None:
    """The encoding that a format brings with it, or that of its reader for `classes`; None for
    plain folders.
    """
    if classes is not None:
        ids = [*enumerate(range(len(classes))), (VOID, VOID)]
        return _encoding(
            "read as the format has it", f"{len(classes)} classes of {format}", classes, ids, []
        )
    if format == "camvid":
        ids = [*enumerate(range(len(camvid.CLASSES))), (camvid.VOID_LABEL, VOID), (VOID, VOID)]
        colours = [*_packed(camvid.CLASSES.palette), (_pack(camvid.VOID_COLOUR), VOID)]
        return _encoding(
            "CamVid ids", "11 classes, 11 and 255 are void", camvid.CLASSES, ids, colours
        )
    if format == "voc":
        classes = Classes.named(voc.NAMES)
        ids = [*enumerate(range(len(classes))), (VOID, VOID)]
        colours = [*_packed(classes.palette), (_pack(VOID_COLOUR), VOID)]
        return _encoding("Pascal VOC ids", "21 classes, 255 is void", classes, ids, colours)
    if format == "matte":
        ids = [(alpha, int(alpha >= 128)) for alpha in range(256)]
        return _encoding("alpha mattes", "0 is background, 255 is person", matte.CLASSES, ids, [])
    return None


def find_encoding(
    masks: Sequence[MaskLook], declared: Declared, layers: tuple[str, ...] = ()
) -> Encoding:
    """Judge a plain folder's masks. The classes file goes before what is seen; what is rare and odd
    is no class.
    """
    if layers:
        classes = Classes.named(layers)
        return _encoding(
            "one file a class",
            f"{len(layers)} classes",
            classes,
            list(enumerate(range(len(layers)))),
            [],
        )
    coloured = [look for look in masks if look.coloured]
    known = any(entry.colour for entry in declared.kept)
    if declared.kept and (known or 2 * len(coloured) <= len(masks)):
        return _declared(masks, declared)
    if 2 * len(coloured) > len(masks):
        return _by_colour(coloured)
    return _by_value([look for look in masks if not look.coloured])


def _encoding(
    kind: str,
    evidence: str,
    classes: Classes,
    values: list[tuple[int, int]],
    colours: list[tuple[int, int]],
    *,
    binary: bool = False,
) -> Encoding:
    return Encoding(
        kind,
        evidence,
        classes,
        tuple(sorted(values)),
        tuple(sorted(dict(colours).items())),
        True,
        binary,
    )


def _declared(masks: Sequence[MaskLook], declared: Declared) -> Encoding:
    kept = declared.kept
    void = declared.void
    names = tuple(entry.name for entry in kept)
    if len(names) == 1:  # training refuses this; what is meant is plain
        kept = (ClassEntry(0, "background"), replace(kept[0], raw=1, colour=None))
        names = tuple(entry.name for entry in kept)
    colours = tuple(entry.colour for entry in kept if entry.colour)
    found = (
        ()
        if any(entry.raw != label for label, entry in enumerate(kept))
        else _found_palette(masks, len(names))
    )
    palette = colours if len(colours) == len(names) else found or voc_colormap(len(names))
    table = {VOID: VOID} | {entry.raw: VOID for entry in void}
    table |= {entry.raw: label for label, entry in enumerate(kept)}
    packed = {_pack(entry.colour): VOID for entry in void if entry.colour}
    packed |= {_pack(entry.colour): label for label, entry in enumerate(kept) if entry.colour}
    packed = packed or dict(
        _packed(found)
    )  # masks with a palette say what colours mean in those without
    binary = (
        len(names) == 2
        and table[VOID] == VOID
        and _is_binary(_clean([m for m in masks if not m.coloured]))
    )
    if binary:
        table = {0: 0, VOID: 1}
    by_colour = colours and 2 * sum(look.coloured for look in masks) > len(masks)
    kind = "0 and 255" if binary else "RGB colours" if by_colour else "class ids"
    evidence = f"{len(names)} classes by {declared.source.name if declared.source else ''}"
    return _encoding(
        kind,
        evidence,
        Classes(names, palette),
        list(table.items()),
        list(packed.items()),
        binary=binary,
    )


def _by_colour(masks: Sequence[MaskLook]) -> Encoding:
    """Colours that fill areas are classes; those seen only along borders or in specks are not."""
    pixels = Counter[int]()
    solid = Counter[int]()
    files = Counter[int]()
    clean = _clean(masks)
    for look in clean:
        for value, count, firm in zip(
            look.values.tolist(), look.counts.tolist(), look.solid.tolist(), strict=True
        ):
            pixels[value] += count
            solid[value] += firm
            files[value] += 1
    total = sum(pixels.values())
    legal: list[int] = []
    for value, firm in solid.most_common(255):
        apart = min((_apart(value, other) for other in legal), default=255)
        alone = files[value] == 1 and len(clean) >= _FEW and pixels[value] < 1e-4 * total
        own = apart > _NEAR or (
            apart > _NEAR // 3 and firm > 0.6 * pixels[value] and files[value] > 2
        )
        if firm > 1e-5 * total and own and not alone and len(legal) < 254:
            legal.append(value)
    legal.sort()
    palette = tuple(unpack(value) for value in legal) or voc_colormap(
        1
    )  # of noise, no colour is a class
    classes = Classes(tuple(f"class {label}" for label in range(len(palette))), palette)
    evidence = f"{len(legal)} colours fill areas, of {len(pixels)} that occur in {len(masks)} masks"
    numbers = [(label, label) for label in range(len(palette))] + [(VOID, VOID)]
    colours = [(value, label) for label, value in enumerate(legal)]
    return Encoding("RGB colours", evidence, classes, tuple(numbers), tuple(colours))


def _by_value(masks: Sequence[MaskLook]) -> Encoding:
    clean = _clean(masks)
    if _is_binary(clean):
        evidence = (
            f"0 and 255 fill the areas of {len(masks)} masks: 0 is the first class, 255 the "
            "second, none is void"
        )
        classes = Classes.named(("background", "foreground"))
        return Encoding("0 and 255", evidence, classes, ((0, 0), (VOID, 1)), binary=True)
    pair = _high_pair(clean)
    if pair:
        evidence = (
            f"{pair[0]} and {pair[1]} alone fill the areas of {len(masks)} masks: both are "
            "classes, none is void"
        )
        classes = Classes.named(("background", "foreground"))
        values = [(raw, label) for label, raw in enumerate(pair)]
        return Encoding(f"{pair[0]} and {pair[1]}", evidence, classes, tuple(values), binary=True)
    top = max(_meant(clean), default=0)
    classes = Classes(
        tuple(f"class {label}" for label in range(top + 1)),
        _found_palette(clean, top + 1) or voc_colormap(top + 1),
    )
    values = [*[(label, label) for label in range(top + 1)], (VOID, VOID)]
    palettes = sum(look.palette is not None for look in masks)
    evidence = (
        f"values 0 to {top} in {len(masks)} masks, {palettes} of them with a palette; 255 is void"
    )
    kind = "class ids" + " with palette" * (2 * palettes > len(masks))
    colours = tuple(sorted(_packed(classes.palette))) if palettes else ()
    return Encoding(kind, evidence, classes, tuple(values), colours)


def _is_binary(masks: Sequence[MaskLook]) -> bool:
    """Whether most masks are of 0 and 255 alone, and those of small numbers besides do not make 255
    void.
    """
    two = [look for look in masks if _area(look) <= {0, VOID}]
    both = sum({0, VOID} == _area(look) for look in two)
    more = sum(bool(_area(look) - {0, VOID}) and VOID in _area(look) for look in masks)
    return both > 0 and 2 * len(two) > len(masks) and 4 * more <= both


def _high_pair(masks: Sequence[MaskLook]) -> tuple[int, int] | None:
    """The two values of masks that have no others, where both are too high for ids and no palette
    numbers them.
    """
    areas = [_area(look) for look in masks if not look.palette]
    seen = sorted(set().union(*areas))
    if (
        len(seen) != 2
        or len(areas) < len(masks)
        or seen[0] < _GUESSED
        or not any(len(area) == 2 for area in areas)
    ):
        return None
    return seen[0], seen[1]


def _clean(masks: Sequence[MaskLook]) -> list[MaskLook]:
    """The masks whose format keeps values; all where none does."""
    return [look for look in masks if not is_lossy(look)] or list(masks)


def _area(look: MaskLook) -> set[int]:
    """The values that fill at least a 500th of a mask; ringing around 0 and 255 is no value of its
    own.
    """
    fills = look.counts * 500 >= look.counts.sum()
    if is_lossy(look) and _rings(look):
        return {
            0 if value < _DARK else VOID
            for value in look.values[fills].tolist()
            if not _DARK <= value <= _LIGHT
        }
    return set(look.values[fills].tolist())


def _rings(look: MaskLook) -> bool:
    """Whether a lossy mask is of 0 and 255: dark or light nearly everywhere, and of one value in
    all dark areas.

    Ids as JPEG are dark as well, but their areas have several values.
    """
    dark = look.values < _DARK
    light = look.values > _LIGHT
    for side, end in ((dark, 0), (light, VOID)):
        solid = look.solid[side]
        values = look.values[side]
        if solid.sum() and (
            solid.max() < _MOST * solid.sum() or abs(int(values[solid.argmax()]) - end) > 8
        ):
            return False
    return bool(look.counts[dark | light].sum() >= _MOST * look.counts.sum())


def _meant(masks: Sequence[MaskLook]) -> set[int]:
    """The values that are class ids: not 255, and not above a gap in one mask alone or from 64 on
    without palette.
    """
    files = Counter[int]()
    pixels = Counter[int]()
    for look in masks:
        files.update(look.values.tolist())
        for value, count in zip(look.values.tolist(), look.counts.tolist(), strict=True):
            pixels[value] += count
    total = sum(pixels.values())
    rare = max(1, len(masks) // 100)
    meant: set[int] = set()
    for value in sorted(value for value in files if 0 <= value < VOID):
        gap = value > max(meant, default=-1) + 1
        few = files[value] <= rare and len(masks) >= _FEW
        if gap and (
            (few and pixels[value] < 1e-3 * total) or (value >= _GUESSED and not masks[0].palette)
        ):
            continue
        meant.add(value)
    return meant


def _found_palette(masks: Sequence[MaskLook], count: int) -> tuple[Colour, ...]:
    """The palette that most masks have, where it has a colour of its own for each class and is no
    ramp of greys.
    """
    usual = Counter(look.palette for look in masks if look.palette).most_common(1)
    colours = usual[0][0][:count] if usual else ()
    coloured = any(len(set(colour)) > 1 for colour in colours)
    return colours if len(set(colours)) == count and coloured else ()


def _apart(a: int, b: int) -> int:
    return max(abs(x - y) for x, y in zip(unpack(a), unpack(b), strict=True))


def _pack(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _packed(palette: tuple[Colour, ...]) -> Iterator[tuple[int, int]]:
    return ((_pack(colour), label) for label, colour in enumerate(palette))
