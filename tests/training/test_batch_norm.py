import pytest
import torch
from torch import nn

from pixelwise.models.encoder_stages import first_layers
from pixelwise.models.registry import build_model
from pixelwise.models.segmenter import Segmenter
from pixelwise.training.batch_norm import recompute_statistics


@pytest.fixture
def model() -> Segmenter:
    torch.manual_seed(0)
    network = build_model("fcn32s", encoder="test_resnet", classes=2, weights="none")
    network.scale = 0.5  # of prediction alone
    return network.eval()


def first_norm(model: nn.Module) -> nn.BatchNorm2d:
    return next(layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))


def test_recomputed_statistics_are_those_of_a_plain_pass(model: Segmenter) -> None:
    """The first layer's input is the same in every batch: its mean and variance by hand."""
    batches = [torch.rand(4, 3, 64, 64) for _ in range(3)]
    norm = first_norm(model)
    norm.running_mean.fill_(1e3)
    inputs = list[torch.Tensor]()
    hook = norm.register_forward_hook(lambda _, arguments, __: inputs.append(arguments[0]))
    recompute_statistics(model, batches)
    hook.remove()
    assert inputs[0].shape[-2:] == (32, 32)  # stride 2 of 64: not scaled
    means = [each.mean((0, 2, 3)) for each in inputs]
    variances = [each.var((0, 2, 3)) for each in inputs]
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(0))


def test_nothing_but_the_statistics_changes(model: Segmenter) -> None:
    model.decoder.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [layer.training for layer in model.modules()]
    momentum = first_norm(model).momentum
    recompute_statistics(model, [torch.rand(4, 3, 64, 64)])
    changed = [
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    ]
    assert changed
    assert all(name.endswith(("running_mean", "running_var")) for name in changed)
    assert [layer.training for layer in model.modules()] == modes
    assert first_norm(model).momentum == momentum


def test_a_frozen_encoder_keeps_its_statistics(model: Segmenter) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    recompute_statistics(model, [torch.rand(4, 3, 64, 64)], frozen_encoder=True)
    changed = {
        name.split(".running")[0]
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {f"encoder.norms.{number}" for number in range(5)}


def test_statistics_of_frozen_stages_stay(model: Segmenter) -> None:
    frozen = [
        layer for layer in first_layers(model.encoder, 2) if isinstance(layer, nn.BatchNorm2d)
    ]
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.fill_(7.0)
    recompute_statistics(model, [torch.rand(4, 3, 64, 64)], frozen_stages=2)
    kept = [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.BatchNorm2d) and bool((layer.running_mean == 7).all())
    ]
    assert frozen
    assert kept == frozen
