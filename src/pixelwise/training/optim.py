"""The optimiser, the moving average of the weights, and which part of the encoder learns."""

import math

from timm.utils.model_ema import ModelEmaV3
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from pixelwise.models.pretrained import is_pretrained
from pixelwise.models.segmenter import Segmenter
from pixelwise.training.config import TrainConfig


def make_optimizer(model: Segmenter, config: TrainConfig) -> Optimizer:
    """The decoder at the full rate, a pretrained encoder slower; AdamW does not decay biases and
    norms.

    Each group's `peak` is its rate before warm-up and decay.
    """
    options = config.optim
    has_learned = config.model.start or is_pretrained(config.model.encoder, config.model.weights)
    encoder_rate = options.encoder_rate if has_learned else 1.0
    no_decay = {} if options.optimizer == "sgd" else {"weight_decay": 0.0}
    groups: list[dict[str, object]] = []
    for part, rate in ((model.encoder, encoder_rate), (model.decoder, 1.0)):
        peak = options.learning_rate * rate
        parameters = list(part.parameters())
        groups.append({"params": [p for p in parameters if p.ndim > 1], "peak": peak})
        groups.append({"params": [p for p in parameters if p.ndim <= 1], "peak": peak, **no_decay})
    kind: type[AdamW] | type[SGD] = {"adamw": AdamW, "sgd": SGD}[options.optimizer]
    return kind(groups, lr=options.learning_rate, weight_decay=options.weight_decay)


def moving_average(model: Segmenter, decay: float) -> ModelEmaV3 | None:
    """A copy of `model` that follows it: w' = d w' + (1 - d) w, d rising to `decay` as 1 - (1 +
    step)^(-2/3).

    Source: Polyak, Juditsky 1992; Tarvainen, Valpola 2017, section 2. None where `decay` is 0.
    """
    return ModelEmaV3(model, decay=decay, use_warmup=True) if decay else None


def gradual_unfreeze(model: Segmenter, epoch: int, freeze: int) -> None:
    """Unfreeze the encoder's last layers for `epoch` (from 1): none in the first of `freeze`
    epochs, all after them.

    A frozen layer's batch normalisation keeps its statistics.
    """
    layers = [
        layer for layer in model.encoder.net.modules() if list(layer.parameters(recurse=False))
    ]
    frozen = math.ceil(len(layers) * max(0.0, 1 - (epoch - 1) / freeze)) if freeze else 0
    for number, layer in enumerate(layers):
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(number >= frozen)
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train(number >= frozen)
