"""Volumes to volumes of labels, slice by slice, with a table of what each class takes up."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.slice_volumes import find_volume_files, group_volumes, read_scan
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.inference.areas import continue_table, count_labels, describe_shares
from pixelwise.inference.default_folder import first_free
from pixelwise.inference.label_job import Predictions, check_options
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.threads import CALLS, map_ordered
from pixelwise.io.image_formats import list_images
from pixelwise.io.storage import is_uri
from pixelwise.io.volumes import (
    VOLUMES,
    Volume,
    is_volume,
    read_note,
    read_volume,
    write_label_volume,
)
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

TABLE = "volumes.csv"
COLUMNS = ("mask", "class", "voxels", "millilitres")

Volumes = Mapping[str, Sequence[Path]]
"""The files of each volume by its name, one for each band."""

_ENDING = VOLUMES[-1]


def find_volumes(inputs: Sequence[str | Path], options: PredictOptions, out: object) -> Volumes:
    """The volumes that a command is given, as files or folders of them; empty where it is given
    photos. Raises ConfigError for volumes beside photos, and for options that do not go with them
    or with photos.
    """
    names = [str(name) for name in inputs]
    series = options.plane is not None
    files = [path for name in names if not is_uri(name) for path in _list_files(Path(name), series)]
    if not files:
        if options.plane:
            raise ConfigError(
                "--plane is for volumes (.nii, .nii.gz, a folder of DICOM slices); leave it out"
            )
        return {}
    others = [name for name in names if is_uri(name) or not _list_files(Path(name), series)]
    if others:
        raise ConfigError(f"{others[0]}: volumes are labelled by themselves; give these alone")
    if out is not None and is_uri(str(out)):
        raise ConfigError(f"--out {out}: volumes are written to a folder on this machine")
    _check_volume_options(options)
    return group_volumes(files)


def predict_volumes(
    predictor: Predictor,
    volumes: Volumes,
    out: str | Path | None = None,
    *,
    choices: PredictOptions | None = None,
    recipe: Recipe,
    progress: Progress | None = None,
) -> Predictions:
    """Label NIfTI volumes slice by slice: NAME.nii.gz in the folder `out` lies where the volume
    does, and volumes.csv says how many millilitres each class takes up.

    Without `out` the folder is `labelled`, or the next that is free. Masks by the same model and
    options are left, without `overwrite`. Raises ConfigError for masks by another, and for options
    that do not go with volumes. A volume that cannot be read is in `failed` with the reason.
    """
    options = choices or PredictOptions()
    progress = progress or default_progress()
    _check_volume_options(options)
    predictor.check_one_class()
    names = predictor.classes.names
    check_options(options, names, ())
    note = _note(recipe)
    folder = Path(out) if out is not None else _choose_folder(volumes, note, progress)
    masks = {name: folder / f"{name}{_ENDING}" for name in volumes}
    done = _find_finished(masks, volumes, note, recipe)
    failed = dict[str, str]()
    pixels = np.zeros(256, np.int64)
    todo = [name for name in volumes if name not in done]
    with CALLS.expect_many():
        for name in progress.track(todo, what="predicting", total=len(todo), unit="volumes"):
            try:
                scan = read_scan(list(volumes[name]), options.plane or "axial")
                progress.log(f"{name}: {scan[0].describe()}")
                labels = _label(predictor, scan, options)
            except DataError as error:  # an ImageError among them
                progress.log(f"skipped: {error}")
                failed[name] = str(error)
                continue
            write_label_volume(masks[name], labels, scan[0], note)
            pixels += count_labels(labels.reshape(-1, labels.shape[-1]))
    written = [masks[name] for name in todo if name not in failed]
    if written or done:
        _write_table(folder / TABLE, [masks[name] for name in volumes if name not in failed], names)
    return Predictions(
        tuple(written),
        tuple(volumes[name][0] for name in done),
        tuple((volumes[name][0], reason) for name, reason in failed.items()),
        shares=describe_shares(pixels, names) if written else "",
        folder=str(folder),
    )


def _list_files(path: Path, series: bool) -> list[Path]:
    """The volumes that an input names: a file, or a folder without pictures; with `series`, a
    folder's DICOM slices are none, but a volume.
    """
    if is_volume(path):
        return [path]
    if series and path.is_dir() and (volumes := find_volume_files(path)):
        return volumes
    return find_volume_files(path) if path.is_dir() and not list_images(path) else []


def _check_volume_options(options: PredictOptions) -> None:
    unfit = [f"--also {extra}" for extra in options.extras]
    unfit += ["--overlay"] * options.overlay + ["--confidence"] * options.confidence
    unfit += ["--to"] * bool(options.to) + ["--frames"] * bool(options.frames)
    unfit += ["--smooth"] * bool(options.smooth)
    if unfit:
        raise ConfigError(
            f"{unfit[0]} is not for volumes: leave it out; what classes take up is in {TABLE}"
        )


def _note(recipe: Recipe) -> str:
    """What stands in the header of a mask, so that a second call knows it."""
    return f"pixelwise {hashlib.sha256(recipe.as_json().encode()).hexdigest()[:20]}"


def _choose_folder(volumes: Volumes, note: str, progress: Progress) -> Path:
    def is_free(name: str) -> bool:
        paths = [Path(name) / f"{volume}{_ENDING}" for volume in volumes]
        return all(read_note(path) == note for path in paths if path.exists())

    folder = first_free(is_free)
    progress.log(f"masks go to the folder {folder}")
    return Path(folder)


def _find_finished(
    masks: Mapping[str, Path], volumes: Volumes, note: str, recipe: Recipe
) -> list[str]:
    """The volumes whose masks the same model and options made. Raises ConfigError for others, and
    where a mask would take the place of a volume.
    """
    inputs = {path.resolve() for files in volumes.values() for path in files}
    for path in masks.values():
        if path.resolve() in inputs:
            raise ConfigError(f"--out {path.parent}: {path.name} would overwrite the volume itself")
    if recipe.overwrite:
        return []
    existing = [name for name, path in masks.items() if path.exists()]
    for name in existing:
        if read_note(masks[name]) != note:
            raise ConfigError(
                f"{masks[name]} exists and was made with another model or other options; give "
                "--overwrite to replace it, or another --out"
            )
    return existing


def _label(
    predictor: Predictor, scan: Sequence[Volume], options: PredictOptions
) -> NDArray[np.uint8]:
    """(slices, H, W)"""
    kind = scan[0].values.dtype
    if predictor.rule.channels is None and kind != np.uint8:
        raise DataError(
            f"{scan[0].path}: holds {kind}, and the model takes photos of 8 bits; train one on "
            "what `pixelwise slice` writes"
        )

    def label_slice(number: int) -> NDArray[np.uint8]:
        values = np.stack([volume.values[number] for volume in scan], axis=-1)
        return predictor.predict(
            values,
            tta=options.tta,
            scales=options.scales,
            smallest=options.smallest,
            largest=options.largest,
            threshold=options.threshold,
        ).labels

    try:
        return np.stack(list(map_ordered(label_slice, range(len(scan[0].values)))))
    except ImageError as error:
        raise DataError(f"{scan[0].path}: {error}") from error


def _write_table(path: Path, masks: Iterable[Path], names: tuple[str, ...]) -> None:
    with continue_table(path, masks, COLUMNS) as (write_rows, names_of_masks):
        for mask, name in names_of_masks.items():
            write_rows((name, *row) for row in _measure(read_volume(mask), names))


def _measure(mask: Volume, names: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    counts = count_labels(mask.values.reshape(-1, mask.values.shape[-1]))
    for label in np.flatnonzero(counts):
        millilitres = counts[label] * mask.voxel_volume / 1000
        yield "void" if label == VOID else names[label], counts[label], f"{millilitres:.3f}"
