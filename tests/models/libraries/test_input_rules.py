import math

import pytest

from pixelwise.errors import ModelError
from pixelwise.models.libraries.input_rules import IMAGENET_MEAN, InputRules, read_preprocessor


def test_sizes_are_those_of_the_file() -> None:
    sides = {
        256: 256,
        "square": round(math.sqrt(512 * 1024)),
        "short": round(300 * math.sqrt(4 / 3)),
    }
    assert read_preprocessor({"size": 256}).side == sides[256]
    assert read_preprocessor({"size": {"height": 512, "width": 1024}}).side == sides["square"]
    assert read_preprocessor({"size": {"shortest_edge": 300}}).side == sides["short"]
    assert read_preprocessor({"size": 256, "do_resize": False}).side is None
    assert read_preprocessor({}).sizes() is None


def test_a_photo_is_seen_with_its_short_edge_as_the_file_says() -> None:
    sizes = read_preprocessor({"size": {"shortest_edge": 300}}).sizes()
    assert sizes is not None
    assert sizes.view_size(480, 640) == (300, 400)
    assert sizes.view_size(300, 400) == (300, 400)


def test_normalisation_is_told_in_0_to_1() -> None:
    assert read_preprocessor({}).mean == IMAGENET_MEAN
    assert read_preprocessor({"do_normalize": False}).mean == (0, 0, 0)
    # MobileViT's processors flip, and do not normalise unless they say so
    flips = read_preprocessor({"do_flip_channel_order": True, "image_mean": [0.5] * 3})
    assert flips == InputRules((0, 0, 0), (1, 1, 1), is_bgr=True)
    raw = {"do_rescale": False, "image_mean": [51, 102, 153], "image_std": 255}
    rules = read_preprocessor(raw)
    assert rules.mean == pytest.approx((0.2, 0.4, 0.6))
    assert rules.std == pytest.approx((1, 1, 1))
    twice = read_preprocessor({"rescale_factor": 2 / 255, "image_mean": [1, 1, 1]})
    assert twice.mean == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("raw", [{"size": {"x": 1}}, {"image_mean": [1, 2]}, {"image_std": None}])
def test_a_damaged_file_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"preprocessor_config\.json is damaged"):
        read_preprocessor(raw)
