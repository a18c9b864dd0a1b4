"""Copies among the images, and those in two splits, which make scores too good."""

from collections.abc import Iterator, Sequence

from pixelwise.checks.findings import Hit
from pixelwise.checks.inspect_pairs import Look
from pixelwise.checks.inventory import SPLIT_ORDER
from pixelwise.checks.perceptual_hash import near_pairs

# grey levels between the darkest and the lightest; below that, an image is of one colour
_CONTRAST = 3


def copies(looks: Sequence[Look]) -> Iterator[tuple[Look, Look, float | None]]:
    """Pairs of looks whose images are alike: the difference in grey levels, or None where every
    pixel is the same.

    Of several that are the same, each is paired with the one tested most (in the latest split), the
    first of those; images of one colour are left out.
    """
    same: dict[bytes, list[Look]] = {}
    for look in looks:
        if look.image is not None and look.image.high - look.image.low >= _CONTRAST:
            same.setdefault(look.image.picture.content, []).append(look)
    kept: list[Look] = []
    for group in same.values():
        lead = max(group, key=lambda look: SPLIT_ORDER.index(look.couple.split))
        kept.append(lead)
        for look in group:
            if look is not lead:
                yield lead, look, None
    images = [look.image for look in kept if look.image]
    for i, j, unlike in near_pairs(
        [image.print for image in images], [image.thumb for image in images]
    ):
        yield kept[i], kept[j], unlike


def copy_hits(looks: Sequence[Look]) -> Iterator[Hit]:
    """A finding for each pair of images that are alike."""
    for one, other, unlike in copies(looks):
        leak = one.couple.split != other.couple.split
        kind = (
            ("image-leak" if leak else "image-twice")
            if unlike is None
            else "image-near-leak"
            if leak
            else "image-near"
        )
        how = "every pixel" if unlike is None else f"{unlike:.1f} grey levels apart"
        splits = [SPLIT_ORDER.index(look.couple.split) for look in (one, other)]
        tested, taught = (one, other) if splits[0] >= splits[1] else (other, one)
        text = f"as {tested.couple.image.name} in {tested.couple.split} ({how})"
        yield Hit(
            kind, taught.couple.image, text, image=taught.couple.image, mask=tested.couple.image
        )
