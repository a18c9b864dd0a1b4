from itertools import cycle

import pytest
import torch

import pixelwise
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import (
    DECODERS,
    REQUIRED_STRIDES,
    UPSAMPLING_DECODERS,
    build_segmenter,
)

# Sizes are divided with a ceiling, a ceiling, a floor; the last has no stride 2.
ENCODERS = ["tf_efficientnet_lite0", "resnet18", "vgg11", "convnext_atto"]
# Each decoder on two, each encoder below several.
PAIRS = [*zip(DECODERS, cycle(ENCODERS)), *zip(DECODERS, cycle(ENCODERS[2:] + ENCODERS[:2]))]
SIZES = [(1, 1), (33, 1), (64, 64), (97, 131)]


@pytest.mark.parametrize(("decoder", "encoder"), PAIRS)
def test_logits_have_exactly_the_inputs_size(decoder: str, encoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder=encoder, classes=3).eval()
    for height, width in SIZES:
        with torch.no_grad():
            assert model(torch.rand(1, 3, height, width)).shape == (1, 3, height, width)


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_parameter_gets_a_gradient(decoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder="vgg11", classes=2)
    (model(torch.rand(2, 3, 64, 64)) * torch.randn(2, 2, 64, 64)).sum().backward()
    idle = {
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    }
    assert not {
        name for name in idle if not name.startswith("encoder.norms")
    }  # a decoder may leave strides unused


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_batch_of_one_small_crop_can_be_trained_on(decoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder="test_resnet", classes=2).train()
    logits = model(torch.rand(1, 3, 33, 40))  # two pixels a side at stride 32
    assert logits.shape == (1, 2, 33, 40)
    logits.square().mean().backward()


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_decoder_scores_more_than_a_hundred_classes(decoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder="test_resnet", classes=101).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 40, 33)).shape == (1, 101, 40, 33)


@pytest.mark.parametrize(
    "decoder", [name for name, strides in REQUIRED_STRIDES.items() if not strides <= {16, 32}]
)
def test_an_encoder_without_the_strides_is_refused_by_name(decoder: str) -> None:
    needed = ", ".join(map(str, sorted(REQUIRED_STRIDES[decoder])))
    message = (
        rf"^encoder 'shvit_s1' has strides \[16, 32\]; decoder '{decoder}' needs {needed}, "
        r"as in resnet18$"
    )
    with pytest.raises(ConfigError, match=message):
        build_segmenter(ModelConfig(decoder, "shvit_s1", 2))


@pytest.mark.parametrize("decoder", sorted(DECODERS.keys() - set(UPSAMPLING_DECODERS)))
def test_a_decoder_that_interpolates_refuses_a_choice_of_upsampling(decoder: str) -> None:
    with pytest.raises(
        ConfigError, match=f"upsample 'transposed' does not go with decoder '{decoder}'.*leave it"
    ):
        build_segmenter(ModelConfig(decoder, "resnet18", 2, upsample="transposed"))


@pytest.mark.parametrize("decoder", UPSAMPLING_DECODERS)
def test_without_a_choice_the_others_enlarge_by_transposed_convolutions(decoder: str) -> None:
    states = []
    for upsample in (None, "transposed"):
        torch.manual_seed(0)
        states.append(
            build_segmenter(ModelConfig(decoder, "test_resnet", 2, upsample)).state_dict()
        )
    own, chosen = states
    assert own.keys() == chosen.keys()
    assert all(torch.equal(own[name], chosen[name]) for name in own)


def test_names_that_do_not_exist_are_answered_with_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'unet'"):
        build_segmenter(ModelConfig("unett", "resnet18", 2))
    with pytest.raises(ConfigError, match="resnet18"):
        build_segmenter(ModelConfig("unet", "resnet18x", 2))
    with pytest.raises(ConfigError, match=r"strides \[7, 14, 14\], not a pyramid"):
        build_segmenter(ModelConfig("unet", "sequencer2d_s", 2))
    with pytest.raises(PixelwiseError, match="0 classes"):
        build_segmenter(ModelConfig("unet", "resnet18", 0))
