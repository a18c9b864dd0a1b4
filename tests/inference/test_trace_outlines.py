import numpy as np
import pytest
from scipy import ndimage

from pixelwise.inference.trace_outlines import OutlineTracer

Rings = frozenset[tuple[tuple[float, float], ...]]


def normalise(rings: list[np.ndarray]) -> Rings:
    """Closed rings as sets of corners from the first on, whatever corner they begin with."""
    turned = []
    for ring in rings:
        corners = [tuple(corner) for corner in np.asarray(ring).tolist()[:-1]]
        start = corners.index(min(corners))
        turned.append(tuple(corners[start:] + corners[:start]))
    return frozenset(turned)


def trace(numbers: np.ndarray, rows: int) -> dict[int, frozenset[Rings]]:
    """Parts of each object by its number, of a map in strips of so many rows."""
    objects = ndimage.find_objects(numbers)
    tracer = OutlineTracer(numbers.shape[1], np.array([place[0].stop for place in objects]))
    outlines = []
    for top in range(0, len(numbers), rows):
        outlines += tracer.add(numbers[top : top + rows])
    outlines += tracer.finish()
    assert len({number for number, _ in outlines}) == len(outlines)
    return {number: frozenset(map(normalise, parts)) for number, parts in outlines}


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_outlines_are_those_of_gdal(rows: int) -> None:
    """Noise has objects with holes, objects within them, and parts that touch by corners."""
    features = pytest.importorskip("rasterio.features")
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(60, 70)), 1.2)
    numbers = np.zeros(smooth.shape, np.int32)
    for sign in (1, -1):  # two classes, of which one may lie within the other
        own, _ = ndimage.label(sign * smooth > 0.05, np.ones((3, 3)))
        numbers[own > 0] = own[own > 0] + numbers.max()
    numbers[20:40, 20:40] = (np.indices((20, 20)).sum(0) % 2) * 10_000  # corners alone
    numbers[numbers == 10_000] = numbers[numbers < 10_000].max() + 1
    _, inverse = np.unique(numbers, return_inverse=True)
    numbers = inverse.reshape(numbers.shape).astype(np.int32)
    truth = dict[int, set[Rings]]()
    for shape, value in features.shapes(numbers, mask=numbers > 0):
        truth.setdefault(int(value), set()).add(normalise(shape["coordinates"]))
    assert trace(numbers, rows) == {number: frozenset(parts) for number, parts in truth.items()}
