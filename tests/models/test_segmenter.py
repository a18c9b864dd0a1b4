import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.tta import with_tta
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter

SIZES = [(1, 1), (33, 1), (64, 64), (97, 131)]


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.6, 0.75, 1.5, 4])
def test_a_network_that_looks_at_another_size_gives_logits_of_the_inputs(scale: float) -> None:
    model = build_segmenter(ModelConfig("linknet", "resnet18", 3, scale=scale)).eval()
    for height, width in SIZES:
        with torch.no_grad():
            assert model(torch.rand(2, 3, height, width)).shape == (2, 3, height, width)


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.25, 1.5])
def test_the_network_looks_at_what_pillow_makes_of_the_image(scale: float) -> None:
    model = build_segmenter(ModelConfig("unet", "resnet18", 3))
    yy, xx = np.mgrid[
        :96, :128
    ]  # smooth, so that it does not matter how far a smaller size is averaged over
    rgb = np.stack([128 + 100 * np.sin(yy / 13 + k) * np.cos(xx / 17) for k in range(3)]).astype(
        np.uint8
    )[None]
    runner = TorchRunner(model, device=torch.device("cpu"))
    expected = with_tta(runner, scales=(scale,))(rgb)
    plain = runner(rgb)
    model.scale = scale
    result = runner(rgb)
    assert np.abs(result - expected).mean() < 0.05 * np.abs(result - plain).mean()
    model.train()
    with torch.no_grad():
        seen = model(torch.from_numpy(rgb).float() / 255)
        model.scale = 1
        assert torch.equal(seen, model(torch.from_numpy(rgb).float() / 255)), (
            "trained at the crop's own size"
        )


def test_padding_is_zero_after_normalisation() -> None:
    seen = []

    class Spy(nn.Module):
        mean = (0.2, 0.3, 0.4)
        std = (0.5, 0.5, 0.5)
        align = 32

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return images[:, :2]

    model = Segmenter(Spy(), nn.Identity(), classes=2)  # type: ignore[arg-type]
    logits = model(torch.ones(1, 3, 5, 40))
    assert seen[0].shape == (1, 3, 32, 64)
    assert not seen[0][..., 5:, :].any()
    assert not seen[0][..., 40:].any()
    assert torch.equal(logits, seen[0][:, :2, :5, :40])
