from collections.abc import Callable
from typing import ClassVar

import pytest
import torch

from pixelwise.errors import ConfigError, TrainingError
from pixelwise.progress import Progress
from pixelwise.style_transfer import optimization
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import HALO, StyleNetwork
from pixelwise.style_transfer.objective import Objective
from pixelwise.style_transfer.optimization import transfer_style


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_the_loss_falls_and_the_picture_keeps_its_size(
    network: StyleNetwork, optimizer: str, picture: Callable[..., torch.Tensor]
) -> None:
    config = StyleConfig(steps=24, levels=2, optimizer=optimizer)
    made = transfer_style(picture(1, 130, 171), [(picture(2), 1.0)], network, config)
    assert made.image.shape == (3, 130, 171)
    assert float(made.image.min()) >= 0
    assert float(made.image.max()) <= 1
    assert [step.number for step in made.history] == list(range(1, 25))
    assert [step.size for step in made.history] == [(65, 85)] * 16 + [(130, 171)] * 8
    assert made.history[15].losses.total < 0.8 * made.history[0].losses.total


def test_strength_and_colours(network: StyleNetwork, picture: Callable[..., torch.Tensor]) -> None:
    content = picture(1)
    none = transfer_style(
        content, [(picture(2), 1.0)], network, StyleConfig(steps=3, strength=0.0)
    ).image
    torch.testing.assert_close(none, content)
    kept = transfer_style(
        content, [(picture(2), 1.0)], network, StyleConfig(steps=8, keep_colours=True)
    ).image
    inside = ((kept > 0) & (kept < 1)).all(0)
    gap = (kept - content)[:, inside]  # only lightness moved: the same step in all three channels
    assert float((gap - gap.mean(0)).abs().max()) < 1e-5
    assert float(gap.abs().max()) > 1e-3


def test_large_pictures_go_in_tiles_by_themselves(
    network: StyleNetwork, monkeypatch: pytest.MonkeyPatch, picture: Callable[..., torch.Tensor]
) -> None:
    monkeypatch.setattr(optimization, "MAX_WHOLE_PIXELS", 400 * 400 - 1)
    monkeypatch.setattr(optimization, "TILE", 128)
    seen = list[tuple[int, int]]()
    hook = network.register_forward_pre_hook(
        lambda _, given: seen.append(tuple(given[0].shape[-2:]))
    )
    whole, tiled = (
        transfer_style(
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


def test_one_seed_gives_one_picture_also_from_noise(
    network: StyleNetwork, picture: Callable[..., torch.Tensor]
) -> None:
    config = StyleConfig(steps=4, start="noise", seed=5)
    first, again = (
        transfer_style(picture(1), [(picture(2), 1.0)], network, config).image for _ in range(2)
    )
    assert torch.equal(first, again)
    other = transfer_style(
        picture(1), [(picture(2), 1.0)], network, StyleConfig(steps=4, start="noise", seed=6)
    ).image
    assert not torch.equal(first, other)


def test_a_loss_that_is_no_number_steps_back_and_says_so(
    network: StyleNetwork, monkeypatch: pytest.MonkeyPatch, picture: Callable[..., torch.Tensor]
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
    made = transfer_style(
        picture(1), [(picture(2), 1.0)], network, StyleConfig(steps=12, levels=1), progress=Lines()
    )
    assert any("no number" in line and "rate 0.025" in line for line in Lines.said)
    assert torch.isfinite(made.image).all()
    assert len(made.history) == 11


@pytest.mark.parametrize("steps", [1, 3, 9])
def test_a_loss_that_is_never_a_number_is_an_error_and_no_picture(
    network: StyleNetwork, steps: int, picture: Callable[..., torch.Tensor]
) -> None:
    content = torch.full((3, 64, 64), float("nan"))
    with pytest.raises(TrainingError, match="stays no number"):
        transfer_style(content, [(picture(2), 1.0)], network, StyleConfig(steps=steps, levels=1))


def test_colours_stay_inside_what_can_be_shown_unless_told_otherwise(
    network: StyleNetwork, picture: Callable[..., torch.Tensor]
) -> None:
    """What is pulled back only at the end is no longer what the losses are of."""
    worked_on = list[torch.Tensor]()
    hook = network.register_forward_pre_hook(
        lambda _, given: worked_on.append(given[0].detach().clone())
    )
    furthest = {}
    for inside in (True, False):
        worked_on.clear()
        config = StyleConfig(steps=4, levels=1, rate=1.0, inside=inside)
        transfer_style(picture(1), [(picture(2), 1.0)], network, config)
        shown = worked_on[-1] * network.std + network.mean
        furthest[inside] = float((shown - shown.clamp(0, 1)).abs().max())
    hook.remove()
    assert furthest[True] < 1e-5
    assert furthest[False] > 0.1


def test_work_ends_where_somebody_asks_or_the_loss_stands_still(
    network: StyleNetwork, picture: Callable[..., torch.Tensor]
) -> None:
    asked = transfer_style(
        picture(1),
        [(picture(2), 1.0)],
        network,
        StyleConfig(steps=50),
        on_step=lambda step, _: step.number == 3,
    )
    assert asked.stopped
    assert len(asked.history) == 3
    same = picture(1)
    still = transfer_style(
        same, [(same, 1.0)], network, StyleConfig(steps=200, levels=1, rate=1e-6, settle=0.01)
    )
    assert len(still.history) == 21
    assert not still.stopped


def test_a_style_is_shown_at_the_contents_area_whatever_its_shape(
    network: StyleNetwork, picture: Callable[..., torch.Tensor]
) -> None:
    seen = list[int]()
    hook = network.register_forward_pre_hook(lambda _, given: seen.append(given[0][0, 0].numel()))
    transfer_style(
        picture(1, 32, 3200), [(picture(2), 1.0)], network, StyleConfig(steps=1, levels=1)
    )
    hook.remove()
    assert len(seen) == 3
    assert max(seen) <= 1.01 * 32 * 3200  # as wide as the content it would have 2133 rows


def test_pictures_too_small_and_no_style_are_refused(
    network: StyleNetwork, picture: Callable[..., torch.Tensor]
) -> None:
    with pytest.raises(ConfigError, match="content picture is 1 x 5 pixels: at least 32"):
        transfer_style(torch.rand(3, 1, 5), [(picture(2), 1.0)], network, StyleConfig())
    with pytest.raises(ConfigError, match="give one or more"):
        transfer_style(picture(1), [], network, StyleConfig())
