"""Options whose values the dataclasses cannot judge, judged before any data are read."""

from pathlib import Path

from pixelwise.models.checkpoint import read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder import check_encoder_name
from pixelwise.models.pretrained import check_weights_file
from pixelwise.models.registry import check_model_config
from pixelwise.training.config import TrainConfig


def check_model_options(config: TrainConfig) -> None:
    """Raises ConfigError for an unknown encoder and for an `upsample` that the decoder has not,
    ModelError for a model to start from that cannot be read, WeightsError for a missing file.
    """
    options = config.model
    for teacher in config.optim.teacher:
        read_header(Path(teacher))
    check_model_config(ModelConfig(options.decoder, options.encoder, 1, options.upsample))
    check_encoder_name(options.encoder)
    if options.start is not None:
        read_header(Path(options.start))
    else:
        check_weights_file(options.weights)
