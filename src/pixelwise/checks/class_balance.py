"""How much of the data each class has, and findings about classes and splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pixelwise.checks.findings import Hit
from pixelwise.checks.inspect_pairs import Look
from pixelwise.classes import VOID
from pixelwise.datasets.mask_encoding import Encoding

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


def count_shares(looks: Sequence[Look], encoding: Encoding) -> dict[str, Shares]:
    """By split, and over all as `all`."""
    found = {"all": Shares()}
    for look in looks:
        if look.mask:
            pixels = encoding.pixels(look.mask)
            for key in ("all", look.couple.split):
                found.setdefault(key, Shares()).add(pixels)
    return found


def share_hits(shares: Mapping[str, Shares], encoding: Encoding) -> Iterator[Hit]:
    """Classes that are absent, tiny, rare or alone; much void; small splits."""
    every = shares["all"]
    present = [label for label in range(len(encoding.classes)) if every.pixels[label]]
    for label, name in enumerate(encoding.classes.names):
        if label not in present:
            yield Hit("class-absent", None, f"{name} (id {label})")
            continue
        if every.of(label) < _TINY:
            yield Hit(
                "class-tiny",
                None,
                f"{name}: {every.of(label):.4%} of the pixels",
                count=int(every.pixels[label]),
            )
        if every.images[label] < _RARE and every.masks >= _ENOUGH:
            yield Hit(
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
                yield Hit("class-only-scored", None, f"{name}: in {split}, never in train")
    if len(present) == 1:
        yield Hit(
            "class-alone", None, f"only {encoding.classes.names[present[0]]} in {every.masks} masks"
        )
    if every.void > _MUCH_VOID:
        yield Hit(
            "void-much", None, f"{every.void:.1%} of all pixels", count=int(every.pixels[VOID])
        )
    for split, found in shares.items():
        if split != "all" and found.masks < _SMALL:
            yield Hit("split-small", None, f"{split}: {found.masks} images", count=found.masks)
