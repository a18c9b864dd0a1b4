"""Outlines of objects from a map of their numbers, strip by strip and many at once.

The border of an object is made of its pixels' upper and lower sides, joined to horizontal edges.
Their ends, sorted by object, column and row, pair up along the border's vertical edges: so each
edge has one that follows it, and following them gives the rings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Part = list[Floats]
"""Rings (n, 2) of (column, row), closed, the outer one first."""
Outline = tuple[int, list[Part]]
"""Number and parts of an object; parts touch by corners alone."""

# Rows of the arrays of edges (5, n): object, row, leftmost and rightmost column, and whether the
# object lies below.
_NUMBER, _ROW, _LEFT, _RIGHT, _BELOW = range(5)


@dataclass
class OutlineTracer:
    """Takes the strips of a map of `width` columns from its top on. bottoms (N,): the row beyond
    the last one of each object, from number 1 on. Only the edges of objects that go on are held.
    """

    width: int
    bottoms: Ints
    _edges: Ints = field(default_factory=lambda: np.zeros((5, 0), np.int64))
    _last: NDArray[np.integer] | None = None
    _top: int = 0

    def add(self, numbers: NDArray[np.integer]) -> Iterator[Outline]:
        """The outlines of the objects that end above the last row of the strip (h, w), by
        number.
        """
        last = np.zeros(self.width, numbers.dtype) if self._last is None else self._last
        edges = _find_edges(np.vstack([last, numbers]), self._top)
        self._top += len(numbers)
        self._last = numbers[-1].copy()
        edges = np.concatenate([self._edges, edges], axis=1)
        is_done = self.bottoms[edges[_NUMBER] - 1] < self._top
        self._edges = edges[:, ~is_done]
        yield from _trace(edges[:, is_done])

    def finish(self) -> Iterator[Outline]:
        """The outlines of the objects that the lower border cuts."""
        yield from self.add(np.zeros((1, self.width), np.int32))


def _find_edges(numbers: NDArray[np.integer], top: int) -> Ints:
    """Horizontal edges (5, n) between the rows of `numbers` (h, w), whose second row is `top`."""
    width = numbers.shape[1]
    above = numbers[:-1].ravel()
    below = numbers[1:].ravel()
    places = np.flatnonzero(above != below)
    parts = []
    for is_below, own in enumerate((above[places], below[places])):
        is_object = own > 0
        at = places[is_object]
        number = own[is_object].astype(np.int64)
        rows, columns = np.divmod(at, width)
        begins = np.ones(len(at), bool)
        begins[1:] = (np.diff(at) != 1) | (np.diff(number) != 0) | (columns[1:] == 0)
        first = np.flatnonzero(begins)
        left = columns[first]
        right = left + np.diff(first, append=len(at))
        direction = np.full(len(first), is_below)
        parts.append(np.stack([number[first], rows[first] + top, left, right, direction]))
    return np.concatenate(parts, axis=1)


def _trace(edges: Ints) -> Iterator[Outline]:
    """The outlines of whole objects, by number, of all their edges."""
    if not edges.shape[1]:
        return
    edges = edges[:, np.lexsort((edges[_LEFT], edges[_ROW], edges[_NUMBER]))]
    ring_of, first, order = _order_rings(_follow(edges))
    number, row, left, right, is_below = edges
    # the object lies to the right: above it edges go to the right, below it to the left
    start = np.where(is_below, left, right)
    end = np.where(is_below, right, left)
    areas = np.bincount(ring_of, row * (start - end)).astype(np.float64)
    columns = np.stack([start, end], axis=1)[order].ravel()
    corners = np.stack([columns, np.repeat(row[order], 2)], axis=1).astype(np.float64)
    bounds = np.cumsum(2 * np.bincount(ring_of))
    rings = list[Floats]()
    begin = 0
    for stop in bounds.tolist():
        # closed, and turned round: as GeoJSON has it where north is up
        rings.append(np.concatenate([corners[begin:stop], corners[begin : begin + 1]])[::-1])
        begin = stop
    owners = number[first]
    changes = np.flatnonzero(np.diff(owners)) + 1
    starts = [0, *changes.tolist(), len(rings)]
    owner = owners[starts[:-1]].tolist()
    for place, (low, high) in enumerate(pairwise(starts)):
        yield owner[place], _group_rings(rings[low:high], areas[low:high])


def _follow(edges: Ints) -> Ints:
    """(n,) the edge that follows each, along the vertical edge between both."""
    number, row, left, right, is_below = edges
    count = edges.shape[1]
    _, index = np.unique(number, return_inverse=True)
    columns = np.concatenate([np.where(is_below, left, right), np.where(is_below, right, left)])
    rows, owners, sides = (np.tile(values, 2) for values in (row, index, is_below))
    # where two of the object's pixels touch by a corner each keeps its own: the upper one first
    key = ((owners * (columns.max() + 1) + columns) * (rows.max() + 1) + rows) * 2 + sides
    order = np.argsort(key, kind="stable")
    pairs = order.reshape(-1, 2)
    following = np.empty(count, np.int64)
    following[pairs.max(1) - count] = pairs.min(1)  # of an end the start
    places = key[order] // 2
    meet = np.flatnonzero(places[1:] == places[:-1])
    return _split_rings(following, order[meet], order[meet + 1])


def _split_rings(following: Ints, first: Ints, second: Ints) -> Ints:
    """`following` with rings that touch themselves in a corner parted there, as an outline and a
    hole are. first, second: edges that meet in a corner, both by their starts or, n more, by their
    ends.
    """
    count = len(following)
    _, rings = connected_components(_as_graph(following), directed=False)
    is_same = rings[first % count] == rings[second % count]
    first = first[is_same]
    second = second[is_same]
    starts = np.arange(count)
    ends = np.arange(count)
    for exchanged, chosen, shift in ((starts, first < count, 0), (ends, first >= count, count)):
        exchanged[first[chosen] - shift] = second[chosen] - shift
        exchanged[second[chosen] - shift] = first[chosen] - shift
    parted: Ints = starts[following[ends]]
    return parted


def _as_graph(following: Ints) -> csr_array:
    count = len(following)
    return csr_array((np.ones(count, np.int8), following, np.arange(count + 1)), (count, count))


def _order_rings(following: Ints) -> tuple[Ints, Ints, Ints]:
    """The ring of each edge (n,), the first edge of each ring, and the edges ring by ring; rings
    are numbered by their first edges.
    """
    count = len(following)
    rings, labels = connected_components(_as_graph(following), directed=False)
    first = np.full(rings, count)
    np.minimum.at(first, labels, np.arange(count))
    rank = np.argsort(np.argsort(first))
    first = np.sort(first)
    previous = np.empty(count, np.int64)
    previous[following] = np.arange(count)
    # all rings opened and put behind one another: one path, which is walked at once
    last = previous[first]
    path = following.copy()
    path[last[:-1]] = first[1:]
    ends = np.arange(count + 1)
    ends[last[-1] + 1 :] -= 1
    path = np.delete(path, last[-1])
    graph = csr_array((np.ones(count - 1, np.int8), path, ends), (count, count))
    order = breadth_first_order(graph, first[0], return_predecessors=False)
    return rank[labels], first, order


def _group_rings(rings: list[Floats], areas: Floats) -> list[Part]:
    """The parts of an object, each with its holes, whose areas are below 0."""
    outer = [place for place, area in enumerate(areas) if area > 0]
    parts = {place: [rings[place]] for place in outer}
    if len(outer) == len(rings):
        return list(parts.values())
    if len(outer) == 1:
        return [[rings[outer[0]], *(ring for place, ring in enumerate(rings) if place != outer[0])]]
    by_area = sorted(outer, key=lambda place: float(areas[place]))
    lows = np.array([rings[place].min(0) for place in by_area])
    highs = np.array([rings[place].max(0) for place in by_area])
    for place, ring in enumerate(rings):
        if areas[place] > 0:
            continue
        # the pixel above a hole's uppermost edge, the leftmost there, is of the part around it
        top = ring[ring[:, 1] == ring[:, 1].min()]
        point = top.min(0) + np.array([0.5, -0.5])
        near = np.flatnonzero(((lows < point) & (point < highs)).all(1)).tolist()
        around = next(by_area[index] for index in near if _contains(rings[by_area[index]], point))
        parts[around].append(ring)
    return list(parts.values())


def _contains(ring: Floats, point: Floats) -> bool:
    """Whether a ring, whose corners lie at whole numbers, holds a point that lies between them."""
    x, y = point
    below = ring[:, 1] > y
    is_crossed = (below[1:] != below[:-1]) & (ring[1:, 0] <= x)
    return bool(is_crossed.sum() % 2)
