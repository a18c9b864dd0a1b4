"""Pairs of image and mask, and what a data set is once its reader has found it."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.classes import Classes
from pixelwise.datasets.options import DataOptions as DataOptions  # noqa: PLC0414  also found here
from pixelwise.errors import DataError
from pixelwise.io.images import Array, list_images

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Folder names of a split, in lower case, and the name it gets here."""

ENOUGH_FOR_TEST = 20
_ORDER = ("train", "val", "test")
_SHOWN = 5
_MASK_NAME = re.compile(
    r"(.+?)[_-](?:masks?|labels?|labelids|labeltrainids|gt|seg|segmentation|annotation|matte|l)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
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
    """

    format: str
    root: Path
    classes: Classes
    splits: dict[str, tuple[Pair, ...]]
    read_labels: Callable[[Path], Array]
    notes: tuple[str, ...]
    sources: tuple[Path, ...] = ()

    def pairs(self, split: str) -> tuple[Pair, ...]:
        """The pairs of a split. Raises DataError naming the splits there are."""
        if split not in self.splits:
            raise DataError(
                f"{self.root}: there is no split '{split}'; choose one of {', '.join(self.splits)}"
            )
        return self.splits[split]

    def scored(self, split: str | None = None) -> str:
        """`split`, or where that is None the one to score on: test where there is one, val
        otherwise.
        """
        return split or ("test" if "test" in self.splits else "val")

    def fingerprint(self) -> str:
        """SHA-256 (hex) over format, classes, every pair's split, name and file sizes, and the
        contents of `sources`; not over the root's place.
        """
        digest = hashlib.sha256(
            json.dumps([self.format, self.classes.names, self.classes.palette]).encode()
        )
        rows = [
            (split, pair.name, _file_size(pair.image), _file_size(pair.mask))
            for split, pairs in self.splits.items()
            for pair in pairs
        ]
        for row in sorted(rows):
            digest.update(json.dumps(row).encode())
        for path in self.sources:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def hold_out(
    pairs: Sequence[Pair], fraction: float, seed: int
) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """(rest, held): `fraction` of the pairs held out, both sorted by name.

    Which ones follows from the SHA-256 of seed and name alone, so neither the order of files nor
    the machine matters. At least one is held and one is left where there are two or more pairs.
    """
    count = max(1, min(round(fraction * len(pairs)), len(pairs) - 1)) if len(pairs) > 1 else 0
    drawn = sorted(
        pairs, key=lambda pair: (hashlib.sha256(f"{seed}:{pair.name}".encode()).digest(), pair.name)
    )
    return tuple(sorted(drawn[count:], key=_by_name)), tuple(sorted(drawn[:count], key=_by_name))


def complete_splits(
    splits: Mapping[str, tuple[Pair, ...]], options: DataOptions, *, hold_test: bool = False
) -> tuple[dict[str, tuple[Pair, ...]], tuple[str, ...]]:
    """The splits in the order train, val, test, with a missing val held out of train, and notes
    that say so.

    With `hold_test`, a test split as large as val is held out as well when there are 20 pairs or
    more. An image that is to be trained on and scored is noted without `hold_out`, else DataError.
    """
    done = dict(splits)
    notes = _leaks(splits, options)
    train = done.get("train", ())
    total = len(train)
    if "val" not in done and total > 1 and options.hold_out:
        train, done["val"] = hold_out(train, options.val_fraction, options.seed)
        if hold_test and "test" not in done and total >= ENOUGH_FOR_TEST:
            train, done["test"] = hold_out(train, len(done["val"]) / len(train), options.seed)
        how = f"({100 * options.val_fraction:g} %, seed {options.seed})"
        new = [split for split in ("val", "test") if split in done and split not in splits]
        notes += [f"{split}: {len(done[split])} of {total} images held out {how}" for split in new]
        done["train"] = train
    if total == 1 and "val" not in done and options.hold_out:
        notes.append("val: none, as there is only one image to train on")
    ordered = {split: done[split] for split in _ORDER if done.get(split)}
    return ordered, (
        ", ".join(f"{split} {len(pairs)}" for split, pairs in ordered.items()) + " images",
        *notes,
    )


def _leaks(splits: Mapping[str, tuple[Pair, ...]], options: DataOptions) -> list[str]:
    """A line for each split that holds images of train as well."""
    taught = {pair.image for pair in splits.get("train", ())}
    found = []
    for split in ("val", "test"):
        both = [pair.name for pair in splits.get(split, ()) if pair.image in taught]
        if both:
            found.append(
                f"{first(both)}: in train and in {split} as well ({len(both)} of "
                f"{len(splits[split])})"
            )
    if found and options.hold_out:
        raise DataError(
            f"{'; '.join(found)}; scores would be too good: take them out of one, or let "
            "`pixelwise check --fix` do it"
        )
    return found


def pair_up(
    images: Iterable[Path], masks: Iterable[Path], options: DataOptions, *, where: Path
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Pairs by file name, sorted, and notes on what was left out.

    A mask is called as its image, or so with an ending such as `_mask`, `_label`, `_labelIds`,
    `_gt` or `_matte`. Raises DataError naming up to five images without mask and masks without
    image (unless `skip_unpaired`), two images or two masks of one name, and a folder in which
    nothing pairs.
    """
    by_image = _unique(((path.stem, path) for path in images), "images")
    by_mask = _unique(
        ((image_name(path.stem, by_image), path) for path in masks), "masks for one image"
    )
    bare = [path for name, path in by_image.items() if name not in by_mask]
    lone = [path for name, path in by_mask.items() if name not in by_image]
    pairs = tuple(
        Pair(name, by_image[name], by_mask[name]) for name in sorted(by_image) if name in by_mask
    )
    if not by_image:
        raise DataError(
            f"{where}: no images here; put them in as .jpg or .png and their masks beside them"
        )
    if (bare or lone) and not options.skip_unpaired:
        raise DataError(
            f"{where}: {_unpaired(bare, lone)} (of {len(by_image)} images and {len(by_mask)} "
            "masks); "
            "add or rename them, or leave them out with --skip-unpaired"
        )
    if not pairs:
        raise DataError(
            f"{where}: {_unpaired(bare, lone)}; a mask must be called as its image: a.jpg and a.png"
        )
    return pairs, (f"left out in {where.name}: {_unpaired(bare, lone)}",) if bare or lone else ()


def first(names: Iterable[str]) -> str:
    """The first five names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def split_folders(folder: Path) -> dict[str, Path]:
    """Folders in `folder` that are named as a split, by the split's name here. DataError when two
    claim one split.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = SPLITS.get(path.name.lower())
        if split is None or not path.is_dir():
            continue
        if split in found:
            raise DataError(
                f"{folder}: both {found[split].name}/ and {path.name}/ are {split}; keep one "
                "of them"
            )
        found[split] = path
    return found


def images_in(folder: Path) -> list[Path]:
    """The pictures in `folder` by name, none where it is not a folder."""
    return list_images(folder) if folder.is_dir() else []


def _unpaired(bare: list[Path], lone: list[Path]) -> str:
    parts = []
    if bare:
        parts.append(
            f"{len(bare)} image{'s' * (len(bare) > 1)} without mask ({first(p.name for p in bare)})"
        )
    if lone:
        parts.append(
            f"{len(lone)} mask{'s' * (len(lone) > 1)} without image ({first(p.name for p in lone)})"
        )
    return " and ".join(parts)


def _unique(named: Iterable[tuple[str, Path]], what: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in named:
        if name in found:
            raise DataError(
                f"{path.parent}: two {what}, {found[name].name} and {path.name}; remove or "
                "rename one"
            )
        found[name] = path
    return found


def image_name(stem: str, images: Mapping[str, object]) -> str:
    """The name of the image that a mask called `stem` belongs to: its own, or that without `_mask`
    and the like.
    """
    match = None if stem in images else _MASK_NAME.fullmatch(stem)
    return match[1] if match and match[1] in images else stem


def _by_name(pair: Pair) -> str:
    return pair.name


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; it was there when the data set was opened, open it again"
        ) from error
