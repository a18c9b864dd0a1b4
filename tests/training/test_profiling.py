import pytest
import torch

from pixelwise.training.profiling import OperatorProfile


@pytest.mark.parametrize("images", [1, 3, 4, 9])
def test_the_operators_are_told_however_few_the_steps(
    images: int, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    with OperatorProfile(told.append, enabled=True) as operators:
        for _ in range(images):
            operators.step()
            torch.ones(64, 64) @ torch.ones(64, 64)
    capsys.readouterr()
    assert not torch.autograd._profiler_enabled()
    expected = {1: 0, 3: 1, 4: 2, 9: 3}[images]
    assert told[:1] == [told[0] for _ in range(expected > 0)]
    assert all(f"operators of {expected} steps" in line for line in told[:1])
    assert any(f"{expected:5} calls  aten::mm" in line for line in told) == (expected > 0)
