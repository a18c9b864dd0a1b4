"""Copies among the images, and those in two splits, which make scores too good."""

from collections.abc import Iterator, Sequence

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.perceptual_hash import near_pairs
from pixelwise.datasets.splits import SPLIT_ORDER

# Grey levels between the darkest and the lightest; below that, an image is of one colour. All such
# images look alike, which says nothing of their origin.
_CONTRAST = 3


def find_copies(pairs: Sequence[PairStats]) -> Iterator[tuple[PairStats, PairStats, float | None]]:
    """Two and two whose images are alike: the difference in grey levels, or None where every
    pixel is the same.

    Of several that are the same, each is paired with the one tested most (in the latest split), the
    first of those; images of one colour are left out.
    """
    distinct: list[PairStats] = []
    for group in _group_by_content(pairs):
        original = max(group, key=split_rank)
        distinct.append(original)
        for stats in group:
            if stats is not original:
                yield original, stats, None
    images = [stats.image for stats in distinct if stats.image]
    prints = [image.print for image in images]
    thumbs = [image.thumb for image in images]
    for i, j, difference in near_pairs(prints, thumbs):
        yield distinct[i], distinct[j], difference


def split_rank(stats: PairStats) -> int:
    """The place of a pair's split in train, val, test: the later, the more it is tested."""
    return SPLIT_ORDER.index(stats.split)


def _group_by_content(pairs: Sequence[PairStats]) -> list[list[PairStats]]:
    groups: dict[bytes, list[PairStats]] = {}
    for stats in pairs:
        image = stats.image
        if image is not None and image.high - image.low >= _CONTRAST:
            groups.setdefault(image.file.content, []).append(stats)
    return list(groups.values())


def find_duplicate_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """An issue for each two images that are alike."""
    for first, second, difference in find_copies(pairs):
        leak = first.split != second.split
        if difference is None:
            type = "image-leak" if leak else "image-twice"
            degree = "every pixel"
        else:
            type = "image-near-leak" if leak else "image-near"
            degree = f"{difference:.1f} grey levels apart"
        # The finding names the image to remove: the one in the earlier split.
        if split_rank(first) >= split_rank(second):
            original = first.pair
            copy = second.pair
            split = first.split
        else:
            original = second.pair
            copy = first.pair
            split = second.split
        text = f"as {original.image.name} in {split} ({degree})"
        yield Issue(
            type,
            copy.image,
            text,
            image=copy.image,
            mask=original.image,
        )
