"""Style transfer against its formulas and against the course's own loop over torchvision's
layers.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import torchvision.models
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pixelwise.errors import ConfigError, TrainingError, WeightsError
from pixelwise.models.encoder import Encoder
from pixelwise.progress import Progress
from pixelwise.style_transfer import optimization as transfer_module
from pixelwise.style_transfer.config import D2L, StyleConfig
from pixelwise.style_transfer.features import (
    HALO,
    EncoderFeatures,
    StyleNetwork,
    VggFeatures,
    load_network,
)
from pixelwise.style_transfer.losses import content_loss, gram, style_loss, total_variation
from pixelwise.style_transfer.objective import Objective, Weights
from pixelwise.style_transfer.optimization import transfer


class Small(VggFeatures):
    """VGG-16 with a few channels: every layer and stride there, quick."""

    def __init__(self) -> None:
        super().__init__("vgg16")
        torch.manual_seed(0)
        channels = 3
        for number, layer in enumerate(self.features):
            if isinstance(layer, nn.Conv2d):
                self.features[number] = nn.Conv2d(channels, 6, 3, padding=1)
                channels = 6


@pytest.fixture(scope="module")
def network() -> StyleNetwork:
    return Small().freeze()


def picture(seed: int, height: int = 64, width: int = 96) -> torch.Tensor:
    """Smooth colours in [0, 1]."""
    small = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(small, (height, width), mode="bicubic", align_corners=False)[
        0
    ].clamp(0, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_the_losses_are_their_formulas(channels: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.normal(size=(1, channels, height, width)) for _ in range(2))
    a, b = (torch.from_numpy(v).float() for v in (x, y))
    flat = x.reshape(channels, -1)
    matrix = flat @ flat.T / (channels * height * width)
    np.testing.assert_allclose(gram(a), matrix, rtol=1e-4, atol=1e-5)
    assert float(content_loss(a, b)) == pytest.approx(((x - y) ** 2).mean(), rel=1e-4)
    other = y.reshape(channels, -1) @ y.reshape(channels, -1).T / y.size
    assert float(style_loss(gram(a), gram(b))) == pytest.approx(
        ((matrix - other) ** 2).mean(), rel=1e-3
    )
    if height > 1 and width > 1:
        down = np.abs(x[:, :, 1:] - x[:, :, :-1])
        across = np.abs(x[:, :, :, 1:] - x[:, :, :, :-1])
        assert float(total_variation(a)) == pytest.approx(
            0.5 * (down.mean() + across.mean()), rel=1e-4
        )


def test_the_features_are_those_of_the_courses_loop() -> None:
    """Section 14.12.4: outputs collected from the chain, whose ReLUs work in place."""
    ours = VggFeatures("vgg19").freeze()
    chain = torchvision.models.vgg19(weights=None).features[:29]
    chain.load_state_dict(ours.features.state_dict())
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


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("size", [(240, 352), (250, 331), (250, 261)])
def test_tiles_give_the_loss_and_the_gradient_of_the_whole(
    network: StyleNetwork, relative: bool, size: tuple[int, int]
) -> None:
    weights = Weights(1.0, 3.0, 0.5, relative=relative)
    content, style, image = (picture(seed, *size)[None] * 4 - 2 for seed in (1, 2, 3))
    results = []
    for tile in (None, 128):
        target = Objective(network, content, [(style, 1.0)], weights=weights, tile=tile)
        leaf = image.clone().requires_grad_()
        results.append((target.backward(leaf), leaf.grad, len(target.tiles)))
    (whole, slope, one), (tiled, other, many) = results
    assert (one, many) == (1, 4 if size[1] == 261 else 6)  # five columns are no tile of their own
    for name in ("content", "style", "smooth"):
        assert getattr(tiled, name) == pytest.approx(getattr(whole, name), rel=1e-4)
    assert slope is not None
    assert other is not None
    torch.testing.assert_close(other, slope, rtol=1e-3, atol=1e-5 * float(slope.abs().max()))


def test_several_styles_are_their_weighted_mean(network: StyleNetwork) -> None:
    a, b, content = (picture(seed)[None] for seed in (1, 2, 3))
    both = Objective(network, content, [(a, 3.0), (b, 1.0)], weights=Weights())
    single = [
        Objective(network, content, [(style, 1.0)], weights=Weights()).grams for style in (a, b)
    ]
    for found, one, other in zip(both.grams, *single, strict=True):
        torch.testing.assert_close(found, 0.75 * one + 0.25 * other)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_the_loss_falls_and_the_picture_keeps_its_size(
    network: StyleNetwork, optimizer: str
) -> None:
    config = StyleConfig(steps=24, levels=2, optimizer=optimizer)
    made = transfer(picture(1, 130, 171), [(picture(2), 1.0)], network, config)
    assert made.image.shape == (3, 130, 171)
    assert float(made.image.min()) >= 0
    assert float(made.image.max()) <= 1
    assert [step.number for step in made.history] == list(range(1, 25))
    assert [step.size for step in made.history] == [(65, 85)] * 16 + [(130, 171)] * 8
    assert made.history[15].losses.total < 0.8 * made.history[0].losses.total


def test_strength_and_colours(network: StyleNetwork) -> None:
    content = picture(1)
    none = transfer(content, [(picture(2), 1.0)], network, StyleConfig(steps=3, strength=0.0)).image
    torch.testing.assert_close(none, content)
    kept = transfer(
        content, [(picture(2), 1.0)], network, StyleConfig(steps=8, keep_colours=True)
    ).image
    inside = ((kept > 0) & (kept < 1)).all(0)
    gap = (kept - content)[:, inside]  # only lightness moved: the same step in all three channels
    assert float((gap - gap.mean(0)).abs().max()) < 1e-5
    assert float(gap.abs().max()) > 1e-3


def test_large_pictures_go_in_tiles_by_themselves(
    network: StyleNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_module, "WHOLE", 400 * 400 - 1)
    monkeypatch.setattr(transfer_module, "TILE", 128)
    seen = list[tuple[int, int]]()
    hook = network.register_forward_pre_hook(
        lambda _, given: seen.append(tuple(given[0].shape[-2:]))
    )
    whole, tiled = (
        transfer(
            picture(1, side, 400),
            [(picture(2, 100, 100), 1.0)],
            network,
            StyleConfig(steps=1, levels=1),
        )
        for side in (399, 400)
    )
    hook.remove()
    assert (399, 400) in seen
    assert (400, 400) not in seen
    assert max(max(size) for size in seen if 400 not in size and 399 not in size) == 128 + 2 * HALO
    assert tiled.image.shape == (3, 400, 400)
    assert whole.history[0].losses.total == pytest.approx(tiled.history[0].losses.total, rel=0.1)


def test_one_seed_gives_one_picture_also_from_noise(network: StyleNetwork) -> None:
    config = StyleConfig(steps=4, start="noise", seed=5)
    first, again = (
        transfer(picture(1), [(picture(2), 1.0)], network, config).image for _ in range(2)
    )
    assert torch.equal(first, again)
    other = transfer(
        picture(1), [(picture(2), 1.0)], network, StyleConfig(steps=4, start="noise", seed=6)
    ).image
    assert not torch.equal(first, other)


def test_a_loss_that_is_no_number_steps_back_and_says_so(
    network: StyleNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Objective.backward
    calls = iter(range(1000))

    def broken(self: Objective, image: torch.Tensor) -> object:
        losses = real(self, image)
        return type(losses)(float("nan"), 0.0, 0.0) if next(calls) == 5 else losses

    class Lines(Progress):
        said: ClassVar[list[str]] = []

        def log(self, text: str) -> None:
            self.said.append(text)

    monkeypatch.setattr(Objective, "backward", broken)
    made = transfer(
        picture(1), [(picture(2), 1.0)], network, StyleConfig(steps=12, levels=1), progress=Lines()
    )
    assert any("no number" in line and "rate 0.025" in line for line in Lines.said)
    assert torch.isfinite(made.image).all()
    assert len(made.history) == 11


@pytest.mark.parametrize("steps", [1, 3, 9])
def test_a_loss_that_is_never_a_number_is_an_error_and_no_picture(
    network: StyleNetwork, steps: int
) -> None:
    content = torch.full((3, 64, 64), float("nan"))
    with pytest.raises(TrainingError, match="stays no number"):
        transfer(content, [(picture(2), 1.0)], network, StyleConfig(steps=steps, levels=1))


def test_colours_stay_inside_what_can_be_shown_unless_told_otherwise(network: StyleNetwork) -> None:
    """What is pulled back only at the end is no longer what the losses are of."""
    worked_on = list[torch.Tensor]()
    hook = network.register_forward_pre_hook(
        lambda _, given: worked_on.append(given[0].detach().clone())
    )
    furthest = {}
    for inside in (True, False):
        worked_on.clear()
        config = StyleConfig(steps=4, levels=1, rate=1.0, inside=inside)
        transfer(picture(1), [(picture(2), 1.0)], network, config)
        shown = worked_on[-1] * network.std + network.mean
        furthest[inside] = float((shown - shown.clamp(0, 1)).abs().max())
    hook.remove()
    assert furthest[True] < 1e-5
    assert furthest[False] > 0.1


def test_work_ends_where_somebody_asks_or_the_loss_stands_still(network: StyleNetwork) -> None:
    asked = transfer(
        picture(1),
        [(picture(2), 1.0)],
        network,
        StyleConfig(steps=50),
        seen=lambda step, _: step.number == 3,
    )
    assert asked.stopped
    assert len(asked.history) == 3
    same = picture(1)
    still = transfer(
        same, [(same, 1.0)], network, StyleConfig(steps=200, levels=1, rate=1e-6, settle=0.01)
    )
    assert len(still.history) == 21
    assert not still.stopped


def test_a_style_is_shown_at_the_contents_area_whatever_its_shape(network: StyleNetwork) -> None:
    seen = list[int]()
    hook = network.register_forward_pre_hook(lambda _, given: seen.append(given[0][0, 0].numel()))
    transfer(picture(1, 32, 3200), [(picture(2), 1.0)], network, StyleConfig(steps=1, levels=1))
    hook.remove()
    assert len(seen) == 3
    assert max(seen) <= 1.01 * 32 * 3200  # as wide as the content it would have 2133 rows


def test_any_encoder_with_three_strides_carries_style() -> None:
    network = EncoderFeatures(Encoder("resnet10t", plain=True)).freeze()
    made = transfer(
        picture(1, 70, 97), [(picture(2), 1.0)], network, StyleConfig(steps=3, levels=1)
    )
    assert made.image.shape == (3, 70, 97)


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


def test_pictures_too_small_and_no_style_are_refused(network: StyleNetwork) -> None:
    with pytest.raises(ConfigError, match="content picture is 1 x 5 pixels: at least 32"):
        transfer(torch.rand(3, 1, 5), [(picture(2), 1.0)], network, StyleConfig())
    with pytest.raises(ConfigError, match="give one or more"):
        transfer(picture(1), [], network, StyleConfig())


def test_weights_of_another_network_are_refused_by_the_first_tensor(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(4, 3, 3, 3)}, path)
    with pytest.raises(WeightsError, match=r"22 of 22 tensors.*features\.0\.weight"):
        load_network("vgg16", str(path))
    with pytest.raises(ConfigError, match="untrained"):
        load_network("vgg16", "none")


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
