"""Models of the same bands whose trainings had other windows, so that one reading serves all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ModelError
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape
from pixelwise.io.channels import Channels


@dataclass(frozen=True)
class TableRunner:
    """Runs `runner` on pixels whose values are replaced by `tables` (channels, 256)."""

    runner: Runner
    tables: NDArray[np.uint8]

    def __call__(self, pixels: Pixels) -> Logits:
        """Logits (N, C, H, W) of uint8 (N, channels, H, W)."""
        bands = [table[pixels[:, number]] for number, table in enumerate(self.tables)]
        return self.runner(np.stack(bands, axis=1))

    def specialize_for_shape(self) -> Runner:
        """As the network's own runner is."""
        return replace(self, runner=specialize_for_shape(self.runner))

    def release_memory(self) -> None:
        """As the network's own runner does."""
        release_memory(self.runner)


def align_channels(members: Sequence[Predictor]) -> list[Predictor]:
    """The models, all of which take pixels that were read for the first one. Raises ModelError for
    models of other bands.
    """
    return [_align(member, members[0]) for member in members]


def _align(member: Predictor, first: Predictor) -> Predictor:
    own = member.rule.channels
    channels = first.rule.channels
    if own == channels:
        return member
    if (
        own is None
        or channels is None
        or (own.names, own.bands) != (channels.names, channels.bands)
    ):
        raise ModelError(
            f"only models of the same bands can be averaged: {first.name} takes "
            f"{_describe(channels)}, {member.name} {_describe(own)}"
        )
    tables = _make_tables(channels, own)
    aligned = member.wrap_runners(lambda runner: TableRunner(runner, tables))
    aligned.reading = {**member.reading, "channels": first.reading["channels"]}
    return aligned


def _make_tables(source: Channels, target: Channels) -> NDArray[np.uint8]:
    """(channels, 256): the level in the target's window of each level in the source's."""
    shares = np.arange(256) / 255
    rows = []
    for number in range(len(source)):
        span = source.high[number] - source.low[number]
        values = source.low[number] + shares * span
        own_span = target.high[number] - target.low[number]
        levels = 255 * (values - target.low[number]) / own_span
        rows.append(np.rint(levels.clip(0, 255)).astype(np.uint8))
    return np.stack(rows)


def _describe(channels: Channels | None) -> str:
    return "photos" if channels is None else ", ".join(channels.names)
