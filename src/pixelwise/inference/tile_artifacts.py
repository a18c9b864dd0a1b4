"""How much tiles show in the labels: changes of label across their edges against those
elsewhere.
"""

import numpy as np

from pixelwise.inference.tiling import TilePlan
from pixelwise.io.images import Array


class Seams:
    """Counts pairs of neighbouring pixels with different labels: those that an edge of a tile
    parts, and the others.

    Where tiles leave no trace both shares are alike. Rows are handed to `add` from the top to
    the bottom.
    """

    def __init__(self, plan: TilePlan) -> None:
        height, width = plan.size
        self._rows = _edges(plan.rows, height, plan.height)
        self._columns = _edges(plan.columns, width, plan.width)
        self._last: Array | None = None
        self._pairs = np.zeros((2, 2), np.int64)  # at an edge or not, by same or other label

    def add(self, top: int, labels: Array) -> None:
        """The labels (h, W) of the rows from `top` on."""
        sideways = labels[:, 1:] != labels[:, :-1]
        self._count(sideways, self._columns[1:][None, :])
        first = top + 1
        if self._last is not None:
            # The row above belongs to the piece before this one.
            labels = np.vstack([self._last, labels])
            first = top
        downwards = labels[1:] != labels[:-1]
        edges = self._rows[first : first + len(downwards)]
        self._count(downwards, edges[:, None])
        self._last = labels[-1:]

    def _count(self, changes: np.ndarray, edges: np.ndarray) -> None:
        at_edge = np.broadcast_to(edges, changes.shape)
        for edge in (0, 1):
            pairs = changes[at_edge == edge]
            changed = int(pairs.sum())
            self._pairs[edge] += (pairs.size - changed, changed)

    @property
    def shares(self) -> tuple[float, float] | None:
        """Shares of pairs with different labels, across tiles' edges and elsewhere; None where
        there is no edge.
        """
        (inside_same, inside_changed), (edge_same, edge_changed) = self._pairs.tolist()
        edge_pairs = edge_same + edge_changed
        inside_pairs = inside_same + inside_changed
        if not edge_pairs:
            return None
        return edge_changed / edge_pairs, inside_changed / max(1, inside_pairs)

    def __str__(self) -> str:
        shares = self.shares
        if shares is None:
            return "one tile, so no seams"
        edge, elsewhere = (f"{100 * share:.3f} %" for share in shares)
        return (
            f"labels change between {edge} of the neighbouring pixels across tile edges and "
            f"{elsewhere} elsewhere"
        )


def _edges(starts: list[int], side: int, length: int) -> np.ndarray:
    """For each place whether a tile begins there, or ended before it."""
    edges = np.zeros(length, bool)
    for start in starts:
        edges[start] = start > 0
        if start + side < length:
            edges[start + side] = True
    return edges
