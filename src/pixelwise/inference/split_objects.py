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


def split_touching(ids: Ids) -> Ids:
    """The objects of ids (H, W), 0 for none, with those parted that are several touching blobs.
    Raises ConfigError without scikit-image.
    """
    morphology = require_package("skimage.morphology")
    segmentation = require_package("skimage.segmentation")
    parted = np.zeros_like(ids)
    count = 0
    for number, place in enumerate(ndimage.find_objects(ids), 1):
        own = np.pad(ids[place] == number, 1)
        parts, part_count = _part(own, morphology, segmentation)
        inner = parts[1:-1, 1:-1]
        target = parted[place]
        target[inner > 0] = inner[inner > 0] + count
        count += part_count
    return parted


def _part(
    own: NDArray[np.bool_], morphology: Any, segmentation: Any
) -> tuple[NDArray[np.int32], int]:
    """Ids of the parts of one object, with a border of zeros around it, and how many there are."""
    distance = ndimage.distance_transform_edt(own)
    depth = max(_LEAST_DEPTH, DEPTH * float(distance.max()))
    seeds, count = ndimage.label(morphology.h_maxima(distance, depth), np.ones((3, 3)))
    if count < 2:
        return own.astype(np.int32), 1
    parts = segmentation.watershed(-distance, seeds, mask=own)
    return parts.astype(np.int32), count
