"""Bands that lie in a file each, as satellites' do, put together to one file for each scene."""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.types import first
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.atomic import atomic_folder
from pixelwise.io.gdal import open_dataset, quiet_rasterio
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

STEM = "{stem}"
# Rows that are read and written together.
_ROWS = 256
# Of a coarse pixel, how far two files' borders may lie apart.
_TOLERANCE = 0.5
_NAME = re.compile(r"[^=,]+")


@dataclass(frozen=True)
class Stacked:
    """What was written: the files, and the names of their bands."""

    files: tuple[Path, ...]
    names: tuple[str, ...]


def stack(
    folder: str | Path,
    out: str | Path,
    *,
    bands: Mapping[str, str] | Sequence[str],
    progress: Progress | None = None,
) -> Stacked:
    """Write a TIFF file for each scene in `folder` to the new folder `out`, called as the scene.

    bands: the files by the names of the bands, in their order, such as
    {"red": "{stem}_B04.tif", "nir": "{stem}_B08.tif"}, or "red={stem}_B04.tif" each; a pattern may
    name a folder. Files of coarser pixels are resampled bilinearly to the finest; nodata of one
    band is nodata of all. The georeference is the finest file's. Raises ConfigError for patterns
    that cannot be and without rasterio, DataError where a scene lacks a band or its files lie in
    different places, OutputError where `out` exists.
    """
    progress = progress or default_progress()
    patterns = parse_bands(bands)
    root = Path(folder)
    scenes = _find_scenes(root, patterns)
    written = []
    with atomic_folder(Path(out), root) as stage:
        for stem in progress.track(scenes, what="stacking", total=len(scenes)):
            files = [root / pattern.replace(STEM, stem) for pattern in patterns.values()]
            _write_scene(stage / f"{stem}.tif", files, tuple(patterns))
            written.append(Path(out) / f"{stem}.tif")
    return Stacked(tuple(written), tuple(patterns))


