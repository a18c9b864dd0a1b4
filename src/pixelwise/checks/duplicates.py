"""Copies among the images, and those in two splits, which make scores too good."""

from collections.abc import Iterator, Sequence

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.perceptual_hash import near_pairs
from pixelwise.datasets.splits import SPLIT_ORDER

# Grey levels between the darkest and the lightest; below that, an image is of one colour.
_CONTRAST = 3


def find_copies(pairs: Sequence[PairStats]) -> Iterator[tuple[PairStats, PairStats, float | None]]:
    """Two and two whose images are alike: the difference in grey levels, or None where every
    pixel is the same.

    Of several that are the same, each is paired with the one tested most (in the latest split), the
    first of those; images of one colour are left out.
    """
    same: dict[bytes, list[PairStats]] = {}
    for stats in pairs:
        if stats.image is not None and stats.image.high - stats.image.low >= _CONTRAST:
            same.setdefault(stats.image.file.content, []).append(stats)
    kept: list[PairStats] = []
    for group in same.values():
        lead = max(group, key=lambda stats: SPLIT_ORDER.index(stats.split))
        kept.append(lead)
        for stats in group:
            if stats is not lead:
                yield lead, stats, None
    images = [stats.image for stats in kept if stats.image]
    for i, j, difference in near_pairs(
        [image.print for image in images], [image.thumb for image in images]
    ):
        yield kept[i], kept[j], difference


def find_duplicate_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """An issue for each two images that are alike."""
    for one, other, difference in find_copies(pairs):
        leak = one.split != other.split
        if difference is None:
            type = "image-leak" if leak else "image-twice"
            degree = "every pixel"
        else:
            type = "image-near-leak" if leak else "image-near"
            degree = f"{difference:.1f} grey levels apart"
        later = SPLIT_ORDER.index(one.split) >= SPLIT_ORDER.index(other.split)
        tested, taught = (one, other) if later else (other, one)
        text = f"as {tested.pair.image.name} in {tested.split} ({degree})"
        yield Issue(type, taught.pair.image, text, image=taught.pair.image, mask=tested.pair.image)
