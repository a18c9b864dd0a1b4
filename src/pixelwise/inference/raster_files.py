"""The TIFFs that a raster becomes: tiled, compressed, in the place of their source, and read back
before they count.
"""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes
from pixelwise.errors import ImageError, OutputError
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.atomic import atomic, make_temp_file, write_text
from pixelwise.io.gdal import explain_error, open_dataset, quiet_rasterio

BLOCK = 512

# Rows of scores in a block of their files, of which there is one for each class.
STRIP = 16


class Target:
    """An open TIFF that is written from the top to the bottom, with a checksum by band of what was
    handed to it.

    Rows are kept until they fill blocks: GDAL would compress a block again each time a part of it
    is written.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.checksums = [0] * dataset.count
        self._next = 0
        self._rows = list[NDArray[Any]]()

    def write(self, bands: NDArray[Any]) -> None:
        """The rows (bands, h, W) that come next."""
        self.checksums = [
            zlib.crc32(rows.tobytes(), sum_)
            for rows, sum_ in zip(bands, self.checksums, strict=True)
        ]
        self._rows.append(bands)
        waiting = sum(rows.shape[1] for rows in self._rows)
        block = self.dataset.block_shapes[0][0]
        if waiting >= block:
            self._flush(waiting // block * block)

    def finish(self) -> None:
        """Write what is left."""
        self._flush(self.dataset.height - self._next)

    def _flush(self, height: int) -> None:
        rows = np.concatenate(self._rows, axis=1) if len(self._rows) > 1 else self._rows[0]
        bottom = self._next + height
        with _translated_errors(Path(self.dataset.name)):
            self.dataset.write(rows[:, :height], window=((self._next, bottom), (0, rows.shape[2])))
        self._next = bottom
        self._rows = [rows[:, height:]]


def waiting_bytes(rows: int, width: int, pixel_bytes: int, *, block: int = BLOCK) -> int:
    """What a target of that many bytes a pixel holds at most where so many rows come at a time:
    those that wait for a block, and these joined to one array.
    """
    return 2 * (block + rows) * width * pixel_bytes


# Open TIFFs by the ends of their names.
Files = dict[str, Target]


def open_files(
    path: Path,
    source: Any,
    height: int,
    classes: Classes,
    choices: PredictOptions,
    stack: ExitStack,
    *,
    is_part: bool = False,
) -> Files:
    """The mask at `path`, and what else is chosen beside it, `height` rows of the open raster
    `source`. They are renamed to their places, the mask last, when `stack` closes. A part is to be
    joined with others: it is not laid out for viewers.
    """

    def target(ending: str, **profile: object) -> Target:
        options = {"height": height, **profile}
        return stack.enter_context(
            open_target(
                path.with_name(f"{path.stem}{ending}.tif"), source, options, is_part=is_part
            )
        )

    files = {"": target("", count=1, dtype="uint8", nodata=VOID)}
    files[""].dataset.write_colormap(
        1, {i: (*colour, 255) for i, colour in enumerate(classes.palette)}
    )
    if choices.confidence:
        files["_confidence"] = target("_confidence", count=1, dtype="uint8")
    if choices.scores:
        half = {
            "dtype": "float32",
            "nbits": 16,
            "predictor": 3,
            "nodata": np.nan,
            "blockysize": STRIP,
        }
        scores = target(f"_{choices.scores}", count=len(classes), **half)
        for number, name in enumerate(classes.names, 1):
            scores.dataset.set_band_description(number, name)
        files[f"_{choices.scores}"] = scores
    return files


def write_class_names(mask: Path, names: tuple[str, ...]) -> None:
    """Write MASK.aux.xml, in which GDAL, and with it QGIS, finds what the values of a mask are
    called: TIFF itself has no place for that.
    """
    dataset = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(dataset, "PAMRasterBand", band="1")
    categories = ElementTree.SubElement(band, "CategoryNames")
    for name in names:
        ElementTree.SubElement(categories, "Category").text = name
    text = ElementTree.tostring(dataset, encoding="unicode")
    write_text(mask.with_name(f"{mask.name}.aux.xml"), f"{text}\n")


@contextmanager
def open_target(
    path: Path, source: Any, profile: dict[str, Any], *, is_part: bool = False
) -> Iterator[Target]:
    """A TIFF beside `path` that is renamed to it when it is whole; cloud-optimised where it has
    bytes and is no part of another.

    It is read back and compared before: what GDAL still holds when a file is closed may fail to be
    written without a word, as on a full disk.
    """
    layout = {
        "driver": "GTiff",
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
    }
    layout |= {"width": source.width, "BIGTIFF": "IF_SAFER", **_place_of(source), **profile}
    with atomic(path) as temp_path:
        with _translated_errors(path):
            dataset = quiet_rasterio().open(temp_path, "w", **layout)
        try:
            target = Target(dataset)
            yield target
            target.finish()
        finally:
            with _translated_errors(path):
                dataset.close()
        if layout["dtype"] == "uint8" and not is_part:
            with _translated_errors(path):
                make_cloud_optimised(temp_path, path)
        if _checksums(temp_path) != target.checksums:
            raise OutputError(_notopen_target(path, "what was written cannot be read back"))


def make_cloud_optimised(path: Path, target: Path) -> None:
    """Lay the whole TIFF at `path`, which is to become `target`, out as a Cloud Optimized GeoTIFF
    (OGC 21-026), of which viewers read a part over a network: where each tile lies stands at the
    front, and there are copies at half its size, a quarter and so on, unless it is of a block or
    two.
    """
    rasterio = quiet_rasterio()
    with rasterio.open(path, "r+") as dataset:
        factors = [2**power for power in range(1, 16)]
        side = max(dataset.width, dataset.height)
        fitting = [factor for factor in factors if side / factor >= BLOCK]
        if fitting:
            dataset.build_overviews(fitting, rasterio.enums.Resampling.nearest)
    layout = {"compress": "deflate", "blocksize": BLOCK, "bigtiff": "IF_SAFER"}
    copy = make_temp_file(target)
    try:
        import_module("rasterio.shutil").copy(path, copy, driver="COG", **layout)
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)


def _place_of(source: Any) -> dict[str, Any]:
    """What a raster's file says of its place."""
    place: dict[str, Any] = {}
    if source.crs is not None:
        place["crs"] = source.crs
    if not source.transform.is_identity:
        place["transform"] = source.transform
    if source.rpcs is not None:
        place["rpcs"] = source.rpcs
    points, system = source.gcps
    if points:
        place |= {"gcps": points, "crs": system}
    return place


@contextmanager
def _translated_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # rasterio's errors share no base class but Exception
        raise OutputError(_notopen_target(path, explain_error(error, path))) from error


def _checksums(path: Path) -> list[int] | None:
    """Those of the bands, row by row; None where they cannot be read."""
    try:
        with open_dataset(path) as dataset:
            sums = [0] * dataset.count
            for top in range(0, dataset.height, BLOCK):
                rows = (top, min(top + BLOCK, dataset.height))
                for band in dataset.indexes:
                    values = dataset.read(band, window=(rows, (0, dataset.width)))
                    sums[band - 1] = zlib.crc32(values.tobytes(), sums[band - 1])
    except ImageError:
        return None
    return sums


def _notopen_target(path: Path, reason: str) -> str:
    return (
        f"cannot write {path} ({reason}); free some space and run again, the earlier file is kept"
    )
