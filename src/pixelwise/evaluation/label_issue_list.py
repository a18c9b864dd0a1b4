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
class ImageIssue:
    """A label issue, without its mask, and the image it is in."""

    pair: Pair
    split: str
    issue: LabelIssue


@dataclass(frozen=True)
class LabelIssueList:
    """All label issues, the most suspect first; classes are those that model and data share, and
    `images` is the number searched.
    """

    issues: tuple[ImageIssue, ...]
    classes: Classes
    images: int
    notes: tuple[str, ...]

    def rows(self) -> list[tuple[object, ...]]:
        """COLUMNS of each issue."""
        return [self._row(rank, item) for rank, item in enumerate(self.issues, 1)]

    def _row(self, rank: int, item: ImageIssue) -> tuple[object, ...]:
        issue = item.issue
        return (
            rank,
            item.pair.image.name,
            item.split,
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
        for item in self.issues:
            image = (item.pair.image.name, item.split)
            scores.setdefault(image, []).append(item.issue.score)
        # Issues are ranked: the first score of an image is its highest, and images come in order.
        rows = list[tuple[object, ...]]()
        for (name, split), values in scores.items():
            rows.append((name, split, f"{values[0]:.3f}", len(values)))
        return rows
