"""Copies among the images, and those in two splits, which make scores too good."""

from collections.abc import Iterator, Sequence

from pixelwise.doctor.findings import Hit
from pixelwise.doctor.layout import SPLIT_ORDER
from pixelwise.doctor.look import Look
from pixelwise.doctor.prints import near_pairs


def copies(looks: Sequence[Look]) -> Iterator[tuple[Look, Look, float | None]]:
    """Pairs of looks whose images are alike: the difference in grey levels, or None where every pixel is the same.

    Of several alike, each is paired with the first; images of one colour are left out.
    """
    first: dict[bytes, Look] = {}
    kept: list[Look] = []
    for look in looks:
        if look.image is None or look.image.high - look.image.low < 3:
            continue
        other = first.setdefault(look.image.picture.content, look)
        if other is look:
            kept.append(look)
        else:
            yield other, look, None
    images = [look.image for look in kept if look.image]
    for i, j, unlike in near_pairs([image.print for image in images], [image.thumb for image in images]):
        yield kept[i], kept[j], unlike


def copy_hits(looks: Sequence[Look]) -> Iterator[Hit]:
    """A finding for each pair of images that are alike."""
    for one, other, unlike in copies(looks):
        leak = one.couple.split != other.couple.split
        kind = (
            ("image-leak" if leak else "image-twice") if unlike is None else "image-near-leak" if leak else "image-near"
        )
        how = "every pixel" if unlike is None else f"{unlike:.1f} grey levels apart"
        splits = [SPLIT_ORDER.index(look.couple.split) for look in (one, other)]
        tested, taught = (one, other) if splits[0] >= splits[1] else (other, one)
        text = f"as {tested.couple.image.name} in {tested.couple.split} ({how})"
        yield Hit(kind, taught.couple.image, text, image=taught.couple.image, mask=tested.couple.image)
