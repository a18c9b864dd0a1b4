import pytest

from pixelwise.errors import ConfigError
from pixelwise.overrides import parse_overrides
from pixelwise.training.config import TrainConfig


def test_fields_are_read_by_the_type_they_have() -> None:
    texts = [
        "ema=0",
        "scale=(0.5, 2)",
        "optimizer=sgd",
        "patience=3",
        "clip=none",
        "mirror=False",
        "loss=dice + focal",
    ]
    assert parse_overrides(texts, TrainConfig) == {
        "ema": 0.0,
        "scale": (0.5, 2),
        "optimizer": "sgd",
        "patience": 3,
        "clip": None,
        "mirror": False,
        "loss": "dice + focal",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ema", "NAME=VALUE"),
        ("emma=1", "did you mean 'ema'"),
        ("patience=2.5", "int"),
        ("ema=fast", "float"),
        ("scale=2", "tuple"),
        ("mirror=1", "bool"),
        ("freeze=True", "int"),
        ("freeze=none", "int"),
    ],
)
def test_fields_that_do_not_fit_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_overrides([text], TrainConfig)


def test_a_field_with_an_option_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="option of its own"):
        parse_overrides(["epochs=3"], TrainConfig, own=("epochs",))
