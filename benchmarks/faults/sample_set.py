"""A sample of a data set to plant faults in, and what plants them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

Array = np.ndarray
Planted = list[Path]


@dataclass(frozen=True)
class SampleSet:
    """A data set to plant in: `binary` sets hold 0 and 255 and have no classes file."""

    root: Path
    binary: bool
    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]

    def pairs(self, split: str = "train") -> list[tuple[Path, Path]]:
        images = sorted((self.root / "images" / split).iterdir())
        return [(path, self.root / "masks" / split / f"{path.stem}.png") for path in images]

    def some(self, mild: bool, strong: int = 6) -> list[tuple[Path, Path]]:
        """Pairs evenly drawn from train: a strong fault has several files, a mild one has one."""
        pairs = self.pairs()
        count = min(1 if mild else strong, len(pairs))
        return [pairs[(2 * at + 1) * len(pairs) // (2 * count)] for at in range(count)]

    def every(self) -> list[tuple[Path, Path]]:
        return [
            pair
            for split in sorted(path.name for path in (self.root / "images").iterdir())
            for pair in self.pairs(split)
        ]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def raw(path: Path) -> Array:
    with Image.open(path) as image:
        return np.asarray(image)


def rgb(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("RGB"))


def save_mask(path: Path, labels: Array, sample_set: SampleSet) -> None:
    image = Image.fromarray(labels.astype(np.uint8))
    if not sample_set.binary:
        image.putpalette(
            [channel for colour in sample_set.palette for channel in colour]
            + [224, 224, 192] * (256 - len(sample_set.palette))
        )
    image.save(path)


def colours(labels: Array, sample_set: SampleSet) -> Array:
    """The mask in RGB; void is the last class's colour, so that only legal colours occur."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(sample_set.palette)] = sample_set.palette
    table[255] = sample_set.palette[0] if not sample_set.binary else (255, 255, 255)
    return table[labels]


def in_colours(sample_set: SampleSet) -> None:
    """All masks in RGB, declared in classes.csv."""
    for _, mask in sample_set.every():
        Image.fromarray(colours(raw(mask), sample_set)).save(mask)
    (sample_set.root / "classes.txt").unlink(missing_ok=True)
    rows = [
        f"{name},{r},{g},{b}"
        for name, (r, g, b) in zip(sample_set.names, sample_set.palette, strict=True)
    ]
    (sample_set.root / "classes.csv").write_text("\n".join(rows) + "\n")


def undeclared(sample_set: SampleSet) -> None:
    (sample_set.root / "classes.txt").unlink(missing_ok=True)


def edit_masks(
    pairs: Iterable[tuple[Path, Path]], sample_set: SampleSet, change: Callable[[Array], Array]
) -> Planted:
    done = []
    for _, mask in pairs:
        save_mask(mask, change(raw(mask)), sample_set)
        done.append(mask)
    return done


@dataclass(frozen=True)
class Fault:
    """What is planted, the kinds that name it rightly, the sets it is planted in, and the one
    function.
    """

    plant: Callable[[SampleSet, bool], Planted]
    kinds: tuple[str, ...]
    sets: tuple[str, ...] = ("street",)

    @property
    def name(self) -> str:
        return self.plant.__name__.replace("_", " ")


EVERY = ("street", "animals", "people")
