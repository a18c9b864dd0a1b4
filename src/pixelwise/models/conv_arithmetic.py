"""Shape rules of convolution and transposed convolution, and their inverses. Every length is in
pixels of one axis.

Source: Dumoulin, Visin 2016, "A guide to convolution arithmetic for deep learning", sections 2 and
4.
"""

from dataclasses import dataclass

from pixelwise.errors import ConfigError


@dataclass(frozen=True)
class Geometry:
    """One axis of a convolution or a transposed convolution.

    Raises ConfigError naming the rule where the numbers cannot be: kernel, stride and dilation at
    least 1, padding at least 0, and output_padding (of a transposed convolution) at least 0 and
    below the stride or the dilation.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("kernel", 1),
            ("stride", 1),
            ("dilation", 1),
            ("padding", 0),
            ("output_padding", 0),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} {getattr(self, name)}: must be at least {least}")
        if self.output_padding and self.output_padding >= max(self.stride, self.dilation):
            raise ConfigError(
                f"output_padding {self.output_padding} with stride {self.stride} and dilation "
                f"{self.dilation}: must be "
                "below one of them, as it picks one of the sizes that the convolution maps to "
                "the same output"
            )

    @property
    def reach(self) -> int:
        """Pixels from the first to the last tap of the dilated kernel: d (k - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def convolved(self, size: int) -> int:
        """Output of the convolution: floor((n + 2p - reach) / s) + 1. ConfigError where that is
        below 1.
        """
        space = size + 2 * self.padding - self.reach
        if size < 1 or space < 0:
            raise ConfigError(
                f"a convolution of {size} pixels, padding {self.padding}, with a kernel that "
                f"reaches {self.reach} has "
                "no output: size + 2 padding must be at least the reach, dilation (kernel - 1) + 1"
            )
        return space // self.stride + 1

    def transposed(self, size: int) -> int:
        """Output of the transposed convolution: (n - 1) s - 2p + reach + output_padding.
        ConfigError below 1.
        """
        result = (size - 1) * self.stride - 2 * self.padding + self.reach + self.output_padding
        if size < 1 or result < 1:
            raise ConfigError(
                f"a transposed convolution of {size} pixels would give {result}: "
                "(size - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding "
                "must be at least 1"
            )
        return result

    def sources(self, size: int) -> range:
        """Every input size that the convolution maps to an output of `size`: there are `stride` of
        them, or fewer where the smallest would be below 1.
        """
        first = (size - 1) * self.stride + self.reach - 2 * self.padding
        return range(max(1, first), first + self.stride)

    def output_padding_to(self, size: int, wanted: int) -> int:
        """The output_padding with which the transposed convolution turns `size` pixels into
        `wanted`.
        """
        missing = wanted - Geometry(
            self.kernel, self.stride, self.padding, self.dilation
        ).transposed(size)
        allowed = max(self.stride, self.dilation)
        if not 0 <= missing < allowed:
            raise ConfigError(
                f"{size} pixels cannot become {wanted}: possible are {wanted - missing} to "
                f"{wanted - missing + allowed - 1} with this kernel, stride and padding"
            )
        return missing


def upsampling_geometry(factor: int, *, padding: int | None = None) -> Geometry:
    """The transposed convolution that multiplies every size by `factor`: stride s, kernel k = 2p +
    s.

    Without `padding` it is that of bilinear upsampling (Long et al. 2015, section 3.3): kernel 2s
    and padding s/2 for an even factor; for an odd one kernel 2s - 1 and padding (s - 1)/2.
    """
    if factor < 1:
        raise ConfigError(f"factor {factor}: must be at least 1")
    padding = factor // 2 if padding is None else padding
    return Geometry(kernel=2 * padding + factor, stride=factor, padding=padding)


def same_geometry(
    size: int, kernel: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int, int]:
    """TensorFlow's `padding="same"`: (output, pixels before, pixels after). The output is ceil(size
    / stride).

    The odd pixel of an uneven padding goes after. Source: TensorFlow's notes on convolution,
    "padding".
    """
    reach = Geometry(kernel, stride, dilation=dilation).reach
    output = -(-size // stride)
    total = max(0, (output - 1) * stride + reach - size)
    return output, total // 2, total - total // 2


def same_transposed_geometry(size: int, kernel: int, stride: int = 1) -> tuple[int, int, int]:
    """TensorFlow's `Conv2DTranspose(padding="same")`: (output, pixels cut before, pixels cut
    after); output size * s.

    A kernel shorter than the stride leaves pixels without a value at the end: the cut after is then
    negative.
    """
    Geometry(kernel, stride)
    surplus = kernel - stride
    before = max(0, surplus) // 2
    return size * stride, before, surplus - before
