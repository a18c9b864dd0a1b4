from collections.abc import Callable

import pytest
import torch

from pixelwise.style_transfer.features import StyleNetwork
from pixelwise.style_transfer.objective import Objective, Weights


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("size", [(240, 352), (250, 331), (250, 261)])
def test_tiles_give_the_loss_and_the_gradient_of_the_whole(
    network: StyleNetwork,
    relative: bool,
    size: tuple[int, int],
    picture: Callable[..., torch.Tensor],
) -> None:
    weights = Weights(1.0, 3.0, 0.5, relative=relative)
    content, style, image = (picture(seed, *size)[None] * 4 - 2 for seed in (1, 2, 3))
    results = []
    for tile in (None, 128):
        target = Objective(network, content, [(style, 1.0)], weights=weights, tile=tile)
        leaf = image.clone().requires_grad_()
        results.append((target.backward(leaf), leaf.grad, len(target.tiles)))
    (whole, slope, one), (tiled, other, many) = results
    assert (one, many) == (1, 4 if size[1] == 261 else 6)  # five columns are no tile of their own
    for name in ("content", "style", "smooth"):
        assert getattr(tiled, name) == pytest.approx(getattr(whole, name), rel=1e-4)
    assert slope is not None
    assert other is not None
    torch.testing.assert_close(other, slope, rtol=1e-3, atol=1e-5 * float(slope.abs().max()))


def test_several_styles_are_their_weighted_mean(
    network: StyleNetwork, picture: Callable[..., torch.Tensor]
) -> None:
    a, b, content = (picture(seed)[None] for seed in (1, 2, 3))
    both = Objective(network, content, [(a, 3.0), (b, 1.0)], weights=Weights())
    single = [
        Objective(network, content, [(style, 1.0)], weights=Weights()).style_grams
        for style in (a, b)
    ]
    for found, one, other in zip(both.style_grams, *single, strict=True):
        torch.testing.assert_close(found, 0.75 * one + 0.25 * other)
