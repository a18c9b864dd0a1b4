"""Regions of one label: small ones removed, the largest alone kept, outlines as GeoJSON (extra
`raster`).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, top_labels
from pixelwise.datasets.annotations.geojson import PIXELS
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.inference.antimeridian import cut_at_antimeridian, may_cross
from pixelwise.inference.ellipsoid import Floats
from pixelwise.inference.georeference import WGS84, Georeference, read_georeference
from pixelwise.inference.pixel_areas import read_pixel_areas
from pixelwise.inference.tta import Logits
from pixelwise.io.atomic import atomic
from pixelwise.io.gdal import open_dataset
from pixelwise.io.images import MAX_PIXELS, Array
from pixelwise.optional import require_package

# Decimals of a degree that are written: about a millimetre.
DIGITS = 8


# Why regions of a picture above MAX_PIXELS cannot be removed.
TOO_LARGE = (
    "labelled in strips, where a small region cannot be told from a part of a large one; "
    "leave out --smallest-area and "
    f"--largest, or cut the picture into parts of at most {MAX_PIXELS // 1_000_000} megapixels"
)


def remove_small_regions(labels: Array, smallest: int) -> Array:
    """`labels` (H, W) without regions of fewer than `smallest` pixels.

    A region is pixels of one label that touch by their sides. One that is too small takes the label
    of its largest neighbouring region, where that is large enough; void is neither removed nor
    given (GDAL's sieve filter). Raises ConfigError without rasterio.
    """
    if (
        smallest <= 1 or labels.size <= smallest
    ):  # no region is large enough to take another's place
        return labels
    sieved: Array = require_package("rasterio.features").sieve(
        labels,
        smallest,
        mask=labels != VOID,
        connectivity=4,
    )
    return sieved


def class_ids(names: Sequence[str], largest: Sequence[str]) -> list[int]:
    """The ids of the classes `largest`. Raises ConfigError for one that is not in `names`, and
    where all are in it.
    """
    for name in largest:
        if name not in names:
            raise unknown_choice_error("class", name, names)
    if set(largest) == set(names):
        raise ConfigError(
            "--largest: all classes are named; leave out the one that takes the other "
            "regions' place"
        )
    return sorted({names.index(name) for name in largest})


def second_best_labels(logits: Logits, classes: Sequence[int]) -> tuple[Array, NDArray[np.float32]]:
    """Labels (H, W) from logits (C, H, W) as if there were no `classes`, and how likely they are
    beside the label that comes first with these, (H, W) in (0, 1].
    """
    others = np.setdiff1d(np.arange(len(logits)), classes)
    other_logits = logits[others]
    labels: Array = others.astype(np.uint8)[top_labels(other_logits)]
    return labels, np.exp(other_logits.max(axis=0) - logits.max(axis=0))


def outside_largest_component(labels: Array, classes: Sequence[int]) -> NDArray[np.bool_]:
    """Where `labels` (H, W) are one of `classes` outside the largest region of that class.

    A region is pixels of one label that touch by their sides. Of equally large ones the first
    counts, from the top.
    """
    from scipy import ndimage  # 0.1 s that a mask without this need not wait for

    outside = np.zeros(labels.shape, bool)
    for label in classes:
        regions, count = ndimage.label(labels == label)
        if count < 2:
            continue
        strips = [slice(first, first + _ROWS) for first in range(0, len(labels), _ROWS)]
        sizes = np.zeros(count + 1, int)  # of what is no region, too
        for strip in strips:
            sizes += np.bincount(regions[strip].ravel(), minlength=count + 1)
        largest = 1 + sizes[1:].argmax()
        for strip in strips:
            part = regions[strip]
            outside[strip] |= (part > 0) & (part != largest)
    return outside


# Rows whose regions are counted at once, as that takes eight bytes a pixel.
_ROWS = 256


def outlines(labels: Array) -> Iterator[tuple[int, list[list[tuple[float, float]]]]]:
    """Each region of `labels` (H, W) but void: its label and its rings of (column, row) corners,
    the outer one first.

    Pixel (0, 0) reaches from (0, 0) to (1, 1). Raises ConfigError without rasterio.
    """
    regions = require_package("rasterio.features").shapes(
        labels,
        mask=labels != VOID,
        connectivity=4,
    )
    yield from ((int(value), outline["coordinates"]) for outline, value in regions)


def write_polygons(mask: Path, path: Path, names: tuple[str, ...]) -> bool:
    """Outline the regions of a mask that `predict_raster` wrote as a GeoJSON file, void left out.

    Coordinates are longitude and latitude in WGS 84, as RFC 7946 wants them. Those of a mask that
    has no place on the earth are a site's own, or columns and rows of pixels; a member `crs` that
    is null and one called `coordinates` say so. Each polygon has the properties `label`, `class`
    and, on the earth, `square_metres`. Returns whether the coordinates are longitude and latitude.
    Raises ImageError for a mask that cannot be read.
    """
    with open_dataset(mask) as dataset:
        place = read_georeference(dataset)
        write_features(path, place, _features(dataset, names, place))
    return place.on_earth


def write_features(
    path: Path, place: Georeference, features: Iterable[tuple[dict[str, object], str]]
) -> None:
    """Write a GeoJSON file of (properties, geometry in `place` as JSON), one after another."""
    head: dict[str, object] = {"type": "FeatureCollection"}
    if not place.on_earth:
        head |= {"crs": None, "coordinates": _describe_coordinates(place)}
    with atomic(path) as temp_path, temp_path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "features": [')
        for number, (properties, geometry) in enumerate(features):
            feature = f'"properties": {json.dumps(properties)}, "geometry": {geometry}'
            file.write(f'{"," if number else ""}\n{{"type": "Feature", {feature}}}')
        file.write("\n]}\n")


def _describe_coordinates(place: Georeference) -> str:
    if place.kind == "none":
        return PIXELS
    return "the raster's own, of which longitude and latitude are not known"


def _features(
    dataset: Any, names: tuple[str, ...], place: Georeference
) -> Iterator[tuple[dict[str, object], str]]:
    areas = read_pixel_areas(dataset)
    for label, rings in raster_outlines(dataset):
        if label == VOID:
            continue
        properties: dict[str, object] = {"label": label, "class": names[label]}
        if areas is not None:
            properties["square_metres"] = round(areas.of_polygon(rings), 3)
        yield properties, json.dumps(place_rings(rings, place))


def raster_outlines(dataset: Any) -> Iterator[tuple[int, list[Floats]]]:
    """Each region of an open raster of one band whose pixels touch by their sides: its value, and
    its rings (n, 2) of (column, row), the outer one first.
    """
    features = require_package("rasterio.features")
    to_pixels = ~dataset.transform
    # GDAL itself applies the transform of a band
    band = require_package("rasterio").band
    for outline, value in features.shapes(band(dataset, 1)):
        yield int(value), [_to_pixels(ring, to_pixels) for ring in outline["coordinates"]]


def _to_pixels(ring: list[tuple[float, float]], to_pixels: Any) -> Floats:
    """Corners (n, 2) as columns and rows, which are whole numbers."""
    x, y = np.array(ring).T
    return np.stack(to_pixels * (x, y), axis=1).round()


def place_rings(rings: Sequence[Floats], place: Georeference) -> dict[str, Any]:
    """A GeoJSON geometry of rings of (column, row)."""
    coordinates = [np.stack(place.locate(*ring.T), axis=1).tolist() for ring in rings]
    shape: dict[str, Any] = {"type": "Polygon", "coordinates": coordinates}
    if not place.on_earth:
        return shape
    warp = require_package("rasterio.warp")
    geometry: dict[str, Any] = warp.transform_geom(place.crs, WGS84, shape, precision=DIGITS)
    # GDAL cuts some at the antimeridian by itself
    if geometry["type"] == "Polygon" and may_cross(list(map(np.array, geometry["coordinates"]))):
        parts = cut_at_antimeridian([place.outline_in_degrees(ring) for ring in rings])
        polygons = [[ring.round(DIGITS).tolist() for ring in part] for part in parts]
        return {"type": "MultiPolygon", "coordinates": polygons}
    return geometry


def check_region_size(height: int, width: int, limit: int) -> None:
    """Raises ConfigError for a picture whose regions cannot be removed, as its labels are not
    held at once.
    """
    if height * width > limit:
        raise ConfigError(f"{height} x {width} pixels: {TOO_LARGE}")
