"""Polygons with holes as one ring (a keyhole polygon), for formats that have no holes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.annotations.polygons import Points


@dataclass(frozen=True)
class _Bridge:
    """From a corner of a ring to a corner of another, by their numbers there."""

    start: int
    ring: int
    end: int


def join_holes(rings: Sequence[Points]) -> Points:
    """One ring for an outline and its holes, each joined by a line there and back, which encloses
    nothing.

    Of all ways to join them the shortest: no line crosses another hole, as tools that draw lines
    would fill it there.
    """
    if len(rings) == 1:
        return rings[0]
    bridges = _find_bridges(rings)
    corners: list[Points] = []
    # of each ring that is being gone round: the ring, where it began, and the step
    stack = [(0, 0, 0)]
    while stack:
        number, start, step = stack.pop()
        ring = rings[number]
        corner = (start + step) % len(ring)
        corners.append(ring[corner])
        crossed = bridges.get(number, {}).get(corner)
        if crossed:
            bridge = crossed.pop()
            stack += [(number, start, step), (bridge.ring, bridge.end, 0)]
        elif step < len(ring) - (number == 0):
            stack.append((number, start, step + 1))
    return np.array(corners)


def _find_bridges(rings: Sequence[Points]) -> Mapping[int, Mapping[int, list[_Bridge]]]:
    """By ring and corner, the bridges that lead away from the outline: of a spanning tree.

    The shortest of such trees lies within Delaunay's triangles of the corners.
    """
    # 0.1 s that other formats need not wait for
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    points = np.concatenate(rings)
    counts = [len(ring) for ring in rings]
    owners = np.repeat(np.arange(len(rings)), counts)
    firsts = np.cumsum([0, *counts[:-1]])
    edges = _list_edges(points)
    edges = edges[owners[edges[:, 0]] != owners[edges[:, 1]]]
    # 1 is added as a tree takes an edge of length 0 for none
    lengths = 1 + np.hypot(*(points[edges[:, 0]] - points[edges[:, 1]]).T)
    edges = edges[np.argsort(lengths, kind="stable")]
    pairs, shortest = np.unique(np.sort(owners[edges], axis=1), axis=0, return_index=True)
    weights = np.sort(lengths)[shortest]
    graph = csr_array((weights, pairs.T), (len(rings), len(rings)))
    tree = minimum_spanning_tree(graph)
    parents = breadth_first_order(tree, 0, directed=False)[1]
    ends = {tuple(pair): edges[at] for pair, at in zip(pairs.tolist(), shortest, strict=True)}
    bridges: dict[int, dict[int, list[_Bridge]]] = {}
    for ring in range(1, len(rings)):
        parent = max(int(parents[ring]), 0)  # negative where Delaunay has left corners out
        pair = (min(ring, parent), max(ring, parent))
        one, other = (int(at) for at in ends.get(pair, firsts[[parent, ring]]))
        start, end = (one, other) if owners[one] == parent else (other, one)
        bridge = _Bridge(start - int(firsts[parent]), ring, end - int(firsts[ring]))
        bridges.setdefault(parent, {}).setdefault(bridge.start, []).append(bridge)
    return bridges


def _list_edges(points: Points) -> NDArray[np.int64]:
    """(n, 2): pairs of points that are the same, and the sides of Delaunay's triangles."""
    from scipy.spatial import Delaunay

    places, first, place = np.unique(points, axis=0, return_index=True, return_inverse=True)
    place = place.ravel()
    alike = np.stack([first[place], np.arange(len(points))], axis=1)
    corners = first[Delaunay(places).simplices]
    sides = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges: NDArray[np.int64] = np.concatenate([alike, sides])
    return edges
