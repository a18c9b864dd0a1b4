import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pixelwise.cluster import worker
from pixelwise.cluster.ray_executor import AttemptTracker
from pixelwise.cluster.worker import MAX_LOAD_DEATHS, load_predictor
from pixelwise.errors import ConfigError
from pixelwise.inference.load import load


def test_a_model_that_ends_its_workers_again_and_again_is_given_up(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A death is an exception here that nothing catches."""
    context = SimpleNamespace(get_actor_id=lambda: "a1")
    ray: Any = SimpleNamespace(get=lambda files: files, get_runtime_context=lambda: context)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(worker, "call_actor", lambda method, *given: method(*given))
    attempts = AttemptTracker()
    files = {"m.onnx": model.read_bytes()}

    def die(*given: object, **options: object) -> None:
        raise KeyboardInterrupt

    for deaths in (MAX_LOAD_DEATHS - 1, MAX_LOAD_DEATHS):
        with monkeypatch.context() as patch:
            patch.setattr(worker, "load", die)
            for _ in range(deaths):
                with pytest.raises(KeyboardInterrupt):
                    load_predictor(files, {}, attempts)
        if deaths < MAX_LOAD_DEATHS:
            assert load_predictor(files, {}, attempts).classes.names[1] == "circle", (
                "and those before count no more"
            )
    with pytest.raises(
        ConfigError,
        match="died or hung 8 times in a row while it loaded the model; give it more memory",
    ):
        load_predictor(files, {}, attempts)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores can be counted only")
@pytest.mark.parametrize("share", [False, True])
def test_workers_that_share_a_machine_do_not_all_bind_to_its_first_core(
    share: bool, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino", reason="the extra export is not installed")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    monkeypatch.setenv("OMP_NUM_THREADS", "1" if share else "2")
    predictor = load(model, runtime="openvino")
    predictor.predict(np.zeros((32, 32, 3), np.uint8))
    (network,) = predictor.runner.networks.values()  # type: ignore[attr-defined]
    pinned = network.compiled.get_property("ENABLE_CPU_PINNING")
    assert pinned == (not share), openvino.__version__
