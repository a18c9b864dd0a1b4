"""A training's bands: which ones its images have, and a network that takes them."""

from dataclasses import replace

from pixelwise.datasets.band_statistics import (
    PERCENTILE,
    find_channels,
    find_deep_layout,
    find_layout,
    parse_range,
    uses_little,
)
from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.types import ALL, DataSet
from pixelwise.errors import ConfigError
from pixelwise.io.bit_depth import find_common_bits, with_common_bits
from pixelwise.io.channels import Channels, ReadingRule
from pixelwise.io.reading_notes import summarize_notes
from pixelwise.models.config import RGB_CHANNELS, ModelConfig
from pixelwise.models.input_channels import set_normalisation, widen_input
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig


def find_dataset_channels(dataset: DataSet, config: TrainConfig) -> Channels | None:
    """The channels of a network for the images of a data set; None for photos. Raises DataError for
    images of unlike bands, ConfigError for bands that they have not.
    """
    options = config.data
    parse_range(options.value_range)  # refuses what cannot be also where there are photos alone
    asked = tuple(part.strip() for part in (options.bands or "").split(",") if part.strip())
    layout = find_layout(dataset.pairs(ALL), any_bands=bool(asked))
    if layout is not None:
        return find_channels(dataset.pairs("train"), layout, bands=asked, rule=options.value_range)
    layout = find_deep_layout(dataset.pairs(ALL))
    if layout is None:
        return None
    channels = find_channels(dataset.pairs("train"), layout, rule=options.value_range)
    is_default = options.value_range == PERCENTILE
    return channels if not is_default or uses_little(channels) else None


def fit_to_channels(
    model: Segmenter, config: ModelConfig, channels: Channels | None
) -> ModelConfig:
    """Let a network take the channels, in place; returns its configuration. One that takes so many
    already, as its start did, keeps its weights. Raises ConfigError for another library's network
    and other than three.
    """
    if channels is None:
        return config
    if config.library is not None and len(channels) != RGB_CHANNELS:
        raise ConfigError(
            f"the images have {len(channels)} bands, and {config.decoder} takes three; choose "
            "three with --bands, or leave out --start"
        )
    if model.channels != len(channels) or len(channels) == RGB_CHANNELS:
        widen_input(model, channels.names)
    set_normalisation(model, channels.mean, channels.std)
    return replace(config, channels=len(channels))


def match_start(model: Segmenter, source: Segmenter, start: str, channels: Channels | None) -> None:
    """Let a network take as many channels as its start. Raises ConfigError for a start of other
    bands than the images.
    """
    if source.channels == RGB_CHANNELS:
        return
    own = RGB_CHANNELS if channels is None else len(channels)
    if source.channels != own:
        raise ConfigError(
            f"start {start} takes {source.channels} bands, and the images have {own}; choose as "
            "many with --bands, or another start"
        )
    widen_input(model, [""] * own)


def describe_channels(channels: Channels) -> str:
    """The line that says how bands are read."""
    kind = f"{len(channels)} of {channels.count} bands" if len(channels) < channels.count else ""
    own = "1 band" if channels.count == 1 else f"{channels.count} bands"
    kind = kind or own
    return f"bands: {kind} of {channels.kind}, by {channels.rule}: {channels}"


def log_reading(
    train: SplitStats, val: SplitStats, channels: Channels | None, progress: Progress
) -> ReadingRule:
    """Say what reading does to the images; returns how they are read."""
    if channels is not None:
        progress.log(describe_channels(channels))
        return ReadingRule(channels=channels)
    bits = find_common_bits(train.notes)
    line = summarize_notes(with_common_bits(notes, bits) for notes in (*train.notes, *val.notes))
    if line:
        progress.log(line)
    return ReadingRule(bits)
