import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

import pixelwise
from pixelwise.errors import TrainingError
from pixelwise.models.checkpoint import load_model
from pixelwise.training import plan
from pixelwise.training.history import Epoch
from pixelwise.training.losses import Loss, make_loss
from pixelwise.training.schedule import rate_factor
from pixelwise.training.session import EpochStats, Session


def test_a_gradient_that_is_no_number_is_stepped_back_from_when_it_is_clipped(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
) -> None:
    plain = make_loss("cross_entropy")
    calls = itertools.count()

    def steep(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        found = plain(logits, target)
        if next(calls) == 4:  # in the second epoch
            found = found + 0 * (logits.sum() * 0).sqrt()  # 0, its slope infinite
        return found

    monkeypatch.setattr(plan, "make_loss", lambda *_, **__: steep)
    run = pixelwise.train(shapes, tmp_path / "run", epochs=2, clip=1.0, progress=listener, **quick)
    assert (
        "epoch 2: the loss became no number; back to the end of epoch 1, rate halved"
        in listener.lines
    )
    assert len(run.history) == 2


def test_minutes_end_the_training_in_time(
    shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    run = pixelwise.train(shapes, tmp_path / "run", minutes=0.04, **quick)
    assert len(run.history) >= 1
    assert run.history[-1].seconds < 0.04 * 60 + 5


def broken_loss(monkeypatch: pytest.MonkeyPatch, broken: Callable[[int], bool]) -> None:
    """Makes the loss of each step no number whose count from 0 is `broken`."""
    calls = itertools.count()

    def make(text: str, **options: Any) -> Loss:
        real = make_loss(text, **options)
        return lambda logits, target: (
            real(logits, target) * (math.nan if broken(next(calls)) else 1)
        )

    monkeypatch.setattr(plan, "make_loss", make)


def test_a_loss_that_stays_no_number_stops_and_keeps_the_best(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: dict[str, Any]
) -> None:
    broken_loss(monkeypatch, lambda step: step >= 4)
    with pytest.raises(
        TrainingError, match=r"nan.*best model so far is kept.*smaller learning rate"
    ):
        pixelwise.train(shapes, tmp_path / "run", epochs=3, **quick)
    assert load_model(tmp_path / "run")[1].training["epoch"]["epoch"] == 1


def test_a_loss_that_is_no_number_once_steps_back_and_goes_on_at_half_the_rate(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
    read_weights: Any,
) -> None:
    broken_loss(monkeypatch, lambda step: step == 4)  # the second of epoch 2
    rates = {"learning_rate": 3e-3, "warmup": 0.04}
    run = pixelwise.train(shapes, tmp_path / "run", epochs=3, progress=listener, **rates, **quick)
    assert any("back to the end of epoch 1, rate halved" in line for line in listener.lines)
    assert [row.epoch for row in run.history] == [1, 2, 3]
    factor = rate_factor(5 / 9, warmup=0.04)
    assert run.history[1].learning_rate == pytest.approx(0.5 * 3e-3 * factor)
    assert all(
        math.isfinite(float(weight.sum())) for weight in read_weights(tmp_path / "run").values()
    )


def test_patience_ends_a_training_that_gets_no_better(
    shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    run = pixelwise.train(
        shapes, tmp_path / "run", epochs=60, patience=8, learning_rate=1e-9, **quick
    )
    best = max(run.history, key=lambda row: row.val_mean_iou)
    assert 8 <= run.history[-1].epoch - best.epoch < 16  # rounds of six epochs of three steps
    assert not run.stopped


def test_epochs_of_few_steps_are_bundled_into_rounds(
    shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    """12 images in batches of 4 are three steps: three epochs make a round, the last has what is
    left.
    """
    run = pixelwise.train(shapes, tmp_path / "run", epochs=25, **quick)
    assert [row.epoch for row in run.history] == [*range(3, 25, 3), 25]
    state = torch.load(tmp_path / "run/state/last.pt", weights_only=True)
    assert state["steps"] == 75
    assert run.history[-1].learning_rate < 1e-4  # the schedule knew how many


def test_the_kept_epoch_is_of_the_later_half(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: dict[str, Any]
) -> None:
    """Although validation likes the first one best."""
    scores = iter([0.9, 0.8, 0.3, 0.5, 0.4, 0.1])
    validate = Session.validate_epoch

    def likes(session: Session, stats: EpochStats, number: int) -> Epoch:
        row = validate(session, stats, number)
        return replace(row, val_mean_iou=next(scores))

    monkeypatch.setattr(Session, "validate_epoch", likes)
    run = pixelwise.train(shapes, tmp_path / "run", epochs=6, validate_every=1, **quick)
    assert [row.early for row in run.history] == [True, True, False, False, False, False]
    assert run.best.epoch == 4
    assert load_model(tmp_path / "run")[1].training["epoch"]["epoch"] == 4


def test_weights_that_become_no_numbers_never_become_the_state(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
) -> None:
    """The last step of epoch 2 has a finite loss and spoils the weights: only validation can see
    it.
    """
    steps = itertools.count(1)
    real = torch.optim.AdamW.step

    def spoiling(self: torch.optim.AdamW, *arguments: Any) -> Any:
        result = real(self, *arguments)
        if next(steps) == 6:
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(math.nan)
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", spoiling)
    run = pixelwise.train(shapes, tmp_path / "run", epochs=3, progress=listener, **quick)
    assert any("back to the end of epoch 1" in line for line in listener.lines)
    assert all(math.isfinite(row.val_loss) for row in run.history)


def test_a_frozen_transformer_keeps_its_weights_while_the_rest_learns(
    shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    weights = tmp_path / "vit.safetensors"
    pretrained = timm.create_model("test_vit", pretrained=False)
    save_file(dict(pretrained.state_dict()), weights)
    options = {**quick, "encoder": "test_vit", "weights": str(weights)}
    pixelwise.train(shapes, tmp_path / "run", epochs=1, frozen=True, **options)
    model, _ = load_model(tmp_path / "run")
    for name, tensor in model.encoder.net.model.state_dict().items():
        torch.testing.assert_close(tensor, pretrained.state_dict()[name], atol=1e-6, rtol=0)
    scale = model.encoder.reassembly[-1][0].weight  # 1 before the first step
    assert not torch.equal(scale, torch.ones_like(scale))
