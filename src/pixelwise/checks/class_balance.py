"""How much of the data each class has, and findings about classes and splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import PairStats

_TINY = 0.001
_RARE = 5
_MUCH_VOID = 0.5
_SMALL = 10
_ENOUGH = 20


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
    found = {"all": Shares()}
    for stats in pairs:
        if stats.mask:
            pixels = encoding.pixels(stats.mask)
            for key in ("all", stats.split):
                found.setdefault(key, Shares()).add(pixels)
    return found


def find_class_issues(shares: Mapping[str, Shares], encoding: MaskEncoding) -> Iterator[Issue]:
    """Classes that are absent, tiny, rare or alone; much void; small splits."""
    every = shares["all"]
    present = [label for label in range(len(encoding.classes)) if every.pixels[label]]
    for label, name in enumerate(encoding.classes.names):
        if label not in present:
            yield Issue("class-absent", None, f"{name} (id {label})")
            continue
        if every.of(label) < _TINY:
            yield Issue(
                "class-tiny",
                None,
                f"{name}: {every.of(label):.4%} of the pixels",
                count=int(every.pixels[label]),
            )
        if every.images[label] < _RARE and every.masks >= _ENOUGH:
            yield Issue(
                "class-rare", None, f"{name}: in {every.images[label]} of {every.masks} images"
            )
        train = shares.get("train")
        for split in ("val", "test"):
            if (
                train
                and split in shares
                and shares[split].pixels[label]
                and not train.pixels[label]
            ):
                yield Issue("class-only-scored", None, f"{name}: in {split}, never in train")
    if len(present) == 1:
        yield Issue(
            "class-alone", None, f"only {encoding.classes.names[present[0]]} in {every.masks} masks"
        )
    if every.void > _MUCH_VOID:
        yield Issue(
            "void-much", None, f"{every.void:.1%} of all pixels", count=int(every.pixels[VOID])
        )
    for split, found in shares.items():
        if split != "all" and found.masks < _SMALL:
            yield Issue("split-small", None, f"{split}: {found.masks} images", count=found.masks)
