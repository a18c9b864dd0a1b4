import threading
import time
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.errors import ConfigError, ModelError
from pixelwise.inference.threads import WORKERS
from pixelwise.inference.tiling import STEADY, WEIGHTS, RowChunk, TilePlan, positions, side, stream
from pixelwise.inference.tta import Runner, with_tta

overlaps = st.floats(0, 0.95)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )


def fake(rgb: np.ndarray) -> np.ndarray:
    """Logits that depend on the pixel and on where in its tile it lies, so a wrong average cannot
    hide.
    """
    height, width = rgb.shape[-2:]
    place = np.arange(height)[:, None] * 0.37 + np.arange(width) * 0.11
    parts = [rgb / 255 + place, rgb.mean(1, keepdims=True) / 255 - np.sin(place)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def brute(rgb: np.ndarray, plan: TilePlan) -> np.ndarray:
    """Every tile added into one array of the whole picture."""
    total = np.zeros((4, plan.height, plan.width))
    count = np.zeros((plan.height, plan.width))
    for top in plan.rows:
        for left in plan.columns:
            tile = rgb[top : top + plan.size[0], left : left + plan.size[1]]
            logits = fake(tile.transpose(2, 0, 1)[None])[0]
            total[:, top : top + tile.shape[0], left : left + tile.shape[1]] += logits
            count[top : top + tile.shape[0], left : left + tile.shape[1]] += 1
    assert count.min() >= 1
    return total / count


@given(length=st.integers(1, 500), tile=st.integers(1, 120), overlap=overlaps)
def test_positions_cover_every_pixel_with_at_least_the_overlap(
    length: int, tile: int, overlap: float
) -> None:
    starts = positions(length, tile, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(0, length - tile)
    for first, second in pairwise(starts):
        assert first < second <= first + tile
        assert first + tile - second >= min(overlap * tile, tile - 1) - 1e-9


def test_positions_are_evenly_spread() -> None:
    assert positions(1000, 400, 0.25) == [0, 300, 600]
    assert positions(1001, 400, 0.25) == [0, 200, 400, 601]
    assert positions(400, 400, 0.25) == [0]


@given(length=st.integers(1, 5000), tile=st.integers(32, 1024), overlap=overlaps)
def test_tiles_are_no_larger_than_as_few_of_them_need(
    length: int, tile: int, overlap: float
) -> None:
    taken = side(length, tile, overlap)
    assert taken <= tile
    assert taken == length or (taken >= 0.75 * tile and (taken == tile or taken % 32 == 0))
    assert len(positions(length, taken, overlap)) == len(positions(length, tile, overlap))


def test_a_large_picture_is_not_computed_half_as_much_again() -> None:
    """5000 pixels in tiles of 1024 take six a side, which would share 229 pixels where 128 are
    asked for.
    """
    assert side(5000, 1024, 0.125) == 960
    assert side(1100, 1024, 0.125) == 768
    assert side(2048, 1024, 0.0) == 1024
    assert side(1000, 1024, 0.125) == 1000


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 130),
    width=st.integers(1, 130),
    tile=st.tuples(st.integers(32, 70), st.integers(32, 70)),
    overlap=overlaps.filter(lambda share: share < 0.85),
)
def test_pieces_equal_the_average_over_the_whole_picture(
    height: int, width: int, tile: tuple[int, int], overlap: float
) -> None:
    rgb = picture(height, width)
    plan = TilePlan(height, width, tile, overlap)
    np.testing.assert_allclose(
        joined(stream(fake, rgb, plan), plan), brute(rgb, plan), atol=1e-4, rtol=1e-5
    )


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 200),
    tile=st.tuples(st.integers(32, 50), st.integers(32, 70)),
    overlap=overlaps.filter(lambda share: share < 0.85),
    weights=st.sampled_from(WEIGHTS),
    of=st.integers(1, 9),
)
def test_pieces_of_all_bands_are_those_of_the_whole_to_the_last_bit(
    height: int, tile: tuple[int, int], overlap: float, weights: str, of: int
) -> None:
    rgb = picture(height, 90)
    plan = TilePlan(height, 90, tile, overlap, weights)
    ran = 0

    def counted(tiles: np.ndarray) -> np.ndarray:
        nonlocal ran
        ran += 1
        return fake(tiles)

    whole = [(*place, piece.tobytes()) for *place, piece in stream(fake, rgb, plan)]
    parts = [
        (*at, piece.tobytes())
        for n in range(of)
        for *at, piece in stream(counted, rgb, plan, RowChunk(n, of))
    ]
    assert parts == whole
    above = (
        -(-plan.size[0] // min(np.diff(plan.rows), default=plan.size[0])) - 1
    )  # rows of tiles that reach into one
    assert len(whole) <= ran <= len(whole) + (of - 1) * above * len(plan.columns)


def joined(pieces: Iterable[tuple[int, int, np.ndarray]], plan: TilePlan) -> np.ndarray:
    """The whole picture's logits; each pixel must come once, and rows of pieces in their order."""
    whole = np.zeros((4, plan.height, plan.width))
    seen = np.zeros((plan.height, plan.width), int)
    ends = [0]
    for top, left, logits in pieces:
        piece = np.s_[top : top + logits.shape[1], left : left + logits.shape[2]]
        whole[:, *piece] = logits
        seen[piece] += 1
        assert top == ends[-1]
        if left + logits.shape[2] == plan.width:
            ends.append(top + logits.shape[1])
    assert (seen == 1).all()
    return whole


@given(
    length=st.integers(33, 3000),
    tile=st.integers(32, 512),
    overlap=st.sampled_from([0.0, 1 / 16, 0.125, 0.5]),
)
def test_with_linear_weights_no_tile_begins_or_ends_with_a_jump(
    length: int, tile: int, overlap: float
) -> None:
    """Where a tile's edge lies in others, its share of the mean there is small; elsewhere it counts
    fully.
    """
    plan = TilePlan(length, length, (tile, tile), overlap, "linear")
    profile = plan.profile(plan.size[0])
    assert profile.max() == 1 or overlap == 0.5
    total = np.zeros(length)
    for top in plan.rows:
        total[top : top + len(profile)] += profile
    ramp = int(np.ceil(plan.size[0] * overlap)) + 1
    for top in [
        top for top in plan.rows[1:] if top >= ramp and overlap
    ]:  # else the first tile's own ramp is there too
        assert profile[0] / total[top] < 1.5 / ramp
    if not overlap:
        assert (profile == 1).all()


def test_pieces_stay_what_they_were_while_later_ones_are_made() -> None:
    rgb = picture(200, 90)
    plan = TilePlan(200, 90, (32, 32), 0.5)
    kept = list(stream(fake, rgb, plan))
    copied = [(*place, piece.copy()) for *place, piece in stream(fake, rgb, plan)]
    assert all(np.array_equal(one[2], other[2]) for one, other in zip(kept, copied, strict=True))


def test_what_is_held_does_not_grow_with_the_picture() -> None:
    """Sixteen times the rows take no more memory, and less is held than is said."""
    peaks = []
    for height in (512, 8192):
        plan = TilePlan(height, 512, (64, 64), 0.25)
        rgb = picture(height, 512)
        tracemalloc.start()
        for _ in stream(fake, rgb, plan):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
    assert peaks[1] < plan.memory(4, copies=copies_of_fake) + 300_000


copies_of_fake = 4
"""What `fake` itself holds beside its result, in parts of that."""


def test_one_tile_gives_the_runners_own_logits_without_a_copy() -> None:
    given_out = np.zeros((1, 4, 40, 50), np.float32)
    [(top, left, piece)] = stream(
        lambda _: given_out, picture(40, 50), TilePlan(40, 50, (64, 64), 0.25)
    )
    assert (top, left) == (0, 0)
    assert np.shares_memory(piece, given_out)


def test_logits_that_are_read_only_or_of_another_type_are_averaged_as_well() -> None:
    def elsewhere(rgb: np.ndarray) -> np.ndarray:
        logits = fake(rgb).astype(np.float64)
        logits.setflags(write=False)
        return logits

    rgb = picture(70, 90)
    plan = TilePlan(70, 90, (40, 40), 0.25, "linear")
    np.testing.assert_array_equal(
        joined(stream(elsewhere, rgb, plan), plan), joined(stream(fake, rgb, plan), plan)
    )


def test_a_read_only_picture_can_be_streamed() -> None:
    rgb = picture(1, 1)
    rgb.flags.writeable = False
    assert len(list(stream(fake, rgb, TilePlan(1, 1, (32, 32), 0)))) == 1


def test_a_few_tiles_are_in_work_at_once_and_no_more() -> None:
    running = 0
    most = 0
    lock = threading.Lock()

    def counting(rgb: np.ndarray) -> np.ndarray:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return fake(rgb)

    list(stream(counting, picture(96, 160), TilePlan(96, 160, (32, 32), 0)))
    assert 2 <= most <= WORKERS


class Steady:
    """A runner with another way for many inputs of one shape."""

    def __init__(self) -> None:
        self.ways: list[str] = []

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.ways.append("any")
        return fake(rgb)

    def specialize_for_shape(self) -> Runner:
        return lambda rgb: self.ways.append("steady") or fake(rgb)  # type: ignore[func-returns-value]


@pytest.mark.parametrize(("columns", "way"), [(STEADY - 1, "any"), (STEADY, "steady")])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_runner_prepares_itself_for_many_tiles_and_for_a_band_as_for_the_whole(
    columns: int, way: str, *, mirror: bool
) -> None:
    width = 32 * columns
    rgb = picture(64, width)
    plan = TilePlan(64, width, (64, 32), 0)
    for band in None, RowChunk(0, 1):
        runner = Steady()
        list(stream(with_tta(runner, mirror=mirror), rgb, plan, band))
        assert runner.ways == [way] * columns * (1 + mirror)


def test_a_piece_that_is_not_taken_stops_the_tiles() -> None:
    """Whoever leaves the loop, by an error or Ctrl-C, does not wait for the rest of the picture."""
    calls: list[int] = []
    pieces = stream(
        lambda rgb: calls.append(1) or fake(rgb), picture(640, 32), TilePlan(640, 32, (32, 32), 0)
    )
    next(pieces)
    pieces.close()
    assert len(calls) <= WORKERS + 2


@pytest.mark.parametrize(
    ("tile", "overlap"), [((31, 64), 0.0), ((64, 0), 0.0), ((64, 64), 1.0), ((64, 64), -0.1)]
)
def test_a_plan_that_cannot_be_is_refused(tile: tuple[int, int], overlap: float) -> None:
    with pytest.raises(ConfigError, match=r"tile|overlap"):
        TilePlan(100, 100, tile, overlap)


def test_an_overlap_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="overlap nan"):
        TilePlan(100, 100, (64, 64), float("nan"))


def test_logits_of_another_size_are_refused() -> None:
    with pytest.raises(ModelError, match=r"1 x 4 x 20 x 20.*40 x 40"):
        list(
            stream(
                lambda rgb: fake(rgb)[:, :, ::2, ::2],
                picture(40, 40),
                TilePlan(40, 40, (64, 64), 0),
            )
        )
