"""Polygons to pixels and back, exactly.

Coordinates are (x, y) in pixels from the upper left corner of the image: pixel (row, column) covers
[column, column+1) x [row, row+1). A pixel belongs to a polygon when its centre lies inside; one on
the very edge belongs to the side of greater x or y, so that neighbours share no pixel and leave
none out. Inside is what is enclosed an odd number of times.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Bits = NDArray[np.bool_]

# Top row, left column and the pixels (h, w) from there on.
Patch = tuple[int, int, Bits]


def fill(rings: Sequence[Points], size: tuple[int, int]) -> Patch | None:
    """The pixels inside `rings`, each (n, 2), within an image of `size` (height, width); None where
    there are none.
    """
    height, width = size
    edges = _downward_edges(rings)
    if not len(edges):
        return None
    x0, y0, x1, y1 = edges.T
    first = _centres_above(y0, height)
    last = _centres_above(y1, height)
    counts = last - first  # rows of pixel centres that each edge crosses
    edge = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    if not len(rows):
        return None
    slope = (x1 - x0)[edge] / (y1 - y0)[edge]
    crossings = x0[edge] + (rows + 0.5 - y0[edge]) * slope
    columns = _centres_above(crossings, width)
    top = int(rows.min())
    left = int(columns.min())
    wide = int(columns.max() - columns.min()) + 1
    pixels = (int(rows.max()) - top + 1) * wide
    # inside begins and ends where an odd number of edges is crossed before a pixel
    flips = np.bincount((rows - top) * wide + columns - left, minlength=pixels) & 1
    inside = np.bitwise_xor.accumulate(flips.reshape(-1, wide), axis=1)[:, :-1].astype(bool)
    return (top, left, inside) if inside.any() else None


def _downward_edges(rings: Sequence[Points]) -> NDArray[np.float64]:
    """(n, 4): x and y of the upper and of the lower end of each edge."""
    edges = [
        np.concatenate([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings if len(ring) > 2
    ]
    if not edges:
        return np.empty((0, 4))
    whole = np.concatenate(edges)
    return np.where(whole[:, 1:2] <= whole[:, 3:4], whole, whole[:, [2, 3, 0, 1]])


def _centres_above(positions: NDArray[np.float64], limit: int) -> NDArray[np.int64]:
    """How many pixel centres of an axis of `limit` pixels lie before each position."""
    centres = np.ceil(np.clip(positions, 0, limit) - 0.5)
    return centres.clip(0, limit).astype(np.int64)


def fill_region(rings: Sequence[Points], size: tuple[int, ...]) -> Patch:
    """As `fill`, of rings that enclose pixels, as those of `trace` do. Raises ValueError for
    others.
    """
    patch = fill(rings, (size[0], size[1]))
    if patch is None:
        raise ValueError("rings without a pixel")
    return patch


def box_ring(left: float, top: float, right: float, bottom: float) -> Points:
    """The corners of a box (4, 2)."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def ellipse_ring(x: float, y: float, x_radius: float, y_radius: float) -> Points:
    """An ellipse of these half axes as a polygon that leaves it by at most 0.01 pixels."""
    # a chord of angle a leaves a circle of radius r by r (1 - cos(a / 2)), about r a^2 / 8
    corners = max(16, int(np.ceil(np.pi * np.sqrt(max(x_radius, y_radius) / 0.02))))
    angles = np.arange(corners) * 2 * np.pi / corners
    return np.stack([x + x_radius * np.cos(angles), y + y_radius * np.sin(angles)], axis=1)


def trace(mask: Bits) -> list[list[Points]]:
    """The 4-connected regions of a mask (H, W) as rings along the edges of pixels: the outline,
    then the holes.

    `fill` of a region's rings gives back its pixels, bit for bit. Regions come from top to bottom.
    """
    starts, following = _segments(np.pad(np.asarray(mask, bool), 1))
    rings = []
    visited = np.zeros(len(starts), bool)
    successors = following.tolist()
    for start in range(len(starts)):
        ring = []
        segment = start
        while not visited[segment]:
            visited[segment] = True
            ring.append(segment)
            segment = successors[segment]
        if ring:
            rings.append(starts[ring])
    rings.sort(key=_first_corner)
    return _group_holes(rings, mask.shape)


