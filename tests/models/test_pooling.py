from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pixelwise.models.pooling import (
    BinPool,
    PooledConv,
    PyramidPooling,
    pool_by_products,
    pool_to_bins,
)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), bins=st.integers(1, 7))
def test_it_averages_as_pytorchs_adaptive_pooling(height: int, width: int, bins: int) -> None:
    features = torch.randn(2, 3, height, width)
    expected = F.adaptive_avg_pool2d(features, bins)
    torch.testing.assert_close(pool_to_bins(features, bins), expected, atol=1e-5, rtol=1e-5)


def test_bins_are_weighed_in_the_precision_of_the_features() -> None:
    features = torch.full((1, 2, 5, 7), 3.0, dtype=torch.bfloat16)
    pooled = pool_to_bins(features, 3)
    assert pooled.dtype == torch.bfloat16
    assert pooled.shape == (1, 2, 3, 3)
    torch.testing.assert_close(pooled.float(), torch.full((1, 2, 3, 3), 3.0), rtol=0.02, atol=0)


@pytest.mark.parametrize("bins", [1, 2, 6])
def test_one_image_of_one_pixel_can_be_trained_on(bins: int) -> None:
    layer = PooledConv(4, 3, bins=bins).train()
    assert layer(torch.randn(1, 4, 1, 1)).shape == (1, 3, 1, 1)


def test_a_pyramid_has_one_map_for_each_number_of_bins() -> None:
    layers = PyramidPooling(4, 2, bins=(1, 2, 3)).eval()
    features = torch.randn(1, 4, 6, 5)
    maps = layers(features)
    assert [tuple(m.shape) for m in maps] == [(1, 2, 6, 5)] * 3
    mean = features.mean((2, 3), keepdim=True)
    expected = layers[0].conv(mean).expand(1, 2, 6, 5)  # type: ignore[operator]
    torch.testing.assert_close(maps[0], expected)


@pytest.mark.parametrize("size", [1, 3, (2, 2), (2, 3), (None, 3)])
def test_pytorchs_poolings_are_replaced_in_place_where_bins_are_square(size: Any) -> None:
    layer = nn.AdaptiveAvgPool2d(size)
    features = torch.randn(1, 2, 7, 5)
    expected = layer(features)
    assert pool_by_products(nn.Sequential(layer))[0] is layer
    assert isinstance(layer, BinPool) == (size in (1, 3, (2, 2)))
    torch.testing.assert_close(layer(features), expected)
