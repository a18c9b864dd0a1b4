import pytest

from pixelwise.errors import ConfigError
from pixelwise.training.sample_options import AugmentOptions, LoadingOptions


def test_what_cannot_be_is_refused_with_what_can() -> None:
    with pytest.raises(ConfigError, match="two multiples of 32"):
        LoadingOptions(crop=(100, 100))
    with pytest.raises(ConfigError, match="half, or rare with a paste above 0"):
        AugmentOptions(paste_classes="rare")
    assert LoadingOptions().bands is None
    assert AugmentOptions(paste=0.5, paste_classes="rare").paste == 0.5
