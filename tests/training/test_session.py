from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import pixelwise
from pixelwise.errors import TrainingError
from pixelwise.training import plan, session
from pixelwise.training.session import batches_in_step


def test_too_little_memory_is_said_with_the_way_out(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    hungry: Any,
) -> None:
    with monkeypatch.context() as patch:
        task = replace(session.ONE_CLASS, validation_loss=hungry)
        patch.setattr(session, "ONE_CLASS", task)
        with pytest.raises(
            TrainingError, match=r"^cpu has too little .* for validation, .* 1024 .* predict_scale"
        ):
            pixelwise.train(shapes, tmp_path / "validated", epochs=1, **quick)
    monkeypatch.setattr(plan, "make_loss", lambda *_, **__: hungry)
    with pytest.raises(
        TrainingError, match=r"^cpu has too little .* 2 samples of 32 x 32 .* smaller --batch"
    ):
        pixelwise.train(shapes, tmp_path / "run", epochs=1, **quick)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_what_is_validated_is_saved(
    ema: float, shapes: Path, tmp_path: Path, quick: dict[str, Any], read_weights: Any
) -> None:
    """The average of the weights where there is one."""
    pixelwise.train(shapes, tmp_path / "run", epochs=2, ema=ema, **quick)
    state = torch.load(tmp_path / "run/state/last.pt", weights_only=True)
    saved = read_weights(tmp_path / "run")
    expected = state["average" if ema else "model"]
    assert all(torch.equal(saved[name], expected[name]) for name in saved)
    if ema:
        assert not all(torch.equal(saved[name], state["model"][name]) for name in saved)


def test_counted_minutes_reserve_what_validation_and_the_end_take(
    shapes: Path, tmp_path: Path, quick: dict[str, Any], listener: Any
) -> None:
    run = pixelwise.train(shapes, tmp_path / "run", minutes=0.1, progress=listener, **quick)
    assert run.history[-1].seconds < 6.5
    assert any(
        line.startswith("time: 0.1 minutes, of which preparations took 0.0; ends about ")
        for line in listener.lines
    )


def test_two_half_batches_make_the_step_of_one(
    shapes: Path, tmp_path: Path, quick: dict[str, Any], read_weights: Any
) -> None:
    """Without batch normalisation, at a constant rate and with every pixel counted."""
    by_hand = {
        "loss": "cross_entropy",
        "ema": 0.0,
        "optimizer": "sgd",
        "decay": "constant",
        "warmup": 0.0,
    }
    options = {
        **quick,
        **by_hand,
        "encoder": "test_convnext",
        "plain": True,
        "augment": "none",
        "epochs": 1,
    }
    pixelwise.train(shapes, tmp_path / "one", **{**options, "batch": 4})
    pixelwise.train(shapes, tmp_path / "two", **{**options, "batch": 2, "accumulate": 2})
    a = read_weights(tmp_path / "one")
    b = read_weights(tmp_path / "two")
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-6)


def test_the_last_step_of_an_epoch_may_have_fewer_batches() -> None:
    assert [batches_in_step(number, of=6, size=4) for number in range(1, 7)] == [4, 4, 4, 4, 2, 2]
    assert [batches_in_step(number, of=4, size=2) for number in range(1, 5)] == [2, 2, 2, 2]
    assert [batches_in_step(number, of=2, size=5) for number in (1, 2)] == [2, 2]
