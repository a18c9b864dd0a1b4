"""Objects that touch, parted where they are narrow: a watershed on the distance to their border.

Source: Vincent, Soille 1991, "Watersheds in digital spaces"; seeds are the h-maxima of the distance
(Soille 1999, section 6.3).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.inference.object_sums import Ids
from pixelwise.optional import require_package

# How far the distance must fall between two seeds, as a share of the object's greatest distance:
# more parts fewer, less cuts at every dent.
DEPTH = 0.2
# Pixels; what pixels alone make of a round border is less.
_LEAST_DEPTH = 0.75
# More parts than one object ever has.
PARTS = 2**20


def split_touching(ids: Ids) -> Ids:
    """The objects of ids (H, W), 0 for none, with those parted that are several touching blobs.
    Raises ConfigError without scikit-image.
    """
    return split_within(ids, slice(0, len(ids)), len(ids))[0]


def split_within(ids: Ids, rows: slice, tallest: int) -> tuple[Ids, NDArray[np.int64]]:
    """Ids (H, W) of the parts of those objects that meet `rows` and are no higher than `tallest`,
    0 elsewhere; and for each, from 1, a number that depends on the pixels of its object alone, so
    that it is the same in another window of the picture but for PARTS times the pixels above.
    """
    morphology = require_package("skimage.morphology")
    segmentation = require_package("skimage.segmentation")
    parted = np.zeros_like(ids)
    keys = [0]
    for number, place in enumerate(ndimage.find_objects(ids), 1):
        if place is None:
            continue
        down, across = place
        outside = down.stop <= rows.start or down.start >= rows.stop
        if outside or down.stop - down.start > tallest:
            continue
        own = np.pad(ids[place] == number, 1)
        parts, count = _part(own, morphology, segmentation)
        inner = parts[1:-1, 1:-1]
        target = parted[place]
        target[inner > 0] = inner[inner > 0] + (len(keys) - 1)
        first = down.start * ids.shape[1] + across.start + int(own[1].argmax()) - 1
        keys += [first * PARTS + part for part in range(count)]
    return parted, np.array(keys, np.int64)


def _part(
    own: NDArray[np.bool_], morphology: Any, segmentation: Any
) -> tuple[NDArray[np.int32], int]:
    """Ids of the parts of one object, with a border of zeros around it, and how many there are."""
    distance = ndimage.distance_transform_edt(own)
    _, count = ndimage.label(morphology.local_maxima(distance), np.ones((3, 3)))
    if count < 2:  # most objects: nothing more to do
        return own.astype(np.int32), 1
    depth = max(_LEAST_DEPTH, DEPTH * float(distance.max()))
    # tops of h-maxima as a whole: scikit-image's `h_maxima` gives their highest pixels, of which a
    # rod has many apart
    tops = morphology.local_maxima(morphology.reconstruction(distance - depth, distance)) & own
    seeds, count = ndimage.label(tops, np.ones((3, 3)))
    if count < 2:
        return own.astype(np.int32), 1
    parts = segmentation.watershed(-distance, seeds, mask=own)
    return parts.astype(np.int32), count
