"""nnU-Net's raw data: imagesTr/NAME_0000.png, labelsTr/NAME.png and dataset.json.

Source: Isensee et al., nnU-Net, 2021, and its description of the format.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from pixelwise.datasets.class_files import find_declared_classes
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pairing import list_readable, pair_files
from pixelwise.datasets.types import DataOptions, DataSet, Pair, images_in
from pixelwise.errors import DataError
from pixelwise.io.volumes import is_volume

LAYOUT = "imagesTr/NAME_0000.png, labelsTr/NAME.png and dataset.json (nnU-Net, pictures)"

_FOLDERS = {"train": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")}
_CHANNEL = re.compile(r".*_(\d{4})")
_VOLUMES = (".nii.gz", ".nii", ".mha", ".nrrd")


def matches(root: Path) -> bool:
    """Whether the folders of the training images stand at `root`."""
    return all((root / name).is_dir() for name in _FOLDERS["train"])


def read(root: Path, options: DataOptions) -> DataSet:
    """Open nnU-Net's raw data. Raises DataError for volumes, for several files of channels an
    image, and for what `pair_files` refuses.
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of nnU-Net's raw data. Raises DataError for another layout and for volumes."""
    if not matches(root):
        raise DataError(f"{root}: not nnU-Net's raw data; it needs {LAYOUT}")
    splits: dict[str, tuple[Pair, ...]] = {}
    issues: list[Issue] = []
    notes = ["format nnunet: imagesTr and labelsTr"]
    folders: list[Path] = []
    for split, (image_name, mask_name) in _FOLDERS.items():
        images = root / image_name
        masks = root / mask_name
        if split == "test" and not images_in(masks):
            if images.is_dir():
                text = f"there are no masks in {mask_name}/"
                issues.append(Issue("split-without-masks", images, text))
                notes.append(f"test: left out, as {text}")
            continue
        _check_channels(images)
        files, unreadable = list_readable(images)
        mask_files, unreadable_masks = list_readable(masks)
        pairing = pair_files(
            files, mask_files, options, where=images, masks_in=masks, image_stem=_without_channel
        )
        splits[split] = pairing.pairs
        issues += [*unreadable, *unreadable_masks, *pairing.issues]
        notes += pairing.notes
        folders += [images, masks]
    declared, class_issues = find_declared_classes(root)
    return Index(
        "nnunet",
        root,
        splits,
        (*issues, *class_issues),
        tuple(notes),
        declared=declared,
        folders=tuple(folders),
        hold_test=set(splits) == {"train"},
    )


def _without_channel(stem: str) -> str:
    return stem[:-5] if _CHANNEL.fullmatch(stem) else stem


def _check_channels(folder: Path) -> None:
    """Raise DataError for volumes, and for images whose channels are files of their own."""
    volume = _first_volume(folder.iterdir())
    if volume:
        advice = "write its slices as 2-D PNG or TIFF, or convert it to .nii.gz"
        if is_volume(volume):
            advice = f"`pixelwise slice {folder.parent} --out DATA` writes its slices"
        raise DataError(f"{volume}: a volume, and a data set is of pictures: {advice}")
    channels = {match[1] for path in images_in(folder) if (match := _CHANNEL.fullmatch(path.stem))}
    if len(channels) > 1:
        raise DataError(
            f"{folder}: {len(channels)} files of channels an image (_0000, _0001, ...); pixelwise "
            "reads one picture an image: join them to one RGB picture NAME_0000.png"
        )


def _first_volume(paths: Iterable[Path]) -> Path | None:
    volumes = (path for path in paths if path.name.lower().endswith(_VOLUMES))
    return min(volumes, default=None)
