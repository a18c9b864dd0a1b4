"""What the masks of a plain folder show only together, and what both training and checks call an
error.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.instance_masks import find_instances
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.palettes import find_conflicts

# Of so many colours, in so many masks, most are in several masks where they are those of classes.
_MANY_COLOURS = 12
_ENOUGH_MASKS = 3
# Numbered objects may stand below a classes file of background and object, not of more.
_FEW_DECLARED = 2
_PALETTES = (
    "list the colours in classes.csv (name,r,g,b) to have them read by colour, or save all masks "
    "with one palette"
)


def find_set_issues(
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> Iterator[Issue]:
    """What the masks of a plain folder show together: ids of objects in place of classes, palettes
    that give a value several colours. Each is refused by training.
    """
    if encoding.form == "colours" and not declared.source:
        yield from _find_colours_of_objects(pairs, encoding)
    if encoding.instances or encoding.form not in ("ids", "binary"):
        return
    if len(declared.classes) <= _FEW_DECLARED:
        issue = find_instances(pairs)
        if issue:
            yield issue
            return
    if not encoding.by_palette:
        yield from find_other_palettes(pairs)


def _find_colours_of_objects(pairs: Sequence[PairStats], encoding: MaskEncoding) -> Iterator[Issue]:
    """Colours of which most are in one mask alone: each object has its own."""
    masks = Counter(value for stats in pairs if stats.mask for value in stats.mask.drawn)
    own = [raw for raw, _ in encoding.colours if masks[raw] == 1]
    many = len(encoding.colours) >= _MANY_COLOURS and len(pairs) >= _ENOUGH_MASKS
    if many and 2 * len(own) > len(encoding.colours):
        stats = next(stats for stats in pairs if stats.mask and stats.mask.coloured)
        text = f"{len(own)} of {len(encoding.colours)} colours are in one mask alone"
        issue = stats.mask_issue("mask-instances", text)
        advice = (
            "are they of objects? make one class of all objects with --instances, or list the "
            "classes in classes.csv (name,r,g,b)"
        )
        yield replace(issue, refusal=f"{stats.pair.mask}: {text}; {advice}")


def find_other_palettes(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """Masks whose palettes give a value another colour than most; each is refused by training."""
    measured = [(stats, stats.mask) for stats in pairs if stats.mask]
    for position, text in find_conflicts([mask for _, mask in measured]).items():
        stats = measured[position][0]
        issue = stats.mask_issue("palettes-differ", text)
        refusal = f"{stats.pair.mask}: in its palette {text}; {_PALETTES}"
        yield replace(issue, refusal=refusal)
