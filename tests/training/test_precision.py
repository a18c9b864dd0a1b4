import pytest
import torch
from torch import nn

from pixelwise.training import precision
from pixelwise.training.precision import try_steps


class Counter(nn.Module):
    """A network of one weight that notes the precision and the size of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Conv2d(3, 2, 1)
        self.steps: list[tuple[bool, tuple[int, ...]]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.steps.append((torch.is_autocast_enabled("cpu"), tuple(images.shape)))
        logits: torch.Tensor = self.scores(images)
        return logits


def tried(monkeypatch: pytest.MonkeyPatch, *, has_bfloat16: bool, wanted: str = "auto") -> Counter:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: has_bfloat16)
    monkeypatch.setattr(precision.copy, "deepcopy", lambda model: model)
    model = Counter()
    trial = try_steps(model, device=torch.device("cpu"), crop=(32, 320), batch=8, precision=wanted)
    assert trial.seconds is not None
    assert trial.seconds > 0
    return model


def test_bfloat16_is_not_tried_where_the_processor_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tried(monkeypatch, has_bfloat16=False)
    assert [bfloat16 for bfloat16, _ in model.steps] == [False] * 3


def test_both_precisions_are_tried_by_turns_on_a_small_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tried(monkeypatch, has_bfloat16=True)
    assert model.steps == [(False, (2, 3, 32, 224)), (True, (2, 3, 32, 224))] * 3


def test_a_chosen_precision_is_only_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tried(monkeypatch, has_bfloat16=True, wanted="bfloat16")
    assert [bfloat16 for bfloat16, _ in model.steps] == [True] * 3


def test_a_precision_without_a_gain_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    times = {"float32": 1.0, "bfloat16": 0.95}
    monkeypatch.setattr(precision, "_measure_steps", lambda *_: (times, times))
    trial = try_steps(nn.Identity(), device=torch.device("cpu"), crop=(32, 32), batch=4)
    assert trial.precision == "float32"
    assert trial.reason == "measured: a step in bfloat16 is 1.05 times as fast as in float32"
    assert trial.seconds == 2.0  # two images of the batch's four took one second
