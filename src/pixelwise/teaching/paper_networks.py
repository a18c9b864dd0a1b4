"""Classifiers turned into fully convolutional networks, and finer outputs without another network.

Source: Long, Shelhamer, Darrell, CVPR 2015, sections 3.1 and 3.2.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.models.paper_encoders import (
    linear_to_convolutions,
    output_channels,
    split_classifier,
)


def convolutionalize(classifier: nn.Module) -> nn.Sequential:
    """A classifier such as torchvision's VGG or AlexNet as a network that slides: its fully
    connected layers become convolutions with the same weights, and its average pooling goes.

    (N, 3, H, W) to (N, classes, H', W'): 224 x 224 pixels give 1 x 1, 384 x 384 give 6 x 6, which
    is what 36 images of 224 x 224 at stride 32 give, in one pass (Long et al. 2015, section 3.1).
    Exactly so for networks that pad nothing; one with padded convolutions sees zeros around each of
    the 36, and the big image's pixels in one pass.

    Raises ConfigError where there are no `features` followed by a `classifier` of linear layers.
    """
    features, dense = split_classifier(classifier)
    width = output_channels(features)
    sliding = linear_to_convolutions(dense, width)
    # by the names of torchvision's network, so that its weights fit
    layers = OrderedDict[str, nn.Module](features=features, classifier=sliding)
    network = nn.Sequential(layers)
    return network.train(classifier.training)


def shift_and_stitch(
    network: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    stride: int,
    step: int = 1,
) -> Tensor:
    """Finer outputs of a network whose output has stride f: run it on the image shifted by 0,
    `step`, ... pixels in both directions, and interlace.

    images (N, 3, H, W); the result (N, classes, h, w) has stride `step`, one value for every
    `step`-th place where the network's field fits. For a network without padding it is what the
    field sees at each place (Long et al. 2015, section 3.2). Costs (stride / step)^2 passes. Raises
    ConfigError where `step` does not divide `stride`.
    """
    if step < 1 or stride % step:
        raise ConfigError(f"step {step}: must divide the network's stride, {stride}")
    if images.ndim != 4:
        raise ConfigError(
            f"images of shape {tuple(images.shape)}: give (N, 3, H, W), one image as image[None]"
        )
    shifts = range(0, stride, step)
    grid = []
    for top in shifts:
        row = []
        for left in shifts:
            # shifted by a crop: padding would put zeros into the field
            shifted = images[..., top:, left:]
            row.append(network(shifted))
        grid.append(row)
    return _interlace(grid)


def _interlace(grid: list[list[Tensor]]) -> Tensor:
    """Outputs (N, classes, h, w) of a square of shifts as one, in which neighbours come from
    neighbouring shifts.
    """
    count = len(grid)
    first = grid[0][0]
    # larger shifts may give a pixel less
    height = sum(row[0].shape[-2] for row in grid)
    width = sum(part.shape[-1] for part in grid[0])
    images, classes = first.shape[:2]
    stitched = first.new_empty(images, classes, height, width)
    for top, row in enumerate(grid):
        for left, part in enumerate(row):
            stitched[..., top::count, left::count] = part
    return stitched
