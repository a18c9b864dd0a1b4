"""How much of the data each class has, and findings about classes and splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import PairStats

_TINY_SHARE = 0.001
_RARE_IMAGES = 5
_MUCH_VOID_SHARE = 0.5
_SMALL_SPLIT = 10
_ENOUGH_IMAGES = 20


@dataclass
class Shares:
    """Pixels and images by class id (255 is void), of one split or all."""

    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    images: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    masks: int = 0

    def add(self, pixels: NDArray[np.int64]) -> None:
        """Count one mask."""
        self.pixels += pixels
        self.images += pixels > 0
        self.masks += 1

    @property
    def void(self) -> float:
        """Share of all pixels that is void."""
        return float(self.pixels[VOID] / max(1, self.pixels.sum()))

    def of(self, label: int) -> float:
        """A class's share of the pixels that are not void."""
        return float(self.pixels[label] / max(1, self.pixels[:VOID].sum()))


def count_shares(pairs: Sequence[PairStats], encoding: MaskEncoding) -> dict[str, Shares]:
    """By split, and over all as `all`."""
    shares = {"all": Shares()}
    for stats in pairs:
        if stats.mask:
            pixels = encoding.pixels(stats.mask)
            for key in ("all", stats.split):
                shares.setdefault(key, Shares()).add(pixels)
    return shares


def find_class_issues(shares: Mapping[str, Shares], encoding: MaskEncoding) -> Iterator[Issue]:
    """Classes that are absent, tiny, rare or alone; much void; small splits."""
    every = shares["all"]
    present = [label for label in range(len(encoding.classes)) if every.pixels[label]]
    for label, name in enumerate(encoding.classes.names):
        yield from _check_class(shares, label, name)
    if len(present) == 1:
        yield Issue(
            "class-alone", None, f"only {encoding.classes.names[present[0]]} in {every.masks} masks"
        )
    if every.void > _MUCH_VOID_SHARE:
        yield Issue(
            "void-much", None, f"{every.void:.1%} of all pixels", count=int(every.pixels[VOID])
        )
    for split, share in shares.items():
        if split != "all" and share.masks < _SMALL_SPLIT:
            text = f"{split}: {share.masks} images"
            yield Issue("split-small", None, text, count=share.masks)


def _check_class(shares: Mapping[str, Shares], label: int, name: str) -> Iterator[Issue]:
    every = shares["all"]
    if not every.pixels[label]:
        yield Issue("class-absent", None, f"{name} (id {label})")
        return
    share = every.of(label)
    if share < _TINY_SHARE:
        text = f"{name}: {share:.4%} of the pixels"
        yield Issue("class-tiny", None, text, count=int(every.pixels[label]))
    if every.images[label] < _RARE_IMAGES and every.masks >= _ENOUGH_IMAGES:
        text = f"{name}: in {every.images[label]} of {every.masks} images"
        yield Issue("class-rare", None, text)
    train = shares.get("train")
    for split in ("val", "test"):
        scored = split in shares and shares[split].pixels[label]
        if train and scored and not train.pixels[label]:
            yield Issue("class-only-scored", None, f"{name}: in {split}, never in train")
