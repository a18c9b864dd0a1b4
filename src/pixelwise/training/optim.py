"""The optimiser, the moving average of the weights, and which part of the encoder learns."""

import math
from collections.abc import Iterable

from timm.utils.model_ema import ModelEmaV3
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from pixelwise.errors import ConfigError
from pixelwise.models.encoder_stages import first_layers
from pixelwise.models.pretrained import is_pretrained
from pixelwise.models.segmenter import Segmenter
from pixelwise.training.config import TrainConfig

ParameterGroup = dict[str, object]


def make_optimizer(model: Segmenter, config: TrainConfig) -> Optimizer:
    """The decoder at the full rate, a pretrained encoder slower, but for new layers on it; AdamW
    does not decay biases and norms.

    Each group's `peak` is its rate before warm-up and decay. Raises ConfigError for a frozen
    encoder that has learned nothing.
    """
    options = config.optim
    has_learned = config.model.start or is_pretrained(config.model.encoder, config.model.weights)
    if options.frozen and not has_learned:
        raise ConfigError(
            f"frozen=true: encoder '{config.model.encoder}' has random weights, which would stay; "
            "give --weights auto, --weights FILE or --start, or leave out frozen"
        )
    assert options.learning_rate is not None
    assert options.encoder_rate is not None
    encoder_rate = options.encoder_rate if has_learned else 1.0
    no_decay = {} if options.optimizer == "sgd" else {"weight_decay": 0.0}
    reassembly = [] if model.encoder.reassembly is None else model.encoder.reassembly.parameters()
    new = [*model.decoder.parameters(), *reassembly]
    named = model.encoder.named_parameters()
    learned = [weights for name, weights in named if not name.startswith("reassembly.")]
    groups: list[ParameterGroup] = []
    for parameters, rate in ((learned, encoder_rate), (new, 1.0)):
        peak = options.learning_rate * rate
        matrices, vectors = _split_parameters(parameters)
        groups.append({"params": matrices, "peak": peak})
        groups.append({"params": vectors, "peak": peak, **no_decay})
    kind: type[AdamW] | type[SGD] = AdamW if options.optimizer == "adamw" else SGD
    return kind(groups, lr=options.learning_rate, weight_decay=options.weight_decay)


def _split_parameters(
    parameters: Iterable[nn.Parameter],
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Weights of layers, and biases and norms, which have one dimension."""
    matrices = []
    vectors = []
    for parameter in parameters:
        if parameter.ndim > 1:
            matrices.append(parameter)
        else:
            vectors.append(parameter)
    return matrices, vectors


class RecentAverage(ModelEmaV3):
    """A moving average that looks back over a share of the steps so far, until that is the window
    of its decay: its first weights are soon forgotten, however few the steps.
    """

    def __init__(self, model: Segmenter, *, decay: float, share: float) -> None:
        super().__init__(model, decay=decay)
        self.share = share

    def get_decay(self, step: int | None = None) -> float:
        """The decay of the update after `step` (from 1)."""
        if step is None:
            return float(self.decay)
        return float(min(self.decay, 1 - 1 / (1 + self.share * (step - 1))))


def moving_average(model: Segmenter, decay: float, share: float) -> ModelEmaV3 | None:
    """A copy of `model` that follows it: w' = d w' + (1 - d) w, d rising to `decay` as 1 - 1 / (1 +
    `share` step), or where `share` is 0 as 1 - (1 + step)^(-2/3).

    Source: Polyak, Juditsky 1992; Tarvainen, Valpola 2017, section 2; of the rise Shamir, Zhang
    2013, section 3. None where `decay` is 0.
    """
    if not decay:
        return None
    if share:
        return RecentAverage(model, decay=decay, share=share)
    return ModelEmaV3(model, decay=decay, use_warmup=True)


def freeze_layers(
    model: Segmenter,
    epoch: int,
    *,
    freeze: int = 0,
    stages: int = 0,
    whole: bool = False,
) -> None:
    """Freeze the encoder's first `stages`, and beyond them all layers in the first of `freeze`
    epochs, fewer from its end in the later of these; `epoch` counts from 1. A `whole` frozen one is
    in eval mode, as in prediction, and no gradient is computed in it.

    A frozen layer's batch normalisation keeps its statistics. Raises ConfigError where the encoder
    has fewer stages.
    """
    if whole:
        model.encoder.net.requires_grad_(False)
        model.encoder.net.eval()
        return
    layers = []
    for layer in model.encoder.net.modules():
        if list(layer.parameters(recurse=False)):
            layers.append(layer)
    frozen = len(first_layers(model.encoder, stages))
    if freeze:
        frozen_share = max(0.0, 1 - (epoch - 1) / freeze)
        frozen = max(frozen, math.ceil(len(layers) * frozen_share))
    for number, layer in enumerate(layers):
        learns = number >= frozen
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(learns)
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            # Statistics of a frozen layer would drift away from its weights.
            layer.train(learns)
