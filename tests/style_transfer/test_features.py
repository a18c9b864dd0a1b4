from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision.models

from pixelwise.errors import ConfigError, WeightsError
from pixelwise.models.encoder import Encoder
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import EncoderFeatures, VggFeatures, load_network
from pixelwise.style_transfer.optimization import transfer_style


def test_the_features_are_those_of_the_courses_loop(picture: Callable[..., torch.Tensor]) -> None:
    """Section 14.12.4: outputs collected from the chain, whose ReLUs work in place."""
    ours = VggFeatures("vgg19").freeze()
    with torch.device("meta"):  # weights are assigned below, so that none are drawn
        whole = torchvision.models.vgg19(weights=None, init_weights=False)
    chain = whole.features[:29]
    chain.load_state_dict(ours.features.state_dict(), assign=True)
    x = picture(1)[None]
    contents = []
    styles = []
    y = x.clone()
    with torch.no_grad():
        for number, layer in enumerate(chain):
            y = layer(y)
            if number in (0, 5, 10, 19, 28):
                styles.append(y)
            if number == 25:
                contents.append(y)
        found = ours(x)
    for wanted, got in ((contents, found[0]), (styles, found[1])):
        assert len(wanted) == len(got)
        for a, b in zip(wanted, got, strict=True):
            torch.testing.assert_close(a, b)
    assert ours.strides == ((8,), (1, 2, 4, 8, 16))


def test_any_encoder_with_three_strides_carries_style(picture: Callable[..., torch.Tensor]) -> None:
    network = EncoderFeatures(Encoder("resnet10t", plain=True)).freeze()
    made = transfer_style(
        picture(1, 70, 97), [(picture(2), 1.0)], network, StyleConfig(steps=3, levels=1)
    )
    assert made.image.shape == (3, 70, 97)


def test_weights_of_another_network_are_refused_by_the_first_tensor(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(4, 3, 3, 3)}, path)
    with pytest.raises(WeightsError, match=r"22 of 22 tensors.*features\.0\.weight"):
        load_network("vgg16", str(path))
    with pytest.raises(ConfigError, match="untrained"):
        load_network("vgg16", "none")
