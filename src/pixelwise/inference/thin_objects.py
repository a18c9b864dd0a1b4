"""The length of thin objects, such as cracks, vessels and roots, along their middle line.

Sources: Lee, Kashyap, Chu 1994 (the middle line, by scikit-image); Vossepoel, Smeulders 1982,
"Vector code probability and metrication error in the representation of straight lines of finite
length" (what a step and a corner of a line of pixels count).
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.inference.object_sums import Floats
from pixelwise.optional import require_package

# Lengths of a step to a side, of a step to a corner, and what a change between them takes off.
_SIDE = 0.980
_DIAGONAL = 1.406
_CORNER = 0.091
# An end is looked at over this many half widths, and some pixels; it is cut off up to where the
# object has this share of its width.
_END_WALK = 2.5
_BUMP = 6
_END_SHARE = 0.8
# Half widths below have no corners to run into, and no bumps.
_LEAST_WIDTH = 4.5
_LEAST_AT_FORK = 2.5


def middle_lengths(inside: NDArray[np.bool_]) -> Floats:
    """(H, W) what each pixel of objects (H, W) adds to their length: 0 but on their middle lines.

    Branches into the corners of an end and to bumps of the outline are no length. A line ends
    about half a width before its object does: its last pixel adds the distance to the border.
    Raises ConfigError without scikit-image.
    """
    # scikit-image's other rules, of Zhang and of Guo, eat some lines at 45 degrees
    skeletonize = partial(require_package("skimage.morphology").skeletonize, method="lee")
    padded = np.pad(inside, 1)
    distance = ndimage.distance_transform_edt(padded)
    line = skeletonize(padded) > 0
    _trim_ends(line, distance)
    line = skeletonize(line) > 0  # what is left of forks
    sides, diagonals = _count_steps(line)
    steps = (sides * _SIDE + diagonals * _DIAGONAL) / 2  # each step is seen from both its ends
    corners = (sides == 1) & (diagonals == 1)
    lengths = np.where(line, steps - _CORNER * corners, 0.0)
    ends = line & (sides + diagonals <= 1)
    # a dot is the end on both sides
    lengths[ends] += (distance[ends] - 0.5) * (2 - (sides + diagonals)[ends])
    return lengths[1:-1, 1:-1]


def _trim_ends(line: NDArray[np.bool_], distance: Floats) -> None:
    """Take from the line, in place, the ends and whole branches that only run from where the
    object is wide into its border: distance (H, W) is that to the border.
    """
    steps = np.add(*_count_steps(line)).ravel()
    width = line.shape[1]
    neighbours = (1, -1, width, -width, width + 1, width - 1, 1 - width, -1 - width)
    on_line = line.ravel()  # a view
    distances = distance.ravel()
    for end in np.flatnonzero(on_line & (steps == 1)).tolist():
        path = [end]
        widest = distances[end]
        seen = {end}
        while steps[path[-1]] <= 2 and len(path) <= _END_WALK * widest + _BUMP:
            after = [path[-1] + step for step in neighbours]
            after = [place for place in after if on_line[place] and place not in seen]
            if not after:
                break
            path.append(after[0])
            seen.add(after[0])
            widest = max(widest, distances[after[0]])
        fork = steps[path[-1]] > 2
        if widest < (_LEAST_AT_FORK if fork else _LEAST_WIDTH):
            continue
        for place in path[: len(path) - fork]:
            if distances[place] >= _END_SHARE * widest and not fork:
                break
            on_line[place] = False


def _count_steps(line: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(H, W) how many steps to sides and to corners each pixel of a line has, which has a border of
    zeros around it: a corner that is also reached by two sides is no step.
    """

    def moved(down: int, right: int) -> NDArray[np.bool_]:
        return np.roll(line, (down, right), (0, 1))

    sides = np.zeros(line.shape, np.int64)
    diagonals = sides.copy()
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        sides += moved(down, right)
    for down in (-1, 1):
        for right in (-1, 1):
            diagonals += moved(down, right) & ~moved(down, 0) & ~moved(0, right)
    return sides, diagonals
