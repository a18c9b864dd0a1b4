"""How much of the data each class has, and findings about classes and splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import PairStats

# A class below this share of the pixels hardly moves the loss; with few images of it, a score
# hangs on single photographs.
_TINY_SHARE = 0.001
_RARE_IMAGES = 5
# In a set of fewer images than this every class is in few of them.
_ENOUGH_IMAGES = 20
_MUCH_VOID_SHARE = 0.5
# With fewer images than this, one of them moves the score of its split by a tenth.
_SMALL_SPLIT = 10


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(256, np.int64)


@dataclass
class Shares:
    """Pixels and images by class id (255 is void), of one split or all."""

    pixels: NDArray[np.int64] = field(default_factory=_no_counts)
    images: NDArray[np.int64] = field(default_factory=_no_counts)
    masks: int = 0

    def add(self, pixels: NDArray[np.int64]) -> None:
        """Count one mask."""
        self.pixels += pixels
        self.images += pixels > 0
        self.masks += 1

    @property
    def void(self) -> float:
        """Share of all pixels that is void."""
        total = max(1, self.pixels.sum())
        return float(self.pixels[VOID] / total)

    def of(self, label: int) -> float:
        """A class's share of the pixels that are not void."""
        total = max(1, self.pixels[:VOID].sum())
        return float(self.pixels[label] / total)


def count_shares(pairs: Sequence[PairStats], encoding: MaskEncoding) -> dict[str, Shares]:
    """By split, and over all as `all`."""
    shares = {"all": Shares()}
    for stats in pairs:
        if stats.mask is None:
            continue
        pixels = encoding.pixels(stats.mask)
        shares["all"].add(pixels)
        shares.setdefault(stats.split, Shares()).add(pixels)
    return shares


def find_class_issues(shares: Mapping[str, Shares], encoding: MaskEncoding) -> Iterator[Issue]:
    """Classes that are absent, tiny, rare or alone; much void; small splits."""
    total = shares["all"]
    names = encoding.classes.names
    for label, name in enumerate(names):
        yield from _check_class(shares, label, name)
    present = [name for label, name in enumerate(names) if total.pixels[label]]
    if len(present) == 1:
        yield Issue("class-alone", None, f"only {present[0]} in {total.masks} masks")
    if total.void > _MUCH_VOID_SHARE:
        text = f"{total.void:.1%} of all pixels"
        yield Issue("void-much", None, text, count=int(total.pixels[VOID]))
    for split, share in shares.items():
        if split != "all" and share.masks < _SMALL_SPLIT:
            text = f"{split}: {share.masks} images"
            yield Issue("split-small", None, text, count=share.masks)


def _check_class(
    shares: Mapping[str, Shares],
    label: int,
    name: str,
) -> Iterator[Issue]:
    total = shares["all"]
    pixels = int(total.pixels[label])
    images = int(total.images[label])
    if not pixels:
        yield Issue("class-absent", None, f"{name} (id {label})")
        return
    share = total.of(label)
    if share < _TINY_SHARE:
        text = f"{name}: {share:.4%} of the pixels"
        yield Issue("class-tiny", None, text, count=pixels)
    if images < _RARE_IMAGES and total.masks >= _ENOUGH_IMAGES:
        text = f"{name}: in {images} of {total.masks} images"
        yield Issue("class-rare", None, text)
    yield from _check_trained(shares, label, name)


def _check_trained(
    shares: Mapping[str, Shares],
    label: int,
    name: str,
) -> Iterator[Issue]:
    """A class that is scored, but that training never shows."""
    train = shares.get("train")
    if train is None or train.pixels[label]:
        return
    for split in ("val", "test"):
        if split in shares and shares[split].pixels[label]:
            yield Issue("class-only-scored", None, f"{name}: in {split}, never in train")
