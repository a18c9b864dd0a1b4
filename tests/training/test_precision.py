import pytest
import torch
from torch import nn

from pixelwise.training import precision
from pixelwise.training.precision import choose_precision


def test_bfloat16_is_not_tried_where_the_processor_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: False)

    class Untouched(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise AssertionError("a step was measured")

    choice = choose_precision(Untouched(), device=torch.device("cpu"), crop=(32, 32), batch=2)
    assert choice == ("float32", "the processor has no bfloat16")
