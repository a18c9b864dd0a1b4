"""Volumes to a data set of their slices."""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, name_of_value
from pixelwise.datasets.groups import GROUPS_FILE
from pixelwise.datasets.types import first
from pixelwise.errors import DataError, unknown_choice_error
from pixelwise.io.atomic import atomic_folder
from pixelwise.io.band_files import BandValues, write_bands
from pixelwise.io.text import read_text
from pixelwise.io.volumes import (
    PLANES,
    VOLUMES,
    Volume,
    list_volumes,
    read_volume,
    volume_stem,
)
from pixelwise.io.write_images import write_image
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

# The training folders of nnU-Net and of the Medical Segmentation Decathlon, and their table.
_IMAGES = "imagesTr"
_LABELS = "labelsTr"
_TABLE = "dataset.json"
# Where that table names the kinds of scan, in nnU-Net's second version and before.
_KINDS = ("channel_names", "modality")
_IGNORE = "ignore"
# The number of a kind of scan at the end of a name, as nnU-Net writes it.
_NUMBERED = re.compile(r"(.+)_(\d{4})")
# Of a voxel, how far two volumes of one scan may lie apart.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Sliced:
    """What was written: how many slices of how many volumes, with which bands; `classes` by their
    value in the masks, none without labels.
    """

    slices: int
    volumes: int
    bands: int
    classes: Mapping[int, str]


def slice_volumes(
    folder: str | Path,
    out: str | Path,
    *,
    labels: str | Path | None = None,
    plane: str = "axial",
    labelled: bool = False,
    progress: Progress | None = None,
) -> Sliced:
    """Write the slices of the volumes in `folder` to the new folder `out`: values as TIFF
    files in images/, labels as PNG files in masks/, and groups.csv, which keeps the slices of a
    volume in one split.

    folder: NIfTI files, or folders of DICOM slices, of one series each; or a data set of nnU-Net,
    with imagesTr, labelsTr and dataset.json. Files called NAME_0000.nii.gz, NAME_0001.nii.gz and
    so on are bands of one volume. labels: a folder of volumes of class ids with the same names.
    labelled: leave slices out that show no class but 0.
    Raises ConfigError for an unknown plane and without nibabel and rasterio, DataError where
    volumes and labels do not fit together, ImageError for one that cannot be read, OutputError
    where `out` exists.
    """
    if plane not in PLANES:
        raise unknown_choice_error("plane", plane, PLANES)
    progress = progress or default_progress()
    root = Path(folder)
    images, truth, table = _find_folders(root, labels)
    volumes = group_volumes(find_volume_files(images))
    if not volumes:
        raise DataError(
            f"{images}: holds no volume ({' or '.join(VOLUMES)}) and no folder of DICOM slices"
        )
    masks = _match_labels(volumes, images, truth) if truth else {}
    target = Path(out)
    ids = set[int]()
    rows = list[tuple[str, str]]()
    with atomic_folder(target, root) as stage:
        for name, files in progress.track(volumes.items(), what="slicing", total=len(volumes)):
            scan = read_scan(files, plane)
            mask = _read_labels(masks[name], scan[0], table) if masks else None
            ids |= set() if mask is None else set(np.unique(mask).tolist())
            written = _write_slices(stage, name, scan, mask, table.bands, labelled=labelled)
            rows += [(file, name) for file in written]
        if not rows:
            raise DataError(f"{truth}: no slice shows a class but 0; leave --labelled out")
        _write_table(stage / GROUPS_FILE, rows)
        classes = _name_classes(ids, table) if masks else {}
        if masks:
            text = json.dumps({str(raw): name for raw, name in classes.items()}, indent=2)
            (stage / "classes.json").write_text(text + "\n", encoding="utf-8")
    return Sliced(len(rows), len(volumes), len(next(iter(volumes.values()))), classes)


def find_volume_files(folder: Path) -> list[Path]:
    """The volumes directly in a folder, by name, or the folder itself where it holds DICOM
    slices. Raises DataError.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one of volumes ({' or '.join(VOLUMES)})")
    return list_volumes(folder)


def group_volumes(files: list[Path]) -> dict[str, list[Path]]:
    """The files of each volume by its name: one, or one for each band in order.

    Raises DataError where volumes have other numbers of bands, or two files one name.
    """
    volumes = dict[str, list[Path]]()
    names = dict[str, Path]()
    for path in files:
        stem = volume_stem(path)
        if stem in names:
            raise DataError(f"{path} and {names[stem].name} are of one name; move one away")
        names[stem] = path
        match = _NUMBERED.fullmatch(stem)
        volumes.setdefault(match[1] if match else stem, []).append(path)
    counts = {name: len(own) for name, own in volumes.items()}
    usual = max(counts.values(), default=0)
    short = [f"{name} ({count})" for name, count in counts.items() if count != usual]
    if short:
        raise DataError(
            f"{files[0].parent}: most volumes have {usual} files (NAME_0000, NAME_0001, ...), but "
            f"not {first(short)}; add what lacks, or move them away"
        )
    return volumes


def read_scan(files: list[Path], plane: str) -> list[Volume]:
    """The bands of a volume. Raises DataError where they do not lie in the same place."""
    bands = [read_volume(path, plane) for path in files]
    for band in bands[1:]:
        _check_place(band, bands[0])
    return bands


@dataclass(frozen=True)
class _Table:
    """What dataset.json says: the classes by their value, the value of void, the bands' names."""

    classes: Mapping[int, str]
    void: int | None
    bands: tuple[str, ...]


