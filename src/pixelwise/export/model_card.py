"""The card of a model: what it labels, from which data, how it was trained and scored, and under
which licences.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pixelwise.errors import DataError
from pixelwise.io.channels import describe_bands, reading_rule
from pixelwise.models.checkpoint import Header
from pixelwise.models.remote_models import FILE

UNKNOWN = "unknown"

# How a model is used that lies at an address.
_AT_ADDRESS = "```sh\npixelwise predict hf://OWNER/NAME photo.jpg --overlay\n```"
# Settings of run.json that say how the model was trained.
_SETTINGS = (
    "epochs",
    "minutes",
    "crop",
    "batch",
    "loss",
    "augment",
    "learning_rate",
    "ema",
    "seed",
)


@dataclass(frozen=True)
class CardFacts:
    """What a card needs to be told: the licences of model and data, the file of `evaluate --json`,
    and who made the model.
    """

    licence: str = UNKNOWN
    data_licence: str = UNKNOWN
    scores: str | Path | None = None
    authors: tuple[str, ...] = ()


@dataclass(frozen=True)
class CardSources:
    """What a card is made of: the model's header, run.json where there is one, the scores of
    `evaluate --json`, the licences of model and data, and the authors.
    """

    name: str
    header: Header
    record: Mapping[str, Any] | None = None
    scores: Mapping[str, Any] | None = None
    licence: str = UNKNOWN
    data_licence: str = UNKNOWN
    authors: tuple[str, ...] = ()

    @property
    def start(self) -> tuple[str, str]:
        """The weights that the training began with, and their licence; empty for none."""
        start = self.header.training.get("start") or {"name": UNKNOWN, "licence": UNKNOWN}
        return str(start["name"]), str(start["licence"])

    def unknowns(self) -> list[str]:
        """What the card cannot say, for whoever pushes it."""
        name, licence = self.start
        facts = {
            "the model's licence (--licence)": self.licence == UNKNOWN,
            "the data's licence (--data-licence)": self.data_licence == UNKNOWN,
            f"the licence of the weights it began with ({name})": licence == UNKNOWN,
            "scores with intervals (--scores, a file of evaluate --json)": self.scores is None,
        }
        return [fact for fact, is_unknown in facts.items() if is_unknown]


def collect_sources(path: Path, header: Header, facts: CardFacts) -> CardSources:
    """What the card of the model file `path` is made of. Raises DataError for scores that are
    none.
    """
    return CardSources(
        path.resolve().parent.name if path.name == FILE else path.stem,
        header,
        _read_record(path),
        None if facts.scores is None else read_card_scores(Path(facts.scores)),
        facts.licence,
        facts.data_licence,
        facts.authors,
    )


def _read_record(path: Path) -> Mapping[str, Any] | None:
    """run.json beside a model; None where there is none that can be read."""
    try:
        record: dict[str, Any] = json.loads((path.parent / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if {"data", "config"} <= record.keys() else None


def write_card(sources: CardSources, use: str = _AT_ADDRESS) -> str:
    """The card as Markdown, with the head that hubs read; `use` says how the model is run."""
    head = {
        "library_name": "pixelwise",
        "pipeline_tag": "image-segmentation",
        "tags": ["semantic-segmentation", "pixelwise"],
        "license": "other" if sources.licence == UNKNOWN else sources.licence,
    }
    sections = (
        [f"# {sources.name}", *_describe_model(sources), use],
        ["## Data", *_describe_data(sources)],
        ["## Training", *_describe_training(sources)],
        ["## Scores", *_describe_scores(sources.scores)],
        ["## Licences", *_describe_licences(sources)],
    )
    body = "\n\n".join("\n\n".join(section) for section in sections)
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n{body}\n"


def _describe_model(sources: CardSources) -> Iterator[str]:
    model = sources.header.model
    channels = reading_rule(sources.header.reading).channels
    picture = "a photo" if channels is None else f"a picture of {describe_bands(channels.names)}"
    count = len(sources.header.classes)
    relation = ", which may overlap" if model.multilabel else ""
    names = ", ".join(sources.header.classes.names)
    origin = f"a network of {model.library}" if model.library else "trained with pixelwise"
    yield (
        f"Labels every pixel of {picture} by {count} classes{relation}: {names}. "
        f"{model.decoder} on {model.encoder}, {origin}."
    )


def _describe_data(sources: CardSources) -> Iterator[str]:
    record = sources.record
    if record is None:
        yield "Not recorded: the model file came without its run folder."
        return
    data = record["data"]
    counts = ", ".join(f"{split} {count}" for split, count in data["images"].items())
    yield (
        f"Format {data['format']}; images: {counts}. Fingerprint of the set: "
        f"`{data['fingerprint']}`."
    )


def _describe_training(sources: CardSources) -> Iterator[str]:
    record = sources.record
    if record is None:
        yield "Not recorded."
        return
    config = record["config"]
    rows = [f"| {name} | {config[name]} |" for name in _SETTINGS if config.get(name) is not None]
    yield "\n".join(["| setting | value |", "|---|---|", *rows])
    result = record.get("result")
    if result:
        best = result["best"]
        yield (
            f"The best of {result['epochs']} epochs by mean IoU on the validation images is epoch "
            f"{best['epoch']}, with {best['val_mean_iou']:.4f}; as they chose it, that flatters."
        )


def _describe_scores(scores: Mapping[str, Any] | None) -> Iterator[str]:
    if scores is None:
        yield "None were given with the model."
        return
    yield (
        f"Split `{scores['split']}`, {len(scores['mean_iou_by_image'])} images; 95 % intervals by "
        "bootstrap over images."
    )
    rows = [_row("mean IoU", scores["mean_iou"], scores["mean_iou_95"])]
    rows += [
        _row(name, value, scores["iou_95"].get(name) or (None, None))
        for name, value in scores["iou"].items()
    ]
    yield "\n".join(["| | IoU | 95 % |", "|---|---|---|", *rows])


def _row(name: str, value: float | None, bounds: Sequence[float | None]) -> str:
    low, high = (_figure(bound) for bound in bounds)
    return f"| {name} | {_figure(value)} | {low} to {high} |"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _describe_licences(sources: CardSources) -> Iterator[str]:
    name, licence = sources.start
    began = f"{name}, {licence}" if licence else "none, the training began with random weights"
    yield (
        f"- Model: {sources.licence}\n- Data: {sources.data_licence}\n- Weights that the training "
        f"began with: {began}"
    )


def read_card_scores(path: Path) -> Mapping[str, Any]:
    """The scores of a file of `evaluate --json`. Raises DataError for any other."""
    try:
        scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        list(_describe_scores(scores))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: holds no scores ({type(error).__name__}: {error}); give a file of "
            "`evaluate --json`"
        ) from error
    return scores
