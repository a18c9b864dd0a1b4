"""The network that a training begins with, and its first weights."""

from dataclasses import replace
from pathlib import Path

import torch

from pixelwise.datasets.types import DataSet
from pixelwise.evaluation.class_match import names_for_data
from pixelwise.io.channels import Channels
from pixelwise.models.checkpoint import load_model, read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.pretrained import load_weights
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.timm_features import has_final_norm
from pixelwise.models.warm_start import warm_start
from pixelwise.training.band_input import match_start
from pixelwise.training.config import TrainConfig


def make_network(dataset: DataSet, config: TrainConfig) -> tuple[ModelConfig, Segmenter]:
    """The network with random weights, which follow from the seed; that of a start of another
    library.
    """
    torch.manual_seed(config.run.seed)
    options = config.model
    thresholds = (0.5,) * len(dataset.classes) if dataset.multilabel else None
    final_norm = options.final_norm and has_final_norm(options.encoder)
    if options.start is not None:
        start = read_header(Path(options.start)).model
        if start.library is not None:
            model_config = replace(
                start,
                classes=len(dataset.classes),
                temperature=1.0,
                scale=1.0,
                thresholds=thresholds,
            )
            return model_config, build_segmenter(model_config)
        final_norm = start.final_norm
    model_config = ModelConfig(
        options.decoder,
        options.encoder,
        len(dataset.classes),
        options.upsample,
        options.plain,
        thresholds=thresholds,
        final_norm=final_norm,
    )
    return model_config, build_segmenter(model_config)


def init_weights(
    model: Segmenter,
    model_config: ModelConfig,
    dataset: DataSet,
    config: TrainConfig,
    channels: Channels | None,
) -> str:
    """Give the network its first weights; returns where they came from."""
    start = config.model.start
    if start is None:
        return load_weights(model.encoder, config.model.weights)
    source, header = load_model(Path(start))
    match_start(model, source, start, channels)
    names = dataset.classes.names
    known = names_for_data(header.classes, dataset.classes, model_name=f"the start {start}")
    taken = warm_start(model, model_config, names, state=source.state_dict(), known=known)
    return f"start {start}: {taken}"
