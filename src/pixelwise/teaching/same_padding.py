"""TensorFlow's `padding="same"`, whose odd pixel goes after the image, where PyTorch's padding is
even. Source: TensorFlow's notes on convolution, "padding".
"""

from pixelwise.models.conv_arithmetic import Geometry


def same_padding(
    size: int, kernel: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int, int]:
    """Of a convolution: (output, pixels before, pixels after); output ceil(size / stride)."""
    reach = Geometry(kernel, stride, dilation=dilation).effective_kernel
    output = -(-size // stride)
    total = max(0, (output - 1) * stride + reach - size)
    before = total // 2
    return output, before, total - before


def same_transposed_padding(size: int, kernel: int, stride: int = 1) -> tuple[int, int, int]:
    """Of `Conv2DTranspose`: (output, pixels cut before, pixels cut after); output size * stride.

    A kernel shorter than the stride leaves pixels without a value at the end: the cut after is then
    negative.
    """
    Geometry(kernel, stride)  # raises ConfigError for numbers that cannot be
    surplus = kernel - stride
    before = max(0, surplus) // 2
    return size * stride, before, surplus - before