def _find_folders(root: Path, labels: str | Path | None) -> tuple[Path, Path | None, _Table]:
    """The folders of volumes and of labels, and what the table beside them says."""
    if labels is not None:
        place = Path(labels)
        tables = (root / _TABLE, root.parent / _TABLE, place.parent / _TABLE)
        return root, place, _read_table(next((path for path in tables if path.is_file()), None))
    if (root / _IMAGES).is_dir():
        table = root / _TABLE
        own = root / _LABELS
        return (
            root / _IMAGES,
            own if own.is_dir() else None,
            _read_table(table if table.is_file() else None),
        )
    return root, None, _Table({}, None, ())


def _read_table(path: Path | None) -> _Table:
    if path is None:
        return _Table({}, None, ())
    try:
        content = json.loads(read_text(path))
        pairs = [_parse_label(key, value) for key, value in content.get("labels", {}).items()]
        kinds: dict[str, Any] = next((content[key] for key in _KINDS if content.get(key)), {})
        bands = tuple(str(kinds[key]) for key in sorted(kinds, key=int))
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{path}: is no table of nnU-Net ({error}); labels are a name and a number each, and "
            "regions of several are not read"
        ) from error
    void = next((raw for raw, name in pairs if name == _IGNORE), None)
    return _Table({raw: name for raw, name in pairs if raw != void}, void, bands)


def _parse_label(key: str, value: Any) -> tuple[int, str]:
    """The value and the name of a class, whichever of the two comes first."""
    return (int(key), str(value)) if key.isdigit() else (int(value), key)


def _match_labels(volumes: Mapping[str, list[Path]], images: Path, truth: Path) -> dict[str, Path]:
    masks = {volume_stem(path): path for path in find_volume_files(truth)}
    missing = [name for name in volumes if name not in masks]
    if missing:
        raise DataError(
            f"{truth}: no labels for {first(missing)} of {images}; labels are called as their "
            "volume, without the number of the band"
        )
    extra = [name for name in masks if name not in volumes]
    if extra:
        raise DataError(f"{truth}: labels of {first(extra)} have no volume in {images}")
    return masks


def _read_labels(path: Path, scan: Volume, table: _Table) -> NDArray[np.uint8]:
    """(slices, H, W), void where the table says so. Raises DataError for what is no class ids."""
    labels = read_volume(path, scan.plane)
    _check_place(labels, scan)
    raw = labels.values
    low = raw.min()
    high = raw.max()
    if not (np.isfinite(low) and low >= 0 and high <= VOID) or not _is_whole(raw):
        raise DataError(
            f"{path}: holds values from {low:g} to {high:g}; labels are whole numbers from 0 to "
            f"{VOID}, of which {VOID} is void"
        )
    mask = raw.astype(np.uint8)
    if table.void is not None:
        mask[mask == table.void] = VOID
    unknown = [value for value in np.unique(mask) if value != VOID and value not in table.classes]
    if table.classes and unknown:
        raise DataError(
            f"{path}: holds {first([str(value) for value in unknown])}, which {_TABLE} does not "
            "name; add them to its labels"
        )
    return mask


def _is_whole(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "ui" or bool(np.all(np.rint(values) == values))


def _check_place(volume: Volume, other: Volume) -> None:
    if volume.values.shape != other.values.shape:
        raise DataError(
            f"{volume.path} has {volume.describe()} and {other.path.name} {other.describe()}; "
            "resample one to the other"
        )
    voxel = min(volume.spacing)
    if not np.allclose(volume.affine, other.affine, rtol=1e-3, atol=_TOLERANCE * voxel):
        raise DataError(
            f"{volume.path} and {other.path.name} lie in different places in the scanner; resample "
            "one to the other, or copy the header of the right one"
        )


def _write_slices(
    stage: Path,
    name: str,
    scan: list[Volume],
    mask: NDArray[np.uint8] | None,
    bands: tuple[str, ...],
    *,
    labelled: bool,
) -> list[str]:
    """The names of the images written."""
    names = bands if len(bands) == len(scan) else ("",) * len(scan)
    written = []
    for number in range(len(scan[0].values)):
        if mask is not None:
            shown = mask[number]
            if labelled and not ((shown != 0) & (shown != VOID)).any():
                continue
            write_image(stage / "masks" / f"{name}_{number:04d}.png", shown)
        values = np.stack([volume.values[number] for volume in scan])
        valid = np.isfinite(values) if values.dtype.kind == "f" else None
        if valid is not None and valid.all():
            valid = None
        file = f"{name}_{number:04d}.tif"
        write_bands(stage / "images" / file, BandValues(values, valid, names))
        written.append(file)
    return written


def _write_table(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "group"))
        table.writerows(rows)


def _name_classes(ids: set[int], table: _Table) -> dict[int, str]:
    if table.classes:
        return dict(sorted(table.classes.items()))
    named = {raw: name_of_value(raw) for raw in sorted(ids - {VOID})}
    return named | ({0: "background"} if 0 in named else {})
