"""Sizes are those of PyTorch's operators, and each rule's inverse undoes it."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.errors import ConfigError
from pixelwise.models.conv_arithmetic import Geometry, upsampling_geometry

small = st.integers(1, 4)


@given(st.integers(1, 12), small, small, st.integers(0, 3), small)
def test_sizes_are_pytorchs(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    geometry = Geometry(kernel, stride, padding, dilation)
    x = torch.rand(1, 1, size)
    weight = torch.rand(1, 1, kernel)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    for rule, operator in (
        (geometry.conv_output, F.conv1d),
        (geometry.transposed_output, F.conv_transpose1d),
    ):
        try:
            expected = operator(x, weight, **options).shape[-1]
        except RuntimeError:
            expected = 0
        if expected < 1:
            with pytest.raises(ConfigError, match="must be at least"):
                rule(size)
        else:
            assert rule(size) == expected


@given(st.integers(1, 8), small, small, st.integers(0, 3), small)
def test_sources_are_all_sizes_with_that_output(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    geometry = Geometry(kernel, stride, padding, dilation)

    def output(n: int) -> int:
        try:
            return geometry.conv_output(n)
        except ConfigError:
            return 0

    assert list(geometry.conv_inputs(size)) == [n for n in range(1, 60) if output(n) == size]


@given(st.integers(1, 8), small, small, st.integers(0, 2), st.integers(0, 4))
def test_the_output_padding_reaches_the_expected_size(
    size: int, kernel: int, stride: int, padding: int, more: int
) -> None:
    geometry = Geometry(kernel, stride, padding)
    try:
        expected = geometry.transposed_output(size) + more
    except ConfigError:
        return
    if more >= stride:
        with pytest.raises(ConfigError, match="cannot become"):
            geometry.output_padding_for(size, expected)
    else:
        missing = geometry.output_padding_for(size, expected)
        assert (
            Geometry(kernel, stride, padding, output_padding=missing).transposed_output(size)
            == expected
        )


@given(st.integers(1, 40), st.integers(1, 50))
def test_enlarging_multiplies_every_size(factor: int, size: int) -> None:
    geometry = upsampling_geometry(factor)
    assert geometry.kernel == 2 * geometry.padding + factor
    assert geometry.transposed_output(size) == factor * size
    assert upsampling_geometry(factor, padding=0) == Geometry(factor, factor)
    if factor % 2 == 0:
        assert (geometry.kernel, geometry.padding) == (2 * factor, factor // 2)


@pytest.mark.parametrize(
    ("numbers", "rule"),
    [
        ({"kernel": 0}, "kernel 0: must be at least 1"),
        ({"kernel": 1, "stride": 0}, "stride 0: must be at least 1"),
        ({"kernel": 1, "padding": -1}, "padding -1: must be at least 0"),
        ({"kernel": 3, "stride": 2, "output_padding": 2}, "must be below one of them"),
    ],
)
def test_numbers_that_cannot_be_name_the_rule(numbers: dict[str, int], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        Geometry(**numbers)
