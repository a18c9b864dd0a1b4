import pytest

from pixelwise.errors import ConfigError
from pixelwise.training.config import TrainConfig


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch", 1),
        ("epochs", 0),
        ("minutes", -1.0),
        ("learning_rate", 0.0),
        ("learning_rate", -1.0),
        ("learning_rate", 50.0),
        ("crop", (30, 32)),
        ("precision", "float16"),
        ("seed", -1),
        ("workers", -1),
        ("ema", 1.0),
        ("label_smoothing", -0.1),
        ("augment", "wild"),
        ("class_weights", "some"),
        ("clip", 0.0),
        ("patience", 0),
        ("freeze", -1),
        ("warmup", -0.1),
        ("weight_decay", -1.0),
        ("encoder_rate", -1.0),
        ("devices", 0),
        ("paste", 1.5),
        ("accumulate", 0),
        ("scale", (2.0, 1.0)),
        ("jitter", 1.0),
        ("decay", "linear"),
        ("paste_classes", "all"),
        ("paste_classes", "rare"),
    ],
)
def test_impossible_options_are_named_with_what_is_allowed(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{option} is .*allowed"):
        TrainConfig.from_flat(**{option: value})


def test_epochs_and_minutes_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="choose one"):
        TrainConfig.from_flat(epochs=1, minutes=1.0)


def test_a_frozen_encoder_and_one_that_thaws_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"frozen=true .*freeze=2 .*choose one"):
        TrainConfig.from_flat(frozen=True, freeze=2)
