from hypothesis import given
from hypothesis import strategies as st

from pixelwise.inference.batching import (
    BATCHES_AHEAD,
    MAX_BATCH_IMAGES,
    MAX_BATCH_PIXELS,
    MAX_BATCHES_A_WORKER,
    MIN_CHUNK_ROWS,
    count_row_chunks,
    make_batches,
    split_image,
)
from pixelwise.inference.tiling import RowChunk

SIZES = st.lists(st.integers(1, 3 * MAX_BATCH_PIXELS), min_size=1, max_size=200)


@given(SIZES, st.integers(1, 50))
def test_every_image_is_in_one_unit_and_no_unit_is_more_than_its_share(
    pixels: list[int], workers: int
) -> None:
    names = [f"{number}.png" for number in range(len(pixels))]
    units = make_batches(names, pixels, workers=workers)
    dealt = [pair for unit in units for pair in zip(unit.images, unit.pixels, strict=True)]
    assert sorted(dealt) == sorted(zip(names, pixels, strict=True))
    left = sum(pixels)
    for unit in units:
        share = max(left / workers / BATCHES_AHEAD, sum(pixels) / workers / MAX_BATCHES_A_WORKER)
        assert len(unit.images) == 1 or sum(unit.pixels) <= min(MAX_BATCH_PIXELS, share)
        left -= sum(unit.pixels)
    assert all(len(unit.images) <= MAX_BATCH_IMAGES for unit in units)
    assert [unit.number for unit in units] == list(range(len(units)))


def test_one_huge_image_is_begun_first_and_shares_its_unit_with_nobody() -> None:
    pixels = [1000] * 500 + [900_000] + [1000] * 500
    units = make_batches([str(number) for number in range(1001)], pixels, workers=4)
    assert units[0].images == ("500",)
    assert max(len(unit.images) for unit in units) == 1_000_000 // 1000 // (4 * BATCHES_AHEAD)
    assert units[-1].images[-1] == "1000", "those of one size keep their order"


def test_whoever_takes_the_next_unit_when_free_is_done_at_about_the_same_time_as_the_others() -> (
    None
):
    """Sizes from one to a thousand: the last worker is behind the first by no more than a small
    unit.
    """
    pixels = [10 ** (number % 4) * 1000 for number in range(4000)]
    workers = [0] * 8
    units = make_batches([str(number) for number in range(4000)], pixels, workers=8)
    for unit in units:
        workers[workers.index(min(workers))] += sum(unit.pixels)
    assert max(workers) - min(workers) <= sum(pixels) / 8 / MAX_BATCHES_A_WORKER
    assert len(units) < 8 * MAX_BATCHES_A_WORKER


@given(st.integers(1, 10**10), st.integers(1, 500), st.integers(0, 10**12), st.integers(1, 200))
def test_bands_are_of_a_few_rows_of_tiles_and_an_image_that_is_a_small_share_stays_whole(
    pixels: int, rows: int, others: int, workers: int
) -> None:
    found = count_row_chunks(pixels, rows, total=pixels + others, workers=workers)
    total = pixels + others
    assert found == 1 or (rows // found >= MIN_CHUNK_ROWS and workers > 1)
    assert found <= workers or found % workers == 0
    if 2 * pixels * workers <= total:
        assert found == 1
    elif rows // MIN_CHUNK_ROWS > 2 * workers and workers > 1:
        assert pixels / found <= total / workers, "no more than falls to a worker"


def test_a_large_image_goes_in_bands_where_workers_would_wait_for_it() -> None:
    """40,000 x 40,000 pixels and 45 rows of tiles, alone and beside others, for few and for many
    workers.
    """
    assert count_row_chunks(1_600_000_000, 45, total=1_600_000_000, workers=4) == 8
    assert count_row_chunks(1_600_000_000, 45, total=16_000_000_000, workers=4) == 1
    assert count_row_chunks(1_600_000_000, 45, total=3 * 1_600_000_000, workers=2) == 2
    assert count_row_chunks(1_600_000_000, 45, total=1_600_000_000, workers=100) == 11
    assert count_row_chunks(120_000_000, 12, total=120_000_000, workers=2) == 2, (
        "three would give one of two workers twice as much"
    )
    assert count_row_chunks(120_000_000, 12, total=120_000_000, workers=1) == 1


def test_an_image_is_cut_into_a_unit_for_each_band() -> None:
    units = split_image("a.tif", 100, 3, number=7)
    assert [(unit.number, unit.pixels, unit.chunk) for unit in units] == [
        (7, (33,), RowChunk(0, 3)),
        (8, (33,), RowChunk(1, 3)),
        (9, (33,), RowChunk(2, 3)),
    ]
