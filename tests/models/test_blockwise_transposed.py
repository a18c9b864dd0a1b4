import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwise.models import blockwise_transposed
from pixelwise.models.blockwise_transposed import transposed_by_blocks


@pytest.mark.parametrize("product", ["matrix", "convolution"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(*[st.integers(1, 4)] * 3, st.integers(1, 10), st.integers(0, 3), *[st.integers(1, 5)] * 2)
def test_the_transposed_convolution_by_blocks_equals_pytorchs(
    monkeypatch: pytest.MonkeyPatch,
    product: str,
    inputs: int,
    outputs: int,
    taps: int,
    stride: int,
    padding: int,
    height: int,
    width: int,
) -> None:
    """In float64, with the product that is taken in half precision and with that of full
    precision.
    """
    monkeypatch.setattr(
        blockwise_transposed, "HALF_PRECISIONS", (torch.float64,) if product == "matrix" else ()
    )
    kernel = taps * stride
    if min((side - 1) * stride - 2 * padding + kernel for side in (height, width)) < 1:
        return
    x = torch.randn(2, inputs, height, width, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(inputs, outputs, kernel, kernel, dtype=torch.float64, requires_grad=True)
    expected = F.conv_transpose2d(x, weight, stride=stride, padding=padding)
    result = transposed_by_blocks(x, weight, stride=stride, padding=(padding, padding))
    assert torch.allclose(result, expected, atol=1e-9)
    probe = torch.randn_like(expected)
    target, got = (torch.autograd.grad((y * probe).sum(), [x, weight]) for y in (expected, result))
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(target, got, strict=True))
