"""One pass over the files of a data set, in threads; what an earlier pass measured is read from
the cache.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pixelwise.datasets.measure_pair import measure_pair
from pixelwise.datasets.pair_stats import Depth, MaskSource, PairStats
from pixelwise.datasets.scan_cache import ScanCache
from pixelwise.datasets.types import Pair
from pixelwise.hardware import count_cores

_MAX_THREADS = 8
# Pairs under way at once: what bounds the memory.
_CHUNK = 32


def scan_pairs(
    root: Path,
    pairs: Sequence[tuple[str, Pair]],
    source: MaskSource,
    *,
    depth: Depth,
    cache: ScanCache | None = None,
) -> Iterator[PairStats]:
    """Decode every pair, in order; decoding frees Python's lock, so threads help.

    Files that are unchanged since they were measured are not decoded again. Ended early, the pass
    keeps nothing.
    """
    cache = cache or ScanCache(root, source)
    threads = max(1, min(_MAX_THREADS, count_cores()))
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(pairs), _CHUNK):
            chunk = pairs[start : start + _CHUNK]
            yield from pool.map(partial(_measure, cache, depth, source), chunk)
    cache.save()


def _measure(
    cache: ScanCache,
    depth: Depth,
    source: MaskSource,
    entry: tuple[str, Pair],
) -> PairStats:
    split, pair = entry
    key = cache.key(pair)
    known = cache.find(key, split, pair, depth)
    if known is not None:
        return known
    stats = measure_pair(
        depth,
        source,
        split,
        pair,
        known=cache.find(key, split, pair, "masks"),
    )
    cache.add(key, stats)
    return stats
