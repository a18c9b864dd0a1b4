import pytest

from pixelwise.errors import ConfigError
from pixelwise.style_transfer.config import D2L, StyleConfig


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("steps", 0),
        ("levels", 0),
        ("optimizer", "sgd"),
        ("start", "black"),
        ("rate", 0.0),
        ("strength", 1.5),
        ("style_scale", 9.0),
        ("tile", 100),
        ("settle", 1.0),
        ("style_weight", -1.0),
        ("average", -1.0),
    ],
)
def test_impossible_options_are_named(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{option} is .*allowed"):
        StyleConfig(**{option: value})  # type: ignore[arg-type]


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ConfigError, match="above 0 where the two other"):
        StyleConfig(content_weight=0, style_weight=0, smooth_weight=0)


def test_the_books_settings_are_the_courses() -> None:
    """Section 14.12: weights 1, 1e4 (the Chinese edition: 1e3, and each ten times in the sum), 10;
    Adam at 0.3, times 0.8 every 50 of 500 steps, from the content."""
    assert (D2L.weights.content, D2L.weights.style, D2L.weights.smooth) == (1.0, 1e4, 10.0)
    assert (D2L.optimizer, D2L.rate, D2L.decay, D2L.every, D2L.steps) == (
        "adam",
        0.3,
        0.8,
        50,
        500,
    )
    assert (D2L.start, D2L.levels, D2L.weights.relative) == ("content", 1, False)
