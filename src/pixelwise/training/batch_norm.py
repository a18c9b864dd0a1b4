"""Batch normalisation's statistics, measured anew for the weights as they are.

Those that training gathers are moving averages over weights that have moved on, and of an average
of weights no batch ever was normalised with. After few steps both are far from what the network
needs (Wu, Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pixelwise.models.encoder_stages import first_layers
from pixelwise.models.segmenter import Segmenter


@torch.no_grad()
def recompute_statistics(
    model: Segmenter,
    batches: Iterable[Tensor],
    *,
    frozen_stages: int = 0,
    frozen_encoder: bool = False,
) -> None:
    """Set the statistics of every batch normalisation but those of the encoder's `frozen_stages`,
    or of a wholly `frozen_encoder`, to the means of those of `batches`, each (N, 3, H, W) in
    [0, 1]; nothing else changes.
    """
    if frozen_encoder:
        frozen = set(model.encoder.net.modules())
    else:
        frozen = set(first_layers(model.encoder, frozen_stages))
    norms = [
        layer for layer in model.modules() if isinstance(layer, _BatchNorm) and layer not in frozen
    ]
    tracking = [norm for norm in norms if norm.track_running_stats]
    with _averaging(model, tracking):
        for images in batches:
            model(images)


@contextmanager
def _averaging(model: nn.Module, norms: list[_BatchNorm]) -> Iterator[None]:
    """All layers but `norms` in eval mode, these with a plain mean over the batches to come; the
    samples are not resized, as in training.
    """
    was_training = {layer: layer.training for layer in model.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    counts = {norm: int(norm.num_batches_tracked or 0) for norm in norms}
    model.eval()
    model.training = True  # of the segmenter alone
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for layer, training in was_training.items():
            layer.training = training
        for norm in norms:
            norm.momentum = momenta[norm]
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.fill_(counts[norm])
