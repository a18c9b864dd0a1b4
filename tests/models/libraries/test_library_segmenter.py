from torch import nn

from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder_stages import count_stages
from pixelwise.models.registry import build_segmenter
from pixelwise.training.config import TrainConfig
from pixelwise.training.optim import freeze_layers, make_optimizer

CONFIG = ModelConfig("torchvision.lraspp", "mobilenet_v3_large", 3)


def test_each_weight_stands_once_and_learns_at_one_rate() -> None:
    model = build_segmenter(CONFIG)
    names = list(model.state_dict())
    assert all(name.startswith(("network.", "mean", "std")) for name in names)
    config = TrainConfig().with_options(start="x", learning_rate=0.1, encoder_rate=0.5)
    groups = make_optimizer(model, config).param_groups
    counts = {0.05: 0, 0.1: 0}
    for group in groups:
        counts[group["peak"]] += sum(weight.numel() for weight in group["params"])
    backbone: nn.Module = model.network.backbone  # type: ignore[assignment, union-attr]
    encoder = sum(weight.numel() for weight in backbone.parameters())
    whole = sum(weight.numel() for weight in model.parameters())
    assert counts == {0.05: encoder, 0.1: whole - encoder}


def test_its_encoder_can_be_frozen_as_a_whole_and_has_no_stages() -> None:
    model = build_segmenter(CONFIG)
    freeze_layers(model, 1, whole=True)
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learning
    assert all(name.startswith("network.classifier.") for name in learning)
    assert not model.gives_cacheable_features
    assert count_stages(model.encoder, stride=4) == 0
