import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.errors import ConfigError
from pixelwise.models.conv_arithmetic import (
    Geometry,
    same_geometry,
    same_transposed_geometry,
    upsampling_geometry,
)

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
        (geometry.convolved, F.conv1d),
        (geometry.transposed, F.conv_transpose1d),
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
            return geometry.convolved(n)
        except ConfigError:
            return 0

    assert list(geometry.sources(size)) == [n for n in range(1, 60) if output(n) == size]


@given(st.integers(1, 8), small, small, st.integers(0, 2), st.integers(0, 4))
def test_the_output_padding_reaches_the_wanted_size(
    size: int, kernel: int, stride: int, padding: int, more: int
) -> None:
    geometry = Geometry(kernel, stride, padding)
    try:
        wanted = geometry.transposed(size) + more
    except ConfigError:
        return
    if more >= stride:
        with pytest.raises(ConfigError, match="cannot become"):
            geometry.output_padding_to(size, wanted)
    else:
        found = geometry.output_padding_to(size, wanted)
        assert Geometry(kernel, stride, padding, output_padding=found).transposed(size) == wanted


@given(st.integers(1, 40), st.integers(1, 50))
def test_enlarging_multiplies_every_size(factor: int, size: int) -> None:
    geometry = upsampling_geometry(factor)
    assert geometry.kernel == 2 * geometry.padding + factor
    assert geometry.transposed(size) == factor * size
    assert upsampling_geometry(factor, padding=0) == Geometry(factor, factor)
    if factor % 2 == 0:
        assert (geometry.kernel, geometry.padding) == (2 * factor, factor // 2)


def test_tensorflows_same() -> None:
    """Figures of TensorFlow's documentation of padding, and of its Conv2DTranspose(64, strides=32)
    on 10 pixels.
    """
    assert same_geometry(13, kernel=6, stride=5) == (3, 1, 2)
    assert same_geometry(224, kernel=7, stride=2) == (112, 2, 3)
    assert same_transposed_geometry(10, kernel=64, stride=32) == (320, 16, 16)
    assert same_transposed_geometry(4, kernel=3, stride=2) == (8, 0, 1)
    assert same_transposed_geometry(4, kernel=1, stride=2) == (8, 0, -1)


@given(st.integers(1, 40), small, small)
def test_same_keeps_the_size_over_the_stride(size: int, kernel: int, stride: int) -> None:
    output, before, after = same_geometry(size, kernel, stride)
    assert output == -(-size // stride)
    assert after - before in (0, 1)
    assert Geometry(kernel, stride).convolved(size + before + after) == output
    enlarged, start, end = same_transposed_geometry(size, kernel, stride)
    assert Geometry(kernel, stride).transposed(size) - start - end == enlarged == size * stride


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
