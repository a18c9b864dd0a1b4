"""How large the training's pictures are, and whether the things in them grow with them: whether a
network may look at a larger picture as if it had the training's size.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from scipy.stats import theilslopes

from pixelwise.classes import VOID
from pixelwise.datasets.layers import flat_classes, read_flat
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.io.images import Array
from pixelwise.models.picture_sizes import PictureSizes

# Masks that are measured, from all over the split.
MASKS = 100

# Fewer say nothing.
MIN_MASKS = 8

# By how much more than nearly all training pictures (from the 5th to the 95th percentile) one is
# seen as it is. Of VOC's animals, mean IoU of a photo of two thirds of their size is 8 points lower
# than at theirs (benchmarks/results/any_size.md).
TOLERANCE = 1.25

# The standard deviation of the logarithm of the sides from which on sizes differ enough to be
# compared.
_SPREAD = 0.25
# Pictures with a whole region that are needed to compare them.
_MIN_GROWTH = 30

# Sides of the masks that are measured at most.
_MASK_SIDE = 512
_MIN_REGION = 30

# Cells of the picture a side.
_CELLS = 3
# Where a class is depends on the place in the picture: the variance that places explain, beside
# what chance would explain, and as a share of all within pictures. In VOC, CamVid and portraits the
# two are at least 2.5 and .1, however few pictures; in windows cut from these up to 3 and .05.
_PLACED_RATIO = 2.5
_PLACED_SHARE = 0.06
# Of many windows chance explains so little that less than this is none, whatever the ratio.
_ALIKE_SHARE = 0.03


def measure_picture_sizes(
    dataset: DataSet,
    pairs: Sequence[Pair],
    sizes: Sequence[tuple[int, int]],
    *,
    upright: bool = True,
) -> PictureSizes:
    """The sizes (height, width) of a training's pictures, and by some of their masks whether the
    things in them are framed. Pictures that are turned in training (not `upright`), as from above,
    are taken for parts of larger ones.
    """
    sides = np.sqrt([height * width for height, width in sizes])
    low, side, high = np.percentile(sides, (5, 50, 95))
    masks = _read_masks(dataset, pairs) if upright else []
    return PictureSizes(
        max(1, round(side)),
        max(1, round(low / TOLERANCE)),
        max(1, round(high * TOLERANCE)),
        find_framing(masks, len(flat_classes(dataset))) if upright else False,
        varied=bool(_find_growth(masks)),
    )


def describe_picture_sizes(sizes: PictureSizes) -> str:
    """The line that a training logs."""
    if sizes.varied:
        return (
            f"pictures of different sizes, each seen at about {sizes.side} x {sizes.side} pixels, "
            "as things grow with them; --set one_size=false keeps their own"
        )
    how = {
        True: "their things grow with the picture, so larger ones are seen at this size",
        False: "their things do not grow with the picture, so larger ones are seen as they are",
        None: "whether things grow with the picture is not known: larger photos are seen at this "
        "size, and TIFF files as they are",
    }
    return f"pictures of about {sizes.side} x {sizes.side} pixels: {how[sizes.framed]}"


def _read_masks(dataset: DataSet, pairs: Sequence[Pair]) -> list[Array]:
    step = max(1, len(pairs) // MASKS)
    return [read_flat(dataset, pair.mask) for pair in pairs[::step][:MASKS]]


def find_framing(masks: Sequence[Array], classes: int) -> bool | None:
    """Whether things grow with the picture. None where the masks do not tell.

    In a photo places differ, the sky is above and the thing in the middle, while in a window that
    was cut from something larger each class may be anywhere. Where pictures have several sizes, the
    sizes of regions tell too.
    """
    grows = _find_growth(masks)
    if grows is False or len(masks) < MIN_MASKS:
        return grows
    ratio, share = place_dependence(masks, classes)
    if grows or (ratio > _PLACED_RATIO and share > _PLACED_SHARE):
        return True
    is_alike = share < _ALIKE_SHARE or (share < _PLACED_SHARE and ratio < _PLACED_RATIO)
    return False if is_alike else None


def _find_growth(masks: Sequence[Array]) -> bool | None:
    """Whether regions are larger in larger pictures; None where sizes are alike, or too few."""
    sides = []
    regions = []
    for mask in masks:
        size = _relative_region_size(mask)
        if size is not None:
            sides.append(np.log(np.sqrt(mask.size)))
            regions.append(np.log(size))
    if len(sides) < _MIN_GROWTH or np.std(sides) < _SPREAD:
        return None
    # 0 where regions grow with the picture, -1 where they keep their pixels
    slope = theilslopes(regions, sides)
    if slope.low_slope > -0.5:
        return True
    return False if slope.high_slope < -0.5 else None


def _relative_region_size(mask: Array) -> float | None:
    """The median side of the regions that lie whole in a picture, as a share of its own."""
    step = max(1, -(-max(mask.shape) // _MASK_SIDE))
    mask = mask[::step, ::step]
    areas = list[int]()
    for value in np.unique(mask):
        if value == VOID:
            continue
        numbers, _ = label(mask == value)
        for number, box in enumerate(find_objects(numbers), start=1):
            if _is_inside(box, mask.shape):
                areas.append(int((numbers[box] == number).sum()))
    large = [area for area in areas if area >= _MIN_REGION]
    return float(np.sqrt(np.median(large) / mask.size)) if large else None


def _is_inside(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return all(
        part.start > 0 and part.stop < length for part, length in zip(box, shape, strict=True)
    )


def place_dependence(masks: Sequence[Array], classes: int) -> tuple[float, float]:
    """How much the shares of classes depend on the place in the picture: the variance between
    _CELLS x _CELLS cells of the mean picture beside what chance would give, 1 where places are
    alike; and the share of all variance within pictures that it explains, 0 where they are.
    """
    shares = np.stack([_cell_shares(mask, classes) for mask in masks])  # (N, cells, C)
    shares = shares[~np.isnan(shares).any(axis=(1, 2))]
    if len(shares) < MIN_MASKS:
        return float("nan"), float("nan")
    deviations = shares - shares.mean(axis=1, keepdims=True)
    explained = float((deviations.mean(axis=0) ** 2).sum())
    by_chance = float(deviations.var(axis=0, ddof=1).sum()) / len(shares)
    within = float((deviations**2).sum(axis=(1, 2)).mean())
    if not by_chance or not within:
        return float("nan"), float("nan")
    return explained / by_chance, (explained - by_chance) / within


def _cell_shares(mask: Array, classes: int) -> NDArray[np.float64]:
    """(cells, C), not a number where a cell is all void."""
    shares = np.full((_CELLS**2, classes), np.nan)
    rows = np.array_split(mask, _CELLS, axis=0)
    cells = [cell for row in rows for cell in np.array_split(row, _CELLS, axis=1)]
    for cell, of_cell in zip(cells, shares, strict=True):
        counts = np.bincount(cell.ravel(), minlength=256)[:classes]
        if counts.sum():
            of_cell[:] = counts / counts.sum()
    return shares
