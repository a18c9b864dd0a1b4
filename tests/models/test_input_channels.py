import pytest
import torch

from pixelwise.errors import ConfigError
from pixelwise.models.config import ModelConfig
from pixelwise.models.input_channels import set_normalisation, widen_input
from pixelwise.models.registry import build_segmenter

CONFIG = ModelConfig("fcn8s", "resnet18", 3)


def test_colours_keep_their_weights_and_others_take_the_mean() -> None:
    model = build_segmenter(CONFIG).eval()
    before = model.encoder.net.conv1.weight.detach().clone()
    widen_input(model, ("nir", "blue", "red", "green"))
    after = model.encoder.net.conv1.weight.detach()
    assert torch.allclose(after[:, 1], before[:, 2] * 3 / 4)
    assert torch.allclose(after[:, 2], before[:, 0] * 3 / 4)
    assert torch.allclose(after[:, 0], before.mean(1) * 3 / 4)
    assert model.channels == 4
    assert model(torch.rand(1, 4, 64, 96)).shape == (1, 3, 64, 96)


def test_one_band_sees_what_a_grey_photo_did() -> None:
    model = build_segmenter(CONFIG).eval()
    set_normalisation(model, (0.5,) * 3, (0.25,) * 3)
    grey = torch.rand(1, 1, 64, 64)
    expected = model(grey.expand(1, 3, 64, 64))
    widen_input(model, ("band 1",))
    assert torch.allclose(model(grey), expected, atol=1e-4)


def test_three_bands_without_colours_keep_the_weights() -> None:
    model = build_segmenter(CONFIG)
    before = model.encoder.net.conv1.weight.detach().clone()
    widen_input(model, ("band 1", "band 2", "band 3"))
    assert torch.equal(model.encoder.net.conv1.weight, before)


@pytest.mark.parametrize("encoder", ["tf_efficientnet_lite0", "vit_tiny_patch16_224", "unet"])
def test_encoders_of_all_kinds_are_widened(encoder: str) -> None:
    decoder = "dpt" if encoder.startswith("vit") else "unet"
    model = build_segmenter(ModelConfig(decoder, encoder, 2, channels=6)).eval()
    assert model(torch.rand(1, 6, 64, 64)).shape == (1, 2, 64, 64)


def test_numbers_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 channels: choose 1 to 512"):
        build_segmenter(ModelConfig("fcn8s", "resnet18", 3, channels=0))
