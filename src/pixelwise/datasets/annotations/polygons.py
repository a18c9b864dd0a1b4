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
Patch = tuple[int, int, Bits]
"""Top row, left column and the pixels (h, w) from there on."""

_RIGHT, _DOWN, _LEFT, _UP = range(4)


def fill(rings: Sequence[Points], size: tuple[int, int]) -> Patch | None:
    """The pixels inside `rings`, each (n, 2), within an image of `size` (height, width); None where
    there are none.
    """
    height, width = size
    ends = [
        np.concatenate([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings if len(ring) > 2
    ]
    edges = np.concatenate(ends) if ends else np.empty((0, 4))
    x0, y0, x1, y1 = np.where(
        edges[:, 1:2] <= edges[:, 3:4], edges, edges[:, [2, 3, 0, 1]]
    ).T  # all edges run down
    first, last = (
        np.ceil(np.clip(y, 0, height) - 0.5).clip(0, height).astype(np.int64) for y in (y0, y1)
    )
    counts = last - first
    which = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    at = x0[which] + (rows + 0.5 - y0[which]) * ((x1 - x0)[which] / (y1 - y0)[which])
    columns = np.ceil(np.clip(at, 0, width) - 0.5).clip(0, width).astype(np.int64)
    if not len(rows):
        return None
    top = int(rows.min())
    left = int(columns.min())
    wide = int(columns.max() - columns.min()) + 1
    flips = (
        np.bincount(
            (rows - top) * wide + columns - left, minlength=(int(rows.max()) - top + 1) * wide
        )
        & 1
    )
    inside = np.bitwise_xor.accumulate(flips.reshape(-1, wide), axis=1)[:, :-1].astype(bool)
    return (top, left, inside) if inside.any() else None


def pixels(rings: Sequence[Points], size: tuple[int, ...]) -> Patch:
    """As `fill`, of rings that enclose pixels, as those of `trace` do. Raises ValueError for
    others.
    """
    patch = fill(rings, (size[0], size[1]))
    if patch is None:
        raise ValueError("rings without a pixel")
    return patch


def trace(mask: Bits) -> list[list[Points]]:
    """The 4-connected regions of a mask (H, W) as rings along the edges of pixels: the outline,
    then the holes.

    `fill` of a region's rings gives back its pixels, bit for bit. Regions come from top to bottom.
    """
    starts, following = _segments(np.pad(np.asarray(mask, bool), 1))
    owners = np.full(
        (mask.shape[0] + 1, mask.shape[1] + 1), -1, np.int64
    )  # ring left of each pixel, where one runs
    rings = []
    taken = np.zeros(len(starts), bool)
    order = following.tolist()
    for start in range(len(starts)):
        if taken[start]:
            continue
        ring = []
        at = start
        while not taken[at]:
            taken[at] = True
            ring.append(at)
            at = order[at]
        rings.append(starts[ring])
    rings.sort(key=lambda ring: (ring[:, 1].min(), ring[ring[:, 1] == ring[:, 1].min(), 0].min()))
    return _nested(rings, owners)


def keyhole(rings: Sequence[Points]) -> Points:
    """One ring for an outline and its holes, each joined by a way there and back, which encloses
    nothing.
    """
    parts = [rings[0], rings[0][:1]]
    for hole in rings[1:]:
        parts += [hole, hole[:1], rings[0][:1]]
    return np.concatenate(parts[:-1] if len(rings) > 1 else rings[:1])


def _segments(mask: Bits) -> tuple[Points, NDArray[np.int64]]:
    """Straight pieces of the outlines of a padded mask, region to the right: where each starts, and
    which follows.
    """
    inner = (
        mask[1:, 1:],
        mask[:-1, 1:],
        mask[:-1, :-1],
        mask[1:, :-1],
    )  # pixels around each corner: SE, NE, NW, SW
    south_east, north_east, north_west, south_west = inner
    runs = (
        _runs(south_east & ~north_east, flip=False),  # rightwards, above the region
        _runs((south_west & ~south_east).T, flip=False)[:, [1, 0, 3, 2]],  # downwards, right of it
        _runs(north_east & ~south_east, flip=True),  # leftwards, below it
        _runs((south_east & ~south_west).T, flip=True)[:, [1, 0, 3, 2]],  # upwards, left of it
    )
    bases = np.cumsum([0, *(len(run) for run in runs)])
    wide = mask.shape[1]
    lookup = [np.argsort(run[:, 0] * wide + run[:, 1]) for run in runs]
    keys = [(run[:, 0] * wide + run[:, 1])[order] for run, order in zip(runs, lookup, strict=True)]
    ahead = (
        south_east,
        south_west,
        north_west,
        north_east,
    )  # the region goes on: turn away from it
    following = []
    for way, run in enumerate(runs):
        ends = run[:, 2] * wide + run[:, 3]
        bends = ahead[way][run[:, 2], run[:, 3]]
        target = np.empty(len(run), np.int64)
        for turn, where in (((way + 1) % 4, ~bends), ((way + 3) % 4, bends)):
            found = np.searchsorted(keys[turn], ends[where])
            target[where] = bases[turn] + lookup[turn][found]
        following.append(target)
    starts = np.concatenate([run[:, [1, 0]] for run in runs]).astype(np.float64)
    return starts, np.concatenate(following)


def _runs(edges: Bits, *, flip: bool) -> NDArray[np.int64]:
    """(n, 4): row and column of the start and of the end of each run along the rows; with `flip`,
    the other way.
    """
    padded = np.pad(edges, ((0, 0), (1, 1))).view(np.int8)
    change = np.diff(padded, axis=1)
    begins = np.argwhere(change == 1)
    ends = np.argwhere(change == -1)
    return np.concatenate([ends, begins] if flip else [begins, ends], axis=1)


def _nested(rings: list[Points], owners: NDArray[np.int64]) -> list[list[Points]]:
    """Outlines with their holes. A hole's region is that of the ring met first to the left, just
    above the hole.
    """
    regions: dict[int, list[Points]] = {}
    parent = list(range(len(rings)))
    for number, ring in enumerate(rings):
        for (x, y), (x1, y1) in zip(
            ring.astype(int), np.roll(ring, -1, axis=0).astype(int), strict=True
        ):
            if x == x1:
                owners[min(y, y1) : max(y, y1), x] = number
    for number, ring in enumerate(rings):
        following = np.roll(ring, -1, axis=0)
        if (ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]).sum() > 0:
            regions[number] = [ring]
            continue
        top = int(ring[:, 1].min())
        left = int(ring[ring[:, 1] == top, 0].min())
        met = owners[top - 1, : left + 1]
        parent[number] = parent[int(met[np.flatnonzero(met >= 0)[-1]])]
        regions[parent[number]].append(ring)
    return list(regions.values())