def _first_corner(ring: Points) -> tuple[float, float]:
    """y and x of the leftmost of the topmost corners."""
    top = ring[:, 1].min()
    return float(top), float(ring[ring[:, 1] == top, 0].min())


def _segments(mask: Bits) -> tuple[Points, NDArray[np.int64]]:
    """Straight pieces of the outlines of a padded mask, region to the right: where each starts, and
    which follows.
    """
    # the pixels around each corner
    south_east = mask[1:, 1:]
    north_east = mask[:-1, 1:]
    north_west = mask[:-1, :-1]
    south_west = mask[1:, :-1]
    runs = (
        _runs(south_east & ~north_east, flip=False),  # rightwards, above the region
        _runs((south_west & ~south_east).T, flip=False)[:, [1, 0, 3, 2]],  # downwards, right of it
        _runs(north_east & ~south_east, flip=True),  # leftwards, below it
        _runs((south_east & ~south_west).T, flip=True)[:, [1, 0, 3, 2]],  # upwards, left of it
    )
    # where the region goes on straight ahead, the outline turns away from it
    ahead = (south_east, south_west, north_west, north_east)
    return _chain(runs, ahead, mask.shape[1])


def _chain(
    runs: Sequence[NDArray[np.int64]], ahead: Sequence[Bits], width: int
) -> tuple[Points, NDArray[np.int64]]:
    """Starts of the runs of the four directions, and of each run the number of the next."""
    bases = np.cumsum([0, *(len(run) for run in runs)])
    starts = [run[:, 0] * width + run[:, 1] for run in runs]
    orders = [np.argsort(keys) for keys in starts]
    sorted_starts = [keys[order] for keys, order in zip(starts, orders, strict=True)]
    following = []
    for direction, run in enumerate(runs):
        ends = run[:, 2] * width + run[:, 3]
        away = ahead[direction][run[:, 2], run[:, 3]]
        target = np.empty(len(run), np.int64)
        for turn, chosen in (((direction + 1) % 4, ~away), ((direction + 3) % 4, away)):
            index = np.searchsorted(sorted_starts[turn], ends[chosen])
            target[chosen] = bases[turn] + orders[turn][index]
        following.append(target)
    corners = np.concatenate([run[:, [1, 0]] for run in runs]).astype(np.float64)
    return corners, np.concatenate(following)


def _runs(edges: Bits, *, flip: bool) -> NDArray[np.int64]:
    """(n, 4): row and column of the start and of the end of each run along the rows; with `flip`,
    the other way.
    """
    padded = np.pad(edges, ((0, 0), (1, 1))).view(np.int8)
    change = np.diff(padded, axis=1)
    begins = np.argwhere(change == 1)
    ends = np.argwhere(change == -1)
    return np.concatenate([ends, begins] if flip else [begins, ends], axis=1)


def _group_holes(rings: list[Points], size: tuple[int, ...]) -> list[list[Points]]:
    """Outlines with their holes. A hole's region is that of the ring met first to the left, just
    above the hole.
    """
    owners = _mark_rings(rings, size)
    regions: dict[int, list[Points]] = {}
    parent = list(range(len(rings)))
    for number, ring in enumerate(rings):
        following = np.roll(ring, -1, axis=0)
        twice_area = (ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]).sum()
        if twice_area > 0:  # clockwise on the screen: an outline
            regions[number] = [ring]
            continue
        y, x = _first_corner(ring)
        to_the_left = owners[int(y) - 1, : int(x) + 1]
        nearest = to_the_left[np.flatnonzero(to_the_left >= 0)[-1]]
        parent[number] = parent[int(nearest)]
        regions[parent[number]].append(ring)
    return list(regions.values())


def _mark_rings(rings: list[Points], size: tuple[int, ...]) -> NDArray[np.int64]:
    """(H + 1, W + 1): the ring that runs along the left side of each pixel, -1 where none does."""
    owners = np.full((size[0] + 1, size[1] + 1), -1, np.int64)
    for number, ring in enumerate(rings):
        ends = np.roll(ring, -1, axis=0).astype(int)
        for (x, y), (end_x, end_y) in zip(ring.astype(int), ends, strict=True):
            if x == end_x:
                owners[min(y, end_y) : max(y, end_y), x] = number
    return owners
