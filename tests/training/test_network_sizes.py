"""Networks by size."""

import pytest

from pixelwise.errors import ConfigError
from pixelwise.training.config import TrainConfig
from pixelwise.training.network_sizes import NETWORK_SIZES, NetworkSize
from pixelwise.training.recipes import make_config


@pytest.mark.parametrize("size", NETWORK_SIZES)
def test_a_size_sets_decoder_and_encoder_and_stays(size: str) -> None:
    network = NETWORK_SIZES[size]
    config = TrainConfig.from_flat(size=size)
    assert (config.model.decoder, config.model.encoder) == (network.decoder, network.encoder)
    assert config.model.upsample == network.upsample
    assert config.with_options(epochs=3).model == config.model
    # as a run folder's record is read again
    assert TrainConfig.from_flat(**config.flat()) == config


def test_the_default_is_the_balanced_size() -> None:
    default = TrainConfig().model
    balanced = NETWORK_SIZES["balanced"]
    assert NetworkSize(default.decoder, default.encoder, default.upsample) == balanced


@pytest.mark.parametrize("name", ["decoder", "encoder", "upsample"])
def test_another_network_beside_a_size_is_refused(name: str) -> None:
    other = {"decoder": "unet", "encoder": "resnet18", "upsample": "unpool"}[name]
    with pytest.raises(ConfigError, match=f"{name}={other} .* choose one of --size and --{name}"):
        TrainConfig.from_flat(**{"size": "accurate", name: other})
    with pytest.raises(ConfigError, match=f"choose one of --size and --{name}"):
        TrainConfig.from_flat(size="accurate").with_options(**{name: other})


def test_a_size_beside_a_recipe_with_a_network_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="fcn32s"):
        make_config("d2l", size="accurate")


def test_an_unknown_size_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="allowed is one of fast, balanced, accurate"):
        TrainConfig.from_flat(size="large")
