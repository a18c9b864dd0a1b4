"""What a network's features see: their sizes, and how many pixels of the image reach each of them.

The receptive field is measured, not summed up by a formula, so that any convolutional network will
do: every weight is made positive and each maximum an average, and the pixels are counted whose
gradient to one feature is not zero.
"""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.io.images import Array
from pixelwise.models.encoder import Encoder, check_encoder_name
from pixelwise.reports.figure_style import SERIES, make_grid, save_png, set_title

# One axis is measured, the other is as short as a network of stride 32 takes.
_LENGTH = 1024
_HEIGHT = 64

_COLUMNS = 2


@dataclass(frozen=True)
class Stage:
    """Features of one stride: (channels, height, width) for the image, and the side in pixels of
    the square that one of them sees; None where it sees all of 1,024 pixels.
    """

    stride: int
    channels: int
    size: tuple[int, int]
    field: int | None


def measure_stages(encoder: str, size: tuple[int, int]) -> list[Stage]:
    """The stages of an encoder, fine to coarse, for an image of `size` (height, width).

    Raises ConfigError for an unknown encoder, and for a vision transformer, which sees everything.
    """
    check_encoder_name(encoder)
    network = Encoder(encoder, plain=True).eval()
    if network.reassembly is not None:
        raise ConfigError(
            f"encoder '{encoder}' is a transformer, each of whose features sees the whole image; "
            "choose a convolutional network, such as resnet18"
        )
    fields = _measure_fields(network)
    stages = []
    for stride, channels in network.channels.items():
        cells = (math.ceil(size[0] / stride), math.ceil(size[1] / stride))
        stages.append(Stage(stride, channels, cells, fields[stride]))
    return stages


def _measure_fields(network: Encoder) -> dict[int, int | None]:
    _make_positive(network)
    image = torch.ones(1, 3, _HEIGHT, _LENGTH, requires_grad=True)
    fields = {}
    for stride, feature in network(image).items():
        middle = feature[0, :, feature.shape[2] // 2, feature.shape[3] // 2].sum()
        (gradient,) = torch.autograd.grad(middle, image, retain_graph=True)
        fields[stride] = _extent(gradient)
    return fields


def _extent(gradient: Tensor) -> int | None:
    """Pixels from the first to the last that count along the width; None where the edges do."""
    counts = gradient.abs().sum((0, 1, 2)).nonzero().flatten()
    first = int(counts.min())
    last = int(counts.max())
    if first == 0 or last == _LENGTH - 1:
        return None
    return last - first + 1


@torch.no_grad()
def _make_positive(network: nn.Module) -> None:
    """Weights that keep a signal of 1 at 1, so that no path cancels another or fades away."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.fill_(1 / module.weight[0].numel())
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            module.weight.fill_(1)
            module.bias.zero_()
    for parent in network.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.MaxPool2d):
                average = nn.AvgPool2d(child.kernel_size, child.stride, child.padding)
                setattr(parent, name, average)


def draw_shapes(encoder: str, path: Path, *, size: tuple[int, int] = (320, 480)) -> list[Stage]:
    """Write a PNG of an encoder's stages on an image of `size` (height, width): the cells of each,
    and the square that the one in the middle sees. Returns the stages.
    """
    if min(size) < 32:
        raise ConfigError(f"size {size[0]} x {size[1]}: give at least 32 x 32 pixels")
    stages = measure_stages(encoder, size)
    rows = -(-len(stages) // _COLUMNS)  # rounded up
    height, width = size
    figure, grid = make_grid(rows, _COLUMNS, ratio=height / width, lines=2)
    colours = itertools.cycle(SERIES)
    for axes, stage, colour in zip(grid.flat, stages, colours, strict=False):
        picture = _draw_cells(size, stage.stride)
        axes.imshow(picture, cmap="Greys", vmin=0, vmax=4, interpolation="nearest")
        side = stage.field or 2 * max(size)
        corner = (width / 2 - side / 2, height / 2 - side / 2)
        frame = Rectangle(corner, side, side, color=colour, alpha=0.35, linewidth=2)
        axes.add_patch(frame)
        set_title(axes, describe_stage(stage))
    save_png(figure, path)
    return stages


def describe_stage(stage: Stage) -> str:
    """One line: stride, shape, and what a feature sees."""
    height, width = stage.size
    sees = f"{stage.field} x {stage.field} pixels" if stage.field else "everything"
    return f"stride {stage.stride}: {stage.channels} x {height} x {width}, each sees\n{sees}"


def _draw_cells(size: tuple[int, int], stride: int) -> Array:
    """A chessboard of cells of `stride` pixels."""
    rows = torch.arange(size[0])[:, None] // stride
    columns = torch.arange(size[1])[None] // stride
    board: Array = ((rows + columns) % 2).byte().numpy()
    return board
