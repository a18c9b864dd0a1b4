from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import pixelwise
from pixelwise.errors import TrainingError
from pixelwise.training import plan
from pixelwise.training.config import TrainConfig
from pixelwise.training.losses import Loss, make_loss
from pixelwise.training.run_record import restore_options
from pixelwise.training.short_memory import halve_batch

OUT_OF_MEMORY = (
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
)


def limit_memory(monkeypatch: pytest.MonkeyPatch, fits: int, error: Exception) -> None:
    """Steps of more than so many samples raise an error."""

    def make(text: str, **options: Any) -> Loss:
        real = make_loss(text, **options)

        def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            if len(logits) > fits:
                raise error
            return real(logits, target)

        return loss

    monkeypatch.setattr(plan, "make_loss", make)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cpu", "cuda"])
def test_steps_that_do_not_fit_become_the_same_steps_of_smaller_batches(
    error: Exception,
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
    read_weights: Callable[[Path], dict[str, torch.Tensor]],
) -> None:
    small = {**quick, "batch": 2, "accumulate": 2}
    pixelwise.train(shapes, tmp_path / "small", epochs=1, **small)
    limit_memory(monkeypatch, 2, error)
    pixelwise.train(shapes, tmp_path / "run", epochs=1, progress=listener, **quick)
    assert [line for line in listener.lines if "memory" in line] == [
        "too little memory for batches of 4: the training begins anew with batches of 2, 2 of "
        "which make a step"
    ]
    expected = read_weights(tmp_path / "small")
    for name, weights in read_weights(tmp_path / "run").items():
        assert torch.equal(weights, expected[name])
    # a run that is resumed begins with what fitted
    config, _ = restore_options(tmp_path / "run", TrainConfig(), pixelwise.DataOptions(), listener)
    assert (config.data.batch, config.optim.accumulate) == (2, 2)


def test_a_trial_step_that_does_not_fit_is_tried_smaller(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
) -> None:
    real = plan.try_steps
    batches = []

    def try_steps(*network: Any, batch: int, **options: Any) -> Any:
        batches.append(batch)
        if batch > 2:
            raise OUT_OF_MEMORY[0]
        return real(*network, batch=batch, **options)

    monkeypatch.setattr(plan, "try_steps", try_steps)
    auto = {**quick, "precision": "auto"}
    run = pixelwise.train(shapes, tmp_path / "run", epochs=1, progress=listener, **auto)
    assert batches == [4, 2]
    assert len(run.history) == 1


def test_what_does_not_fit_in_the_smallest_batches_is_an_error(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
) -> None:
    limit_memory(monkeypatch, 1, OUT_OF_MEMORY[0])
    with pytest.raises(TrainingError, match="too little free memory for steps of 2 samples"):
        pixelwise.train(shapes, tmp_path / "run", epochs=1, progress=listener, **quick)
    assert sum("begins anew" in line for line in listener.lines) == 1


def test_after_an_epoch_nothing_begins_anew(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
) -> None:
    run = tmp_path / "run"
    pixelwise.train(shapes, run, epochs=1, **quick)
    limit_memory(monkeypatch, 2, OUT_OF_MEMORY[0])
    with pytest.raises(TrainingError, match="too little free memory for steps of 4 samples"):
        pixelwise.train(shapes, run, epochs=2, resume=True, progress=listener, **quick)
    assert not any("begins anew" in line for line in listener.lines)


def test_halves_are_rounded_up_and_end_at_two() -> None:
    for batch, accumulate, expected in ((8, None, (4, 2)), (7, 3, (4, 6)), (3, 1, (2, 2))):
        config = TrainConfig.from_flat(batch=batch, accumulate=accumulate)
        assert halve_batch(config) == dict(zip(("batch", "accumulate"), expected, strict=True))
    assert halve_batch(TrainConfig.from_flat(batch=2)) is None
