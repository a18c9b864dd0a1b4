"""Figures of what is above the classes in their tree."""

from collections.abc import Sequence
from dataclasses import dataclass

from pixelwise.classes import ClassTree
from pixelwise.metrics.confusion import Scores, json_number


@dataclass(frozen=True)
class ParentScore:
    """The figures of `classes` as one, called `name`: a pixel of one that is taken for another of
    them is right.
    """

    name: str
    classes: tuple[str, ...]
    iou: float
    precision: float
    recall: float
    dice: float

    def as_dict(self) -> dict[str, object]:
        """JSON values."""
        figures = ("iou", "precision", "recall", "dice")
        return {
            "classes": list(self.classes),
            **{name: json_number(getattr(self, name)) for name in figures},
        }


def score_parents(scores: Scores, names: Sequence[str], tree: ClassTree) -> list[ParentScore]:
    """The figures of each parent in a tree whose members are all among `names`."""
    rows = []
    for parent, members in tree:
        own = [names.index(member) for member in members]
        others = [[label] for label in range(len(names)) if label not in own]
        joined = scores.joined([own, *others])
        figures = (joined.iou, joined.precision, joined.recall, joined.dice)
        rows.append(ParentScore(parent, members, *(float(values[0]) for values in figures)))
    return rows
