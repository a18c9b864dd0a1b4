import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.style_transfer.losses import content_loss, gram, style_loss, total_variation


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_the_losses_are_their_formulas(channels: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.normal(size=(1, channels, height, width)) for _ in range(2))
    a, b = (torch.from_numpy(v).float() for v in (x, y))
    flat = x.reshape(channels, -1)
    matrix = flat @ flat.T / (channels * height * width)
    np.testing.assert_allclose(gram(a), matrix, rtol=1e-4, atol=1e-5)
    assert float(content_loss(a, b)) == pytest.approx(((x - y) ** 2).mean(), rel=1e-4)
    other = y.reshape(channels, -1) @ y.reshape(channels, -1).T / y.size
    assert float(style_loss(gram(a), gram(b))) == pytest.approx(
        ((matrix - other) ** 2).mean(), rel=1e-3
    )
    if height > 1 and width > 1:
        down = np.abs(x[:, :, 1:] - x[:, :, :-1])
        across = np.abs(x[:, :, :, 1:] - x[:, :, :, :-1])
        assert float(total_variation(a)) == pytest.approx(
            0.5 * (down.mean() + across.mean()), rel=1e-4
        )
