"""A data set to plant faults in, and what plants them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

Array = np.ndarray
Planted = list[Path]


@dataclass(frozen=True)
class Patient:
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


def save_mask(path: Path, labels: Array, patient: Patient) -> None:
    image = Image.fromarray(labels.astype(np.uint8))
    if not patient.binary:
        image.putpalette(
            [channel for colour in patient.palette for channel in colour]
            + [224, 224, 192] * (256 - len(patient.palette))
        )
    image.save(path)


def colours(labels: Array, patient: Patient) -> Array:
    """The mask in RGB; void is the last class's colour, so that only legal colours occur."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(patient.palette)] = patient.palette
    table[255] = patient.palette[0] if not patient.binary else (255, 255, 255)
    return table[labels]


def in_colours(patient: Patient) -> None:
    """All masks in RGB, declared in classes.csv."""
    for _, mask in patient.every():
        Image.fromarray(colours(raw(mask), patient)).save(mask)
    (patient.root / "classes.txt").unlink(missing_ok=True)
    rows = [
        f"{name},{r},{g},{b}"
        for name, (r, g, b) in zip(patient.names, patient.palette, strict=True)
    ]
    (patient.root / "classes.csv").write_text("\n".join(rows) + "\n")


def undeclared(patient: Patient) -> None:
    (patient.root / "classes.txt").unlink(missing_ok=True)


def edit_masks(
    pairs: Iterable[tuple[Path, Path]], patient: Patient, change: Callable[[Array], Array]
) -> Planted:
    done = []
    for _, mask in pairs:
        save_mask(mask, change(raw(mask)), patient)
        done.append(mask)
    return done


@dataclass(frozen=True)
class Fault:
    """What is planted, the kinds that name it rightly, the sets it is planted in, and the one
    function.
    """

    plant: Callable[[Patient, bool], Planted]
    kinds: tuple[str, ...]
    sets: tuple[str, ...] = ("street",)

    @property
    def name(self) -> str:
        return self.plant.__name__.replace("_", " ")


EVERY = ("street", "animals", "people")
