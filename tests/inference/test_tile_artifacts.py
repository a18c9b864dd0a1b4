import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.inference.tile_artifacts import Seams
from pixelwise.inference.tiling import TilePlan


def by_hand(plan: TilePlan, labels: np.ndarray) -> tuple[float, float]:
    """Every pair of neighbours looked at."""
    h, w = plan.size
    rows = {edge for top in plan.rows for edge in (top, top + h)} - {0, plan.height}
    columns = {edge for left in plan.columns for edge in (left, left + w)} - {0, plan.width}
    pairs: dict[bool, list[bool]] = {True: [], False: []}
    for y in range(plan.height):
        for x in range(plan.width):
            if x:
                pairs[x in columns].append(labels[y, x] != labels[y, x - 1])
            if y:
                pairs[y in rows].append(labels[y, x] != labels[y - 1, x])
    return float(np.mean(pairs[True])), float(np.mean(pairs[False]))


@given(st.integers(0, 10_000), st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_the_shares_are_those_of_all_pairs_however_the_rows_come(
    seed: int, heights: list[int]
) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, (70, 50), dtype=np.uint8)
    plan = TilePlan(70, 50, (32, 32), 0.25)
    seams = Seams(plan)
    top = 0
    for height in [*heights, 70]:
        if top < 70:
            seams.add(top, labels[top : top + height])
            top += height
    assert seams.shares is not None
    np.testing.assert_allclose(seams.shares, by_hand(plan, labels))


def test_tiles_that_disagree_show_and_one_tile_has_no_seam() -> None:
    plan = TilePlan(64, 64, (32, 32), 0)
    checks = np.kron([[0, 1], [1, 0]], np.ones((32, 32), int)).astype(np.uint8)
    seams = Seams(plan)
    seams.add(0, checks)
    assert seams.shares == (1.0, 0.0)
    whole = Seams(TilePlan(20, 20, (32, 32), 0))
    whole.add(0, checks[:20, :20])
    assert (whole.shares, str(whole)) == (None, "one tile, so no seams")
