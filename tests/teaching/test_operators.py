"""Every definition against PyTorch's operator, and against the worked figures of the course
material.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.teaching.operators import (
    conv_matrix,
    cross_correlation,
    transposed_by_insertion,
    transposed_by_matrix,
    transposed_by_scatter,
)

TRANSPOSED = [transposed_by_scatter, transposed_by_insertion, transposed_by_matrix]
pair = st.tuples


@st.composite
def geometries(draw: st.DrawFn, *, transposed: bool) -> dict[str, Any]:
    two = lambda low, high: draw(pair(st.integers(low, high), st.integers(low, high)))  # noqa: E731
    result = {
        "stride": two(1, 3),
        "padding": two(0, 3),
        "dilation": two(1, 3),
        "groups": draw(st.integers(1, 2)),
    }
    if transposed:
        limits = [max(s, d) - 1 for s, d in zip(result["stride"], result["dilation"], strict=True)]
        result["output_padding"] = tuple(draw(st.integers(0, limit)) for limit in limits)
    return result


def tensors(draw: st.DataObject, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(draw.draw(st.integers(0, 999)))
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def assert_same(result: Tensor, expected: Tensor, x: Tensor, weight: Tensor) -> None:
    assert result.shape == expected.shape
    assert torch.allclose(result, expected, atol=1e-9)
    if result.requires_grad:
        probe = torch.randn_like(expected)
        target = torch.autograd.grad((expected * probe).sum(), [x, weight])
        got = torch.autograd.grad((result * probe).sum(), [x, weight])
        assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(got, target, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.data(), geometries(transposed=False), *[st.integers(1, 3)] * 4, *[st.integers(1, 7)] * 2)
def test_cross_correlation_is_pytorchs_convolution(
    draw: st.DataObject, geometry: dict[str, Any], c: int, o: int, kh: int, kw: int, h: int, w: int
) -> None:
    groups = geometry["groups"]
    x = tensors(draw, 2, c * groups, h, w)
    weight = tensors(draw, o * groups, c, kh, kw)
    try:
        expected = F.conv2d(x, weight, **geometry)
    except RuntimeError:
        with pytest.raises(ConfigError, match="has no output"):
            cross_correlation(x, weight, **geometry)
        return
    assert_same(cross_correlation(x, weight, **geometry), expected, x, weight)


@pytest.mark.parametrize("definition", TRANSPOSED)
@settings(max_examples=60, deadline=None)
@given(st.data(), geometries(transposed=True), *[st.integers(1, 3)] * 4, *[st.integers(1, 5)] * 2)
def test_each_definition_is_pytorchs_transposed_convolution(
    definition: Callable[..., Tensor],
    draw: st.DataObject,
    geometry: dict[str, Any],
    c: int,
    o: int,
    kh: int,
    kw: int,
    h: int,
    w: int,
) -> None:
    groups = geometry["groups"]
    x = tensors(draw, 2, c * groups, h, w)
    weight = tensors(draw, c * groups, o, kh, kw)
    try:
        expected = F.conv_transpose2d(x, weight, **geometry)
    except RuntimeError:
        with pytest.raises(ConfigError, match="must be at least 1"):
            definition(x, weight, **geometry)
        return
    assume(expected.numel() > 0)
    assert_same(definition(x, weight, **geometry), expected, x, weight)


@settings(max_examples=40, deadline=None)
@given(
    st.data(),
    *[st.integers(1, 3)] * 2,
    *[st.integers(3, 7)] * 2,
    st.integers(1, 3),
    st.integers(0, 2),
)
def test_convolution_and_transposed_convolution_are_each_others_gradient(
    draw: st.DataObject, kh: int, kw: int, h: int, w: int, stride: int, padding: int
) -> None:
    kernel = tensors(draw, kh, kw)
    x = tensors(draw, 1, 1, h, w)
    matrix = conv_matrix(kernel.detach(), (h, w), stride=stride, padding=padding)
    output = F.conv2d(x, kernel[None, None], stride=stride, padding=padding)
    assert torch.allclose(
        matrix @ x.detach().flatten(), output.flatten().detach()
    )  # convolution is W x
    y = torch.randn_like(output)
    (of_convolution,) = torch.autograd.grad(output, x, y)
    laid = matrix.t() @ y.flatten()
    assert torch.allclose(laid, of_convolution.flatten())  # its gradient is W^T y
    z = y.clone().requires_grad_()
    spare = (h + 2 * padding - kh) % stride, (w + 2 * padding - kw) % stride
    back = transposed_by_scatter(
        z, kernel.detach()[None, None], stride=stride, padding=padding, output_padding=spare
    )
    assert torch.allclose(back.flatten().detach(), laid)  # which is the transposed convolution,
    (of_transposed,) = torch.autograd.grad(back, z, x.detach())
    assert torch.allclose(of_transposed, output.detach())  # whose gradient is the convolution


SMALL = torch.tensor([[0.0, 1.0], [2.0, 3.0]])[None, None]


@pytest.mark.parametrize("definition", TRANSPOSED)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 1], [0, 4, 6], [4, 12, 9]]),
        ({"padding": 1}, [[4]]),
        ({"stride": 2}, [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]]),
    ],
)
def test_the_worked_figures_of_the_transposed_convolution(
    definition: Callable[..., Tensor], options: dict[str, int], expected: list[list[int]]
) -> None:
    assert definition(SMALL, SMALL, **options)[0, 0].tolist() == expected


def test_the_worked_figures_of_the_matrix() -> None:
    picture = torch.arange(9.0).reshape(3, 3)
    kernel = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    matrix = conv_matrix(kernel, (3, 3))
    assert matrix.to_dense().tolist() == [
        [1, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]
    y = matrix @ picture.flatten()
    assert y.reshape(2, 2).tolist() == [[27, 37], [57, 67]]
    assert (matrix.t() @ y).reshape(3, 3).tolist() == [
        [27, 91, 74],
        [138, 400, 282],
        [171, 429, 268],
    ]


def test_the_worked_figures_of_a_four_by_four_picture() -> None:
    picture = torch.arange(1.0, 17).reshape(1, 1, 4, 4)
    kernel = torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    assert cross_correlation(picture, kernel).flatten().tolist() == [348, 393, 528, 573]


def test_channels_and_groups_that_do_not_fit_name_the_rule() -> None:
    x = torch.rand(1, 4, 5, 5)
    with pytest.raises(ConfigError, match="groups 3: must divide both 4 input and 6 output"):
        cross_correlation(x, torch.rand(6, 1, 3, 3), groups=3)
    with pytest.raises(ConfigError, match="for 3 input channels, but the input has 4"):
        cross_correlation(x, torch.rand(6, 3, 3, 3))
    with pytest.raises(ConfigError, match="for 3 input channels, but the input has 4"):
        transposed_by_scatter(x, torch.rand(3, 6, 3, 3))
    with pytest.raises(ConfigError, match="output_padding 2 with stride 2"):
        transposed_by_scatter(x, torch.rand(4, 6, 3, 3), stride=2, output_padding=2)


@pytest.mark.parametrize("definition", [cross_correlation, *TRANSPOSED])
def test_integers_nan_and_empty_batches_are_as_in_pytorch(
    definition: Callable[..., Tensor],
) -> None:
    reference = F.conv2d if definition is cross_correlation else F.conv_transpose2d
    x = torch.rand(1, 1, 4, 4)
    weight = torch.rand(1, 1, 2, 2)
    x[0, 0, 1, 1] = torch.nan
    assert torch.equal(definition(x, weight).isnan(), reference(x, weight).isnan())
    empty = definition(x[:0], weight)
    assert empty.shape == reference(x[:0], weight).shape
    whole = torch.arange(16).reshape(1, 1, 4, 4)
    if definition is not transposed_by_matrix:
        assert torch.equal(
            definition(whole, torch.ones(1, 1, 2, 2, dtype=torch.long)),
            reference(whole.double(), torch.ones(1, 1, 2, 2).double()).long(),
        )


@pytest.mark.parametrize("definition", [cross_correlation, *TRANSPOSED])
def test_a_map_and_its_kernel_are_taken_as_the_textbook_writes_them(
    definition: Callable[..., Tensor],
) -> None:
    reference = F.conv2d if definition is cross_correlation else F.conv_transpose2d
    x = torch.arange(12.0).reshape(3, 4).requires_grad_()
    kernel = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).requires_grad_()
    result = definition(x, kernel, stride=2, padding=1)
    expected = reference(x[None, None], kernel[None, None], stride=2, padding=1)[0, 0]
    assert_same(result, expected, x, kernel)
    unbatched = torch.rand(2, 4, 5)
    weight = torch.rand(2, 2, 3, 3)
    torch.testing.assert_close(definition(unbatched, weight), reference(unbatched, weight))


def test_the_courses_worked_example_in_two_axes() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    expected = torch.tensor([[0.0, 0.0, 1.0], [0.0, 4.0, 6.0], [4.0, 12.0, 9.0]])
    for definition in TRANSPOSED:
        assert torch.equal(definition(x, x), expected)
    nine = torch.arange(9.0).reshape(3, 3)
    assert torch.equal(cross_correlation(nine, x), torch.tensor([[19.0, 25.0], [37.0, 43.0]]))
    matrix = conv_matrix(x, (3, 3))
    flat = torch.sparse.mm(matrix, nine.reshape(9, 1))
    assert torch.equal(flat.reshape(2, 2), cross_correlation(nine, x))


MAP = torch.ones(4, 4)


@pytest.mark.parametrize("definition", [cross_correlation, *TRANSPOSED])
@pytest.mark.parametrize(
    ("input", "weight", "message"),
    [
        (
            MAP,
            MAP[None, None],
            r"shape \(4, 4\) and a weight of shape \(1, 1, 4, 4\): give \(H, W\)",
        ),
        (MAP[None, None], MAP, r"shape \(1, 1, 4, 4\) and a weight of shape \(4, 4\)"),
        (MAP[0], MAP[0], r"shape \(4,\) and a weight of shape \(4,\)"),
        (MAP.long(), MAP, r"holds int64 and the weight float32: give both in one type"),
        ([[1.0]], MAP, "the input is a list: give a tensor"),
        (MAP, MAP.numpy(), "the weight is a ndarray: give a tensor"),
    ],
)
def test_other_shapes_and_types_are_refused_with_those_that_are_taken(
    definition: Callable[..., Tensor], input: Any, weight: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        definition(input, weight)


@pytest.mark.parametrize("definition", [cross_correlation, *TRANSPOSED])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "same"}, "padding 'same': give a whole number or a pair"),
        ({"stride": (1, 1, 1)}, r"stride \(1, 1, 1\): give a whole number or a pair"),
        ({"dilation": 1.5}, "dilation 1.5: give a whole number or a pair"),
    ],
)
def test_options_that_are_no_numbers_are_named(
    definition: Callable[..., Tensor], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        definition(MAP, MAP, **options)


def test_the_matrix_is_that_of_one_channel() -> None:
    with pytest.raises(ConfigError, match=r"kernel is of shape \(1, 1, 4, 4\).*give \(kh, kw\)"):
        conv_matrix(MAP[None, None], (8, 8))
    with pytest.raises(ConfigError, match="kernel is no tensor"):
        conv_matrix([[1.0]], (8, 8))  # type: ignore[arg-type]
