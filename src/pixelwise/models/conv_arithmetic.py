"""Output sizes of convolution and transposed convolution, and their inverses, on one axis.

Words and rules: Dumoulin, Visin 2016, "A guide to convolution arithmetic for deep learning",
sections 2 (convolution), 4 (transposed convolution) and 5.1 (dilation). All lengths are in pixels.
"""

from dataclasses import dataclass

from pixelwise.errors import ConfigError

_LEAST = {"kernel": 1, "stride": 1, "dilation": 1, "padding": 0, "output_padding": 0}


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
        for name, least in _LEAST.items():
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
    def effective_kernel(self) -> int:
        """Pixels from the first to the last tap of the dilated kernel: d (k - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def conv_output(self, size: int) -> int:
        """Output of the convolution: floor((i + 2p - effective kernel) / s) + 1.

        Raises ConfigError where that is below 1.
        """
        space = size + 2 * self.padding - self.effective_kernel
        if size < 1 or space < 0:
            raise ConfigError(
                f"a convolution of {size} pixels, padding {self.padding}, with a kernel that "
                f"reaches {self.effective_kernel} has "
                "no output: size + 2 padding must be at least the reach, dilation (kernel - 1) + 1"
            )
        return space // self.stride + 1

    def transposed_output(self, size: int) -> int:
        """Output of the transposed convolution: (i - 1) s - 2p + effective kernel + output_padding.

        Raises ConfigError where that is below 1.
        """
        spread = (size - 1) * self.stride + self.effective_kernel
        output = spread - 2 * self.padding + self.output_padding
        if size < 1 or output < 1:
            raise ConfigError(
                f"a transposed convolution of {size} pixels would give {output}: "
                "(size - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding "
                "must be at least 1"
            )
        return output

    def conv_inputs(self, output: int) -> range:
        """Every input size that the convolution maps to `output` pixels: there are `stride` of
        them, or fewer where the smallest would be below 1.
        """
        first = (output - 1) * self.stride + self.effective_kernel - 2 * self.padding
        return range(max(1, first), first + self.stride)

    def output_padding_for(self, size: int, output: int) -> int:
        """The output_padding with which the transposed convolution turns `size` pixels into
        `output`. Raises ConfigError where none does.
        """
        unpadded = Geometry(self.kernel, self.stride, self.padding, self.dilation)
        missing = output - unpadded.transposed_output(size)
        limit = max(self.stride, self.dilation)
        if not 0 <= missing < limit:
            raise ConfigError(
                f"{size} pixels cannot become {output}: possible are {output - missing} to "
                f"{output - missing + limit - 1} with this kernel, stride and padding"
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
