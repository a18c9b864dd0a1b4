"""Splits: which folders are one, and which images are held out where there is none."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pixelwise.datasets.groups import Groups
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.types import DataOptions, Pair, first, path_within
from pixelwise.errors import DataError

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "test": "test",
    "testing": "test",
}
"""Folder names of a split, in lower case, and the name it gets here."""

# Words beside that of the split, as in TrainDataset.
_NEUTRAL = re.compile(r"[_\-. ]?(?:data)?set$|[_\-. ]?(?:data|split)$", re.IGNORECASE)
# Both of which one is held out; where train or val is here too, it is made of these.
_TRAINVAL = re.compile(r"train[_\-. ]?val", re.IGNORECASE)
# As in train2017.
_YEAR = re.compile(r"[_\-. ]?(?:19|20)\d\d$")

SPLIT_ORDER = ("train", "val", "test")

ENOUGH_FOR_TEST = 20
"""Images from which on a test split is held out as well as a val split."""


def split_of(name: str) -> str:
    """The split that a folder or list of that name holds; empty where it is none."""
    names = (name, _NEUTRAL.sub("", name), _YEAR.sub("", name))
    return next((SPLITS[key] for key in map(str.lower, names) if key in SPLITS), "")


def hold_out(
    pairs: Sequence[Pair], fraction: float, seed: int, groups: Groups | None = None
) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """(rest, held): `fraction` of the pairs held out, both sorted by name; of a group all or none.

    Which ones follows from the SHA-256 of seed and name (of the group, if any) alone, so neither
    the order of files nor the machine matters. At least one image or group is held and one is left
    where there are two or more.
    """
    # By the hash of the name, not by a shuffle: an image that is added moves no other.
    units = sorted(_units(pairs, groups), key=lambda unit: (draw_key(unit[0], seed), unit[0]))
    count = max(1, round(fraction * len(pairs)))
    held_out: list[Pair] = []
    chosen = set[int]()
    for place, (_, members) in enumerate(units):
        if len(chosen) == len(units) - 1:
            break
        # a group that takes more than is missing is held out where that is nearer to the count
        if 2 * (count - len(held_out)) >= len(members):
            held_out += members
            chosen.add(place)
    if not chosen and len(units) > 1:
        place = min(range(len(units)), key=lambda place: len(units[place][1]))
        held_out += units[place][1]
        chosen.add(place)
    rest = [pair for place, unit in enumerate(units) if place not in chosen for pair in unit[1]]
    return tuple(sorted(rest, key=_name)), tuple(sorted(held_out, key=_name))


def _units(pairs: Sequence[Pair], groups: Groups | None) -> list[tuple[str, list[Pair]]]:
    """What is held out as one, by name: each group, or each image."""
    if groups is None:
        return [(pair.name, [pair]) for pair in pairs]
    units: dict[str, list[Pair]] = {}
    for pair in pairs:
        units.setdefault(groups.of(pair), []).append(pair)
    return list(units.items())


def draw_key(name: str, seed: int) -> bytes:
    """What images are sorted by to hold out the first of them: the SHA-256 of seed and name."""
    text = f"{seed}:{name}"
    # File names may hold bytes that are not UTF-8.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def complete_splits(
    splits: Mapping[str, tuple[Pair, ...]],
    options: DataOptions,
    *,
    hold_test: bool = False,
    groups: Groups | None = None,
    root: Path = Path(),
) -> tuple[dict[str, tuple[Pair, ...]], tuple[str, ...]]:
    """The splits in the order train, val, test, with a missing val held out of train where it has
    two images or more, or with the val that `options` name by paths within `root`, and notes that
    say so.

    With `hold_test`, a test split as large as val is held out as well when there are 20 pairs or
    more. `groups` are never divided. An image that is to be trained on and scored is noted without
    `hold_out`, else DataError, as where all images are of one group.
    """
    complete = dict(splits)
    notes = _find_leaks(splits, options)
    if groups:
        notes += [groups.describe(), *_find_divided(splits, groups)]
    train = splits.get("train", ())
    if options.hold_out and "val" not in splits and len(train) > 1:
        if groups and len(_units(train, groups)) == 1:
            raise DataError(
                f"all {len(train)} images are of one group by {groups.rule}: none can be held "
                "out; give a rule that tells them apart, or images of another group in val"
            )
        complete.update(_hold_out_splits(splits, options, groups, hold_test=hold_test))
        notes += _describe_held_out(splits, complete, len(train), options)
    if options.val_images:
        complete |= hold_out_named(complete, options.val_images, root)
        notes.append("val is the list of images that the options name")
    ordered = {split: complete[split] for split in SPLIT_ORDER if complete.get(split)}
    counts = ", ".join(f"{split} {len(pairs)}" for split, pairs in ordered.items())
    return ordered, (f"{counts} images", *notes)


def _hold_out_splits(
    splits: Mapping[str, tuple[Pair, ...]],
    options: DataOptions,
    groups: Groups | None,
    *,
    hold_test: bool,
) -> dict[str, tuple[Pair, ...]]:
    """Train without the pairs that are held out, and the splits of these."""
    total = len(splits["train"])
    train, val = hold_out(splits["train"], options.val_fraction, options.seed, groups)
    held_out = {"val": val}
    divisible = len(_units(train, groups)) > 1
    if hold_test and "test" not in splits and total >= ENOUGH_FOR_TEST and divisible:
        # As many as in val, so as a share of what val has left.
        fraction = len(val) / len(train)
        train, held_out["test"] = hold_out(train, fraction, options.seed, groups)
    return {**held_out, "train": train}


def _describe_held_out(
    on_disk: Mapping[str, tuple[Pair, ...]],
    splits: Mapping[str, tuple[Pair, ...]],
    total: int,
    options: DataOptions,
) -> list[str]:
    rule = f"({100 * options.val_fraction:g} %, seed {options.seed})"
    return [
        f"{split}: {len(splits[split])} of {total} images held out {rule}"
        for split in ("val", "test")
        if split in splits and split not in on_disk and not (options.val_images and split == "val")
    ]


def hold_out_named(
    splits: Mapping[str, tuple[Pair, ...]], names: Collection[str], root: Path
) -> dict[str, tuple[Pair, ...]]:
    """Train and val, put together and divided again: val are the images of those `names`, paths
    within `root`. Raises DataError where there is none of them.
    """
    pooled = sorted((*splits.get("train", ()), *splits.get("val", ())), key=_name)
    chosen = frozenset(names)
    held_out = [pair for pair in pooled if path_within(root, pair.image) in chosen]
    if not held_out:
        raise DataError(
            f"{root}: none of the images that were held out is here, such as {first(sorted(names))}"
            "; give the data that the model was trained on, or --split test or all"
        )
    train = tuple(pair for pair in pooled if path_within(root, pair.image) not in chosen)
    return {"train": train, "val": tuple(held_out)}


def _find_divided(splits: Mapping[str, tuple[Pair, ...]], groups: Groups) -> list[str]:
    """A line for each split on disk that has images of a group that is in train as well."""
    trained = {groups.by_image.get(pair.image) for pair in splits.get("train", ())} - {None}
    lines = []
    for split in ("val", "test"):
        scored = {groups.by_image.get(pair.image) for pair in splits.get(split, ())}
        shared = sorted(name for name in scored & trained if name)
        if shared:
            lines.append(
                f"groups in train and in {split} as well: {first(shared)}; scores may be too good"
            )
    return lines


def _find_leaks(splits: Mapping[str, tuple[Pair, ...]], options: DataOptions) -> list[str]:
    """A line for each split that holds images of train as well."""
    train_images = {pair.image for pair in splits.get("train", ())}
    leaks = []
    for split in ("val", "test"):
        pairs = splits.get(split, ())
        shared = [pair.name for pair in pairs if pair.image in train_images]
        if shared:
            count = f"{len(shared)} of {len(pairs)}"
            leaks.append(f"{first(shared)}: in train and in {split} as well ({count})")
    if leaks and options.hold_out:
        raise DataError(
            f"{'; '.join(leaks)}; scores would be too good: take them out of one, or let "
            "`pixelwise check --fix` do it"
        )
    return leaks


def split_folders(folder: Path) -> dict[str, Path]:
    """Folders in `folder` that are named as a split, by the split's name here. DataError when two
    claim one split.
    """
    named, issues = named_splits(folder)
    raise_first(issues)
    return dict(named)


def named_splits(folder: Path) -> tuple[list[tuple[str, Path]], list[Issue]]:
    """(split, folder) of the folders in `folder` that are named as a split, and an issue for each
    that claims the split of another.
    """
    named: list[tuple[str, Path]] = []
    issues = []
    used: dict[str, Path] = {}
    paths = sorted(folder.iterdir())
    is_split = any(split_of(path.name) in ("train", "val") for path in paths)
    for path in paths:
        split = split_of(path.name)
        if not split and not is_split and _TRAINVAL.fullmatch(path.name):
            split = "train"
        if not split or not path.is_dir():
            continue
        named.append((split, path))
        rival = used.setdefault(split, path)
        if rival is not path:
            refusal = f"{folder}: both {rival.name}/ and {path.name}/ are {split}; keep one of them"
            text = f"{rival.name}/ is {split} as well"
            issues.append(Issue("split-twice", path, text, refusal=refusal))
    return named, issues


def _name(pair: Pair) -> str:
    return pair.name
