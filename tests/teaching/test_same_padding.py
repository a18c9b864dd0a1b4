from hypothesis import given
from hypothesis import strategies as st

from pixelwise.models.conv_arithmetic import Geometry
from pixelwise.teaching.same_padding import same_padding, same_transposed_padding

small = st.integers(1, 4)


def test_figures_are_those_of_tensorflows_documentation() -> None:
    """Figures of TensorFlow's documentation of padding, and of its Conv2DTranspose(64, strides=32)
    on 10 pixels.
    """
    assert same_padding(13, kernel=6, stride=5) == (3, 1, 2)
    assert same_padding(224, kernel=7, stride=2) == (112, 2, 3)
    assert same_transposed_padding(10, kernel=64, stride=32) == (320, 16, 16)
    assert same_transposed_padding(4, kernel=3, stride=2) == (8, 0, 1)
    assert same_transposed_padding(4, kernel=1, stride=2) == (8, 0, -1)


@given(st.integers(1, 40), small, small)
def test_same_keeps_the_size_over_the_stride(size: int, kernel: int, stride: int) -> None:
    output, before, after = same_padding(size, kernel, stride)
    assert output == -(-size // stride)
    assert after - before in (0, 1)
    assert Geometry(kernel, stride).conv_output(size + before + after) == output
    enlarged, start, end = same_transposed_padding(size, kernel, stride)
    assert (
        Geometry(kernel, stride).transposed_output(size) - start - end == enlarged == size * stride
    )
