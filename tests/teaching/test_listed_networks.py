import pytest
import torch
from torch import nn

from pixelwise.teaching.listed_networks import ListedLinkNet, ListedUNet


@pytest.mark.parametrize(
    ("network", "side", "millions", "norms"),
    [(ListedUNet, 32, 34.51, 0), (ListedLinkNet, 64, 12.95, 35)],
)
def test_a_network_is_the_listings(
    network: type[nn.Module], side: int, millions: float, norms: int
) -> None:
    """Millions of weights as counted by hand from the listings with their mistakes mended."""
    model = network().eval()
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert weights / 1e6 == pytest.approx(millions, abs=0.01)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()) == norms
    with torch.no_grad():
        assert model(torch.zeros(1, 3, side, side)).shape == (1, 2, side, side)
