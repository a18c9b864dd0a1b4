from pathlib import Path
from typing import Any

import pytest
import torch

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.models.checkpoint import load_model
from pixelwise.models.encoder_stages import first_layers
from pixelwise.models.registry import build_model, build_segmenter
from pixelwise.training.config import TrainConfig
from pixelwise.training.optim import freeze_layers, make_optimizer, moving_average


def test_the_kept_weights_are_the_moving_average(
    shapes: Path, tmp_path: Path, read_weights: Any, quick: dict[str, Any]
) -> None:
    pixelwise.train(shapes, tmp_path / "run", epochs=1, ema=0.99, **quick)
    state = torch.load(tmp_path / "run/state/last.pt", weights_only=True)
    kept = read_weights(tmp_path / "run")
    assert all(torch.equal(kept[name], state["average"][name]) for name in kept)
    assert any(not torch.equal(kept[name], state["model"][name]) for name in kept)


def test_the_average_looks_back_over_a_share_of_the_steps_so_far() -> None:
    """It starts as the first step's weights, and soon forgets those before them."""
    model = build_model("fcn32s", encoder="test_resnet", classes=2, weights="none")
    weight = next(model.parameters())
    average = moving_average(model, decay=0.99, share=0.1)
    assert average is not None
    with torch.no_grad():
        weight.fill_(1e6)
        for step in range(1, 31):
            weight.fill_(float(step))
            average.update(model, step=step)
    expected = 0.0
    for step in range(1, 31):
        decay = 1 - 1 / (1 + 0.1 * (step - 1))
        expected = decay * expected + (1 - decay) * step
    averaged = next(average.module.parameters())
    assert torch.allclose(averaged, torch.full_like(averaged, expected))
    assert 26 < expected < 28.5
    assert average.get_decay(10_000) == 0.99


def test_without_a_share_the_average_rises_as_in_earlier_versions() -> None:
    model = build_model("fcn32s", encoder="test_resnet", classes=2, weights="none")
    average = moving_average(model, decay=0.99, share=0.0)
    assert average is not None
    assert average.get_decay(9) == pytest.approx(1 - 9 ** (-2 / 3))
    assert moving_average(model, decay=0.0, share=0.1) is None


def test_the_encoder_thaws_from_its_end() -> None:
    model = build_model("fcn32s", encoder="resnet10t", classes=4, weights="none").train()
    layers = [
        layer for layer in model.encoder.net.modules() if list(layer.parameters(recurse=False))
    ]
    learning = []
    for epoch in (1, 2, 3, 4, 5):
        model.train()
        freeze_layers(model, epoch, freeze=4)
        learning.append(
            [all(p.requires_grad for p in layer.parameters(recurse=False)) for layer in layers]
        )
        assert [layer.training for layer in layers if isinstance(layer, torch.nn.BatchNorm2d)] == [
            on
            for on, layer in zip(learning[-1], layers, strict=True)
            if isinstance(layer, torch.nn.BatchNorm2d)
        ]
    assert not any(learning[0])
    assert all(learning[4])
    assert [sum(row) for row in learning] == [len(layers) * k // 4 for k in range(5)]
    assert all(row == sorted(row) for row in learning)


def test_frozen_stages_stay_frozen_in_every_epoch() -> None:
    model = build_model("fcn32s", encoder="resnet10t", classes=4, weights="none")
    early = first_layers(model.encoder, 2)
    for epoch in (1, 2, 3):
        model.train()
        freeze_layers(model, epoch, freeze=1, stages=2)
        assert not any(p.requires_grad for layer in early for p in layer.parameters(recurse=False))
        assert not any(layer.training for layer in early if isinstance(layer, torch.nn.BatchNorm2d))
    learning = [p for p in model.encoder.net.parameters() if p.requires_grad]
    assert len(learning) > len(early)
    assert all(p.requires_grad for p in model.decoder.parameters())


def test_a_training_leaves_frozen_stages_as_they_were(
    shapes: Path, tmp_path: Path, read_weights: Any, quick: dict[str, Any]
) -> None:
    """Their weights and statistics alike; those after them move."""
    pixelwise.train(shapes, tmp_path / "run", epochs=1, frozen_stages=1, **quick)
    trained = read_weights(tmp_path / "run")
    _, header = load_model(tmp_path / "run")
    torch.manual_seed(0)
    untrained = build_segmenter(header.model)
    fresh = untrained.state_dict()
    encoder = untrained.encoder
    names = {layer: name for name, layer in encoder.net.named_modules()}
    early = [f"encoder.net.{names[layer]}." for layer in first_layers(encoder, 1)]
    kept = [key for key in trained if key.startswith(tuple(early)) and "num_batches" not in key]
    assert kept
    assert all(torch.equal(trained[key], fresh[key]) for key in kept)
    moved = [key for key in trained if key not in kept and key.endswith("conv1.weight")]
    assert moved
    assert [key for key in moved if torch.equal(trained[key], fresh[key])] == []


@pytest.mark.parametrize(
    ("encoder", "given", "rate"),
    [
        ("unet", {}, 1.0),
        ("unet", {"weights": "unet.safetensors"}, 0.3),
        ("unet", {"start": "animals"}, 0.3),
        ("resnet10t", {}, 0.3),
        ("resnet10t", {"weights": "none"}, 1.0),
    ],
)
def test_only_an_encoder_that_has_learned_is_slower(
    encoder: str, given: dict[str, Any], rate: float
) -> None:
    model = build_model("unet", encoder=encoder, classes=2)
    rates = {"learning_rate": 3e-3, "encoder_rate": 0.3}
    config = TrainConfig.from_flat(encoder=encoder, **rates, **given)
    groups = make_optimizer(model, config).param_groups
    assert [group["peak"] for group in groups] == pytest.approx([0.003 * rate] * 2 + [0.003] * 2)


def test_a_frozen_encoder_gets_no_gradient_and_stays_in_eval_mode() -> None:
    model = build_model("fcn32s", encoder="test_vit", classes=2, weights="none").train()
    freeze_layers(model, 1, whole=True)
    model(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert not any(layer.training for layer in model.encoder.net.modules())
    assert all(weights.grad is None for weights in model.encoder.net.parameters())
    assert model.encoder.reassembly is not None
    coarsest = model.encoder.reassembly[-1]
    assert all(weights.grad is not None for weights in coarsest.parameters())
    assert all(weights.grad is not None for weights in model.decoder.parameters())


def test_an_untrained_encoder_is_not_frozen() -> None:
    model = build_model("fcn32s", encoder="test_resnet", classes=2, weights="none")
    config = TrainConfig.from_flat(
        encoder="test_resnet", weights="none", frozen=True, learning_rate=1.0, encoder_rate=0.5
    )
    with pytest.raises(ConfigError, match=r"'test_resnet' has random weights.*--weights FILE"):
        make_optimizer(model, config)


def test_new_layers_on_a_transformer_learn_at_the_decoders_rate() -> None:
    model = build_model("fcn32s", encoder="test_vit", classes=2, weights="none")
    config = TrainConfig.from_flat(
        encoder="test_vit", weights="vit.pth", learning_rate=1.0, encoder_rate=0.1
    )
    rates = {}
    for group in make_optimizer(model, config).param_groups:
        rates |= dict.fromkeys(map(id, group["params"]), group["peak"])
    assert model.encoder.reassembly is not None
    for weights in model.parameters():
        assert id(weights) in rates
    assert {rates[id(weights)] for weights in model.encoder.net.parameters()} == {0.1}
    assert {rates[id(weights)] for weights in model.encoder.reassembly.parameters()} == {1.0}
