"""Features of a frozen encoder that are computed once."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import pixelwise
from pixelwise.training import feature_cache
from pixelwise.training.feature_cache import FeatureCache

PICTURES = torch.rand(3, 3, 8, 12, generator=torch.Generator().manual_seed(0))


class Network:
    """Two maps of a picture; notes what it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, images: Tensor) -> list[Tensor]:
        self.asked += len(images)
        return [images.mean(1, keepdim=True), 1e5 * images[:, :, ::2, ::2]]


def test_each_picture_is_computed_once(tmp_path: Path) -> None:
    network = Network()
    run = FeatureCache(tmp_path, 10**6).wrap(network)
    first = run(PICTURES)
    again = run(PICTURES.flip(0))
    assert network.asked == len(PICTURES)
    for level, repeated, exact in zip(first, again, network(PICTURES), strict=True):
        assert level.dtype == torch.float32
        torch.testing.assert_close(level, exact, rtol=1e-3, atol=1e-3)
        assert torch.equal(level, repeated.flip(0))


def test_pictures_of_equal_pixels_and_other_sizes_are_others(tmp_path: Path) -> None:
    network = Network()
    run = FeatureCache(tmp_path, 10**6).wrap(network)
    assert run(torch.zeros(1, 3, 4, 6))[0].shape == (1, 1, 4, 6)
    assert run(torch.zeros(1, 3, 6, 4))[0].shape == (1, 1, 6, 4)


def test_beyond_the_limit_features_are_computed_each_time(tmp_path: Path) -> None:
    network = Network()
    one = sum(level.half().nbytes for level in network(PICTURES[:1]))
    cache = FeatureCache(tmp_path / "features", one * 2)
    run = cache.wrap(network)
    kept = run(PICTURES)
    assert len(cache) < len(PICTURES)
    assert cache.size <= cache.limit
    computed = FeatureCache(tmp_path / "none", 0).wrap(network)(PICTURES)
    for level, other in zip(kept, computed, strict=True):
        assert torch.equal(level, other)


def test_a_damaged_file_and_a_disk_that_takes_none_cost_time_alone(tmp_path: Path) -> None:
    network = Network()
    cache = FeatureCache(tmp_path / "features", 10**6)
    run = cache.wrap(network)
    before = run(PICTURES)
    damaged, removed, _ = sorted((tmp_path / "features").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-5])
    removed.unlink()
    for level, other in zip(run(PICTURES), before, strict=True):
        assert torch.equal(level, other)
    assert network.asked == len(PICTURES) + 2
    (tmp_path / "file").touch()
    nowhere = FeatureCache(tmp_path / "file", 10**6)
    for level, other in zip(nowhere.wrap(network)(PICTURES), before, strict=True):
        assert torch.equal(level, other)
    assert len(nowhere) == 0


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pictures that were computed."""
    keys: list[str] = []
    write = FeatureCache._write

    def note(cache: FeatureCache, key: str, maps: list[Tensor]) -> None:
        keys.append(key)
        write(cache, key, maps)

    monkeypatch.setattr(FeatureCache, "_write", note)
    return keys


def test_a_training_with_kept_features_is_the_one_without(
    shapes: Path,
    trained: Path,
    tmp_path: Path,
    quick: dict[str, Any],
    read_weights: Any,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {**quick, "start": str(trained), "frozen": True, "augment": "light", "epochs": 4}
    del options["weights"]
    pixelwise.train(shapes, tmp_path / "kept", frozen_views=2, **options)
    assert len(written) == len(set(written))
    assert not list((tmp_path / "kept").glob("features*"))
    distinct = set(written)
    written.clear()
    monkeypatch.setattr(feature_cache, "DISK_SHARE", 10**18)
    pixelwise.train(shapes, tmp_path / "computed", frozen_views=2, **options)
    assert set(written) == distinct
    assert len(written) > 1.5 * len(distinct)
    kept = read_weights(tmp_path / "kept")
    computed = read_weights(tmp_path / "computed")
    assert all(torch.equal(kept[name], computed[name]) for name in kept)


def test_without_views_nothing_is_kept(
    shapes: Path, trained: Path, tmp_path: Path, quick: dict[str, Any], written: list[str]
) -> None:
    options = {**quick, "start": str(trained), "frozen": True, "frozen_views": 0, "epochs": 1}
    del options["weights"]
    pixelwise.train(shapes, tmp_path / "run", **options)
    assert written == []
    assert json.loads((tmp_path / "run/run.json").read_text())["config"]["frozen_views"] == 0
