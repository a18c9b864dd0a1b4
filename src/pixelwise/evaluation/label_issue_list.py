"""The label issues of a data set as a ranking: by region, and by image."""

from dataclasses import dataclass

from pixelwise.classes import Classes
from pixelwise.datasets.types import Pair
from pixelwise.metrics.label_issues import LabelIssue

COLUMNS = (
    *("rank", "image", "split", "top", "left", "bottom", "right", "area"),
    *("labelled_as", "looks_like", "confidence", "score"),
)
IMAGE_COLUMNS = ("image", "split", "worst_score", "regions")


@dataclass(frozen=True)
class LocatedIssue:
    """A label issue, without its mask, and the image it is in."""

    pair: Pair
    split: str
    issue: LabelIssue


@dataclass(frozen=True)
class LabelIssueList:
    """All label issues, the most suspect first; classes are those that model and data share, and
    `images` is the number searched.
    """

    issues: tuple[LocatedIssue, ...]
    classes: Classes
    images: int
    notes: tuple[str, ...]

    def rows(self) -> list[tuple[object, ...]]:
        """COLUMNS of each issue."""
        return [self._row(rank, located) for rank, located in enumerate(self.issues, 1)]

    def _row(self, rank: int, located: LocatedIssue) -> tuple[object, ...]:
        issue = located.issue
        return (
            rank,
            located.pair.image.name,
            located.split,
            *issue.box,
            issue.area,
            self.classes.names[issue.label],
            self.classes.names[issue.predicted],
            f"{issue.confidence:.4f}",
            f"{issue.score:.3f}",
        )

    def by_image(self) -> list[tuple[object, ...]]:
        """IMAGE_COLUMNS of the images that have any issue, by their worst one."""
        scores: dict[tuple[str, str], list[float]] = {}
        for located in self.issues:
            image = (located.pair.image.name, located.split)
            scores.setdefault(image, []).append(located.issue.score)
        return [(*image, f"{values[0]:.3f}", len(values)) for image, values in scores.items()]
