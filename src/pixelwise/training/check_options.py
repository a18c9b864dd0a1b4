"""Options whose values the dataclasses cannot judge, judged before any data are read."""

from pathlib import Path

from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError
from pixelwise.models.checkpoint import read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder import check_encoder_name
from pixelwise.models.pretrained import check_weights_file
from pixelwise.models.registry import check_model_config
from pixelwise.training.config import TrainConfig
from pixelwise.training.layer_losses import make_layer_loss


def check_model_options(config: TrainConfig) -> None:
    """Raises ConfigError for an unknown encoder and for an `upsample` that the decoder has not,
    ModelError for a model to start from that cannot be read, WeightsError for a missing file.
    """
    options = config.model
    for teacher in config.optim.teacher:
        read_header(Path(teacher)).check_one_class(teacher)
    check_model_config(ModelConfig(options.decoder, options.encoder, 1, options.upsample))
    check_encoder_name(options.encoder)
    if options.start is not None:
        read_header(Path(options.start))
    else:
        check_weights_file(options.weights)


def check_target_options(config: TrainConfig, reading: DataOptions) -> None:
    """Raises ConfigError for what is not done where classes overlap, or where alpha is learned."""
    if not reading.multilabel and not reading.matte:
        return
    target = "multilabel" if reading.multilabel else "matte"
    optim = config.optim
    values = {
        "teacher": optim.teacher,
        "unlabelled": config.data.unlabelled,
        "label_smoothing": optim.label_smoothing,
        "tree_weight": optim.tree_weight,
        "paste": config.augmentation.paste,
        "void_as_background": config.data.void_as_background,
    }
    for name, value in values.items():
        if value:
            raise ConfigError(f"{name} needs one class a pixel: leave it out, or {target}")
    if reading.multilabel:
        make_layer_loss(optim.loss)
