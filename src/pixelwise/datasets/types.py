"""What a data set is: pairs of image and mask by split, classes, and how a mask becomes labels."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.classes import Classes, name_of_value
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.options import DataOptions as DataOptions  # noqa: PLC0414  also found here
from pixelwise.errors import DataError
from pixelwise.io.arrays import NPY
from pixelwise.io.images import Array, list_images

ALL = "all"
"""All splits together, where one is to be chosen."""

# Names that a message lists: enough to see what they have in common.
_MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """One image and its mask; `name` is the image's file name without suffix.

    Where labels are records of an annotation file, `mask` is the image again: its record is found
    by that.
    """

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class DataSet:
    """A data set on disk: its classes, its pairs by split, and how a mask becomes labels.

    `read_labels` turns a mask's path into labels (H, W) uint8, class ids 0..C-1 or 255 for void; it
    can be pickled. `notes` are lines for the user: which format was found, why, how it was split,
    what was left out. `sources` are annotation files, where labels are not in pictures.
    `issues` are what the reader found wrong and went on. `whole` is the only pair on disk where the
    pairs are blocks of it. With `multilabel`, classes overlap: `read_labels` gives layers
    (C, H, W) uint8, 1 where a pixel is of the class, 0 where not, 255 for void. `read_alpha` reads
    what is learned of alpha mattes with `matte`: levels (H, W), as AlphaReader.
    """

    format: str
    root: Path
    classes: Classes
    splits: dict[str, tuple[Pair, ...]]
    read_labels: Callable[[Path], Array]
    notes: tuple[str, ...]
    sources: tuple[Path, ...] = ()
    issues: tuple[Issue, ...] = ()
    whole: Pair | None = None
    multilabel: bool = False
    read_alpha: Callable[[Path], Array] | None = None

    def __repr__(self) -> str:
        counts = ", ".join(f"{split} {len(pairs)}" for split, pairs in self.splits.items())
        classes = ", ".join(self.classes.names)
        return f"<DataSet {self.root} ({self.format}): {counts} images; classes {classes}>"

    def pairs(self, split: str) -> tuple[Pair, ...]:
        """The pairs of a split, or of ALL. Raises DataError naming the splits there are, and what
        to do where one small image has no val split.
        """
        if split == ALL:
            return tuple(self._all_pairs())
        if split not in self.splits:
            advice = f"choose one of {', '.join(self.splits)}, or {ALL}"
            if split == "val" and len(self.splits.get("train", ())) == 1:
                advice += "; to train, add an image, or label more of the only one"
            raise DataError(f"{self.root}: there is no split '{split}'; {advice}")
        return self.splits[split]

    def _all_pairs(self) -> Iterator[Pair]:
        """Every pair; of those that are called alike the name begins with their split."""
        names = Counter(pair.name for pairs in self.splits.values() for pair in pairs)
        for split, pairs in self.splits.items():
            for pair in pairs:
                alike = names[pair.name] > 1
                yield replace(pair, name=f"{split}/{pair.name}") if alike else pair

    def scored(self, split: str | None = None) -> str:
        """`split`, or where that is None the one to score on: test where there is one, val
        otherwise.
        """
        return split or ("test" if "test" in self.splits else "val")

    def fingerprint(self) -> str:
        """SHA-256 (hex) over format, classes, every pair's split, name and file sizes, and the
        contents of `sources`; not over the root's place.
        """
        names = self.classes.names
        if self.classes.guessed:
            # As earlier versions called them, so that their runs go on.
            names = tuple(map(name_of_value, range(len(names))))
        format = f"{self.format} multilabel" if self.multilabel else self.format
        header = json.dumps([format, names, self.classes.palette])
        digest = hashlib.sha256(header.encode())
        # Sizes, not contents: the images of a set are not read to compare it with another.
        rows = []
        for split, pairs in self.splits.items():
            for pair in pairs:
                file = self.whole or pair
                rows.append((split, pair.name, _file_size(file.image), _file_size(file.mask)))
        for row in sorted(rows):
            digest.update(json.dumps(row).encode())
        for path in self.sources:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def first(names: Iterable[str]) -> str:
    """The first five names, and how many more there are."""
    all_names = list(names)
    text = ", ".join(all_names[:_MAX_NAMES])
    if len(all_names) > _MAX_NAMES:
        text += f" and {len(all_names) - _MAX_NAMES} more"
    return text


def path_within(root: Path, image: Path) -> str:
    """What an image is called in a data set wherever that lies; its whole path where it lies
    elsewhere.
    """
    return image.relative_to(root).as_posix() if image.is_relative_to(root) else image.as_posix()


def images_in(folder: Path) -> list[Path]:
    """The pictures in `folder` by name, none where it is not a folder."""
    return list_images(folder) if folder.is_dir() else []


def pictures_in(folder: Path) -> list[Path]:
    """Those of `images_in` but arrays, which may be of anything."""
    return [path for path in images_in(folder) if path.suffix.lower() != NPY]


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; it was there when the data set was opened, open it again"
        ) from error