def parse_bands(bands: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """The pattern of each band by its name. Raises ConfigError."""
    if isinstance(bands, Mapping):
        pairs = list(bands.items())
    else:
        parts = [part for text in bands for part in text.split(",") if part.strip()]
        pairs = []
        for part in parts:
            name, equals, pattern = part.partition("=")
            if not equals:
                raise ConfigError(f"band '{part}': give NAME=PATTERN, as in red={STEM}_B04.tif")
            pairs.append((name, pattern))
    patterns = dict[str, str]()
    for name, pattern in ((name.strip().lower(), pattern.strip()) for name, pattern in pairs):
        if not _NAME.fullmatch(name) or pattern.count(STEM) != 1:
            raise ConfigError(
                f"band {name}={pattern}: a pattern names a file with {STEM} in it once, as in "
                f"red={STEM}_B04.tif"
            )
        if name in patterns:
            raise ConfigError(f"band {name} is given twice; give each another name")
        patterns[name] = pattern
    if not patterns:
        raise ConfigError(f"give the bands, as in red={STEM}_B04.tif,nir={STEM}_B08.tif")
    return patterns


def _find_scenes(root: Path, patterns: Mapping[str, str]) -> list[str]:
    """The stems of all scenes. Raises DataError where one lacks a band, or there is none."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the one that holds the bands' files")
    stems = {name: _find_stems(root, pattern) for name, pattern in patterns.items()}
    every = sorted(set().union(*stems.values()))
    if not every:
        name, pattern = next(iter(patterns.items()))
        raise DataError(f"{root}: holds no file called {pattern}, the pattern of {name}")
    missing = [
        f"{stem} ({', '.join(absent)})"
        for stem in every
        if (absent := [name for name, own in stems.items() if stem not in own])
    ]
    if missing:
        raise DataError(
            f"{root}: {len(missing)} of {len(every)} scenes lack bands: {first(missing)}; add "
            "their files, or move the others away"
        )
    return every


def _find_stems(root: Path, pattern: str) -> set[str]:
    before, _, behind = pattern.partition(STEM)
    folder, _, prefix = before.rpartition("/")
    place = root / folder
    if "/" in behind:
        raise ConfigError(f"pattern {pattern}: {STEM} belongs to the file's name, not a folder's")
    names = [path.name for path in place.iterdir() if path.is_file()] if place.is_dir() else []
    return {
        name[len(prefix) : len(name) - len(behind)]
        for name in names
        if len(name) > len(prefix) + len(behind)
        and name.startswith(prefix)
        and name.endswith(behind)
    }


def _write_scene(target: Path, files: Sequence[Path], names: Sequence[str]) -> None:
    rasterio = quiet_rasterio()
    with ExitStack() as opened:
        sources = [opened.enter_context(open_dataset(path)) for path in files]
        finest = max(sources, key=lambda source: (source.width, source.height))
        for path, source in zip(files, sources, strict=True):
            _check_place(path, source, Path(finest.name), finest)
        kind = np.result_type(*(source.dtypes[0] for source in sources)).name
        profile = {
            "driver": "GTiff",
            "width": finest.width,
            "height": finest.height,
            "count": len(files),
            "dtype": kind,
            "crs": finest.crs,
            "transform": finest.transform,
            "tiled": True,
            "compress": "deflate",
            "photometric": "minisblack",
            "BIGTIFF": "IF_SAFER",
        }
        opened.enter_context(rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True))
        dataset = opened.enter_context(rasterio.open(target, "w", **profile))
        for number, name in enumerate(names, 1):
            dataset.set_band_description(number, name)
        for top in range(0, finest.height, _ROWS):
            height = min(_ROWS, finest.height - top)
            strips = [_read_strip(source, finest, top, height) for source in sources]
            window = ((top, top + height), (0, finest.width))
            values = np.stack([strip for strip, _ in strips])
            dataset.write(values.astype(kind), window=window)
            valid = np.logical_and.reduce([mask for _, mask in strips])
            dataset.write_mask(valid, window=window)


def _read_strip(
    source: Any, finest: Any, top: int, height: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Some rows of a band at the finest size, and where they are valid."""
    rasterio = quiet_rasterio()
    rows = source.height / finest.height
    window = rasterio.windows.Window(0, top * rows, source.width, height * rows)
    shape = (height, finest.width)
    way = rasterio.enums.Resampling
    values = source.read(1, window=window, out_shape=shape, resampling=way.bilinear)
    mask = source.read_masks(1, window=window, out_shape=shape, resampling=way.nearest) > 0
    if values.dtype.kind == "f":
        mask &= np.isfinite(values)
    return values, mask


def _check_place(path: Path, source: Any, finest_path: Path, finest: Any) -> None:
    """Raises DataError for a file of several bands, or that does not lie where the finest does."""
    if source.count != 1:
        raise DataError(
            f"{path}: has {source.count} bands, and one is stacked of each file; split it first, "
            "as with `gdal_translate -b 1 IN OUT`"
        )
    if source.crs != finest.crs:
        raise DataError(
            f"{path} and {finest_path.name} are in different coordinates ({source.crs}, "
            f"{finest.crs}); bring them to one, as with gdalwarp"
        )
    if finest.crs is None:
        is_multiple = finest.width % source.width == 0 and finest.height % source.height == 0
        alike = finest.width * source.height == finest.height * source.width
        if not (is_multiple and alike):
            raise DataError(
                f"{path} is {source.height} x {source.width} pixels and {finest_path.name} "
                f"{finest.height} x {finest.width} (height x width): give files of one size, or of "
                "a whole part of it"
            )
        return
    reach = _TOLERANCE * max(abs(source.transform.a), abs(source.transform.e))
    gaps = [abs(own - other) for own, other in zip(source.bounds, finest.bounds, strict=True)]
    if max(gaps) > reach:
        raise DataError(
            f"{path} and {finest_path.name} do not cover the same ground (their borders lie up to "
            f"{max(gaps):g} apart); cut them alike, as with `gdalwarp -te`"
        )
