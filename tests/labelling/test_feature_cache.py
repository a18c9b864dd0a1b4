import os
from pathlib import Path

import numpy as np

from pixelwise.labelling.feature_cache import FeatureCache


def array(kib: int) -> dict[str, np.ndarray]:
    return {"a": np.arange(kib * 512, dtype=np.float16)}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    cache = FeatureCache(10_000, tmp_path)
    cache.save("x", array(4))
    loaded = cache.load("x")
    assert loaded is not None
    assert np.array_equal(loaded["a"], array(4)["a"])
    assert cache.load("y") is None


def test_the_least_recently_used_go_where_there_is_no_room(tmp_path: Path) -> None:
    cache = FeatureCache(10_000, tmp_path)
    for age, key in ((300, "old"), (200, "used"), (100, "new")):
        cache.save(key, array(4))
        os.utime(tmp_path / f"{key}.safetensors", (1e9 - age, 1e9 - age))
    assert cache.load("used") is not None
    cache.save("last", array(4))
    assert [cache.load(key) is not None for key in ("old", "used", "new", "last")] == [
        False,
        True,
        False,
        True,
    ]


def test_what_is_damaged_or_larger_than_the_bound_was_never_there(tmp_path: Path) -> None:
    cache = FeatureCache(5_000, tmp_path)
    cache.save("x", array(4))
    (tmp_path / "x.safetensors").write_bytes(b"cut")
    assert cache.load("x") is None
    cache.save("large", array(8))
    assert cache.load("large") is None
