"""Labels that are likely wrong: the regions a model disbelieves, as a list, as pictures, and for a
label editor.
"""

import csv
import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixelwise.classes import Classes
from pixelwise.datasets.conversion import write_dataset
from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import ConfigError, OutputError, unknown_choice_error
from pixelwise.evaluation.data_options import as_trained, readable
from pixelwise.evaluation.scoring import match
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array
from pixelwise.metrics.label_issues import LabelIssue, find_label_issues, outline_region
from pixelwise.models.checkpoint import model_path
from pixelwise.progress import Progress
from pixelwise.reports.gallery import panel, side_by_side, write_gallery
from pixelwise.reports.overlays import paint
from pixelwise.reports.samples import Gallery, Panels, Sample

EDITORS = ("labelme", "cvat")
COLUMNS = (
    *("rank", "image", "split", "top", "left", "bottom", "right", "area"),
    *("labelled_as", "looks_like", "confidence", "score"),
)
SCORE = (
    "The score is the mean cross-entropy of the labels over the region (its rim left out) "
    "times the fourth root of its "
    "pixels: high where the model gives the label next to no probability over more than a few "
    "pixels. A high score is "
    "a suspicion: sometimes the label is wrong, sometimes the model."
)
LEARNED = (
    "The model was trained on train of this very data: it has learned the errors there as "
    "well and believes them. An "
    "honest answer needs a model that has not seen those labels: train another with the "
    "halves of the data swapped."
)
SIDE = 320
AROUND = 40
MARK = (255, 0, 170)


@dataclass(frozen=True)
class Found:
    """A suspect region, without its mask, and the image it is in."""

    pair: Pair
    split: str
    suspect: LabelIssue


@dataclass(frozen=True)
class Suspects:
    """All suspect regions, the most suspect first; classes are those that model and data share."""

    regions: tuple[Found, ...]
    classes: Classes
    images: int
    notes: tuple[str, ...]

    def rows(self) -> list[tuple[object, ...]]:
        """COLUMNS of each region."""
        return [self._row(rank, found) for rank, found in enumerate(self.regions, 1)]

    def _row(self, rank: int, found: Found) -> tuple[object, ...]:
        one = found.suspect
        names = self.classes.names
        figures = (
            names[one.label],
            names[one.predicted],
            f"{one.confidence:.4f}",
            f"{one.score:.3f}",
        )
        return rank, found.pair.image.name, found.split, *one.box, one.area, *figures

    def by_image(self) -> list[tuple[object, ...]]:
        """Image, split, highest score and number of regions of the images that have any, by their
        worst region.
        """
        ranked: dict[tuple[str, str], list[float]] = {}
        for found in self.regions:
            ranked.setdefault((found.pair.image.name, found.split), []).append(found.suspect.score)
        return [(*image, f"{scores[0]:.3f}", len(scores)) for image, scores in ranked.items()]


def suspects(
    model: str | Path | Predictor,
    data: str | Path,
    *,
    out: str | Path,
    split: str | None = None,
    top: int = 50,
    to: str | None = None,
    options: DataOptions | None = None,
    progress: Progress | None = None,
) -> Suspects:
    """Rank the regions of `data` whose labels `model` disbelieves, and write them to the folder
    `out`.

    suspects.csv lists all, images.csv their images by the worst region; suspects.html and crops/
    show the first `top`. With `to`, labelme or cvat, the images of those and their labels are
    written for that editor. `split` None is every split but train where the model was trained on it
    and others are left. Raises ConfigError for a `top` below 1 or another editor, OutputError where
    that editor's folder is there already.
    """
    if top < 1:
        raise ConfigError(f"top {top}: choose how many regions to show, 1 or more")
    if to is not None and to not in EDITORS:
        raise unknown_choice_error("label editor", to, EDITORS)
    if Path(out).resolve().is_relative_to(Path(data).resolve()):
        raise OutputError(
            f"{out} lies in the data set, which stays as it is: choose a folder elsewhere"
        )
    if to is not None and (Path(out) / to).exists():
        raise OutputError(
            f"{Path(out) / to} is there and may hold corrections: choose another --out, or "
            "move it away"
        )
    progress = progress or Progress()
    predictor = model if isinstance(model, Predictor) else load(model)
    options = options or as_trained(predictor)
    dataset = open_dataset(data, options)
    learned = not isinstance(model, Predictor) and _learned(Path(model), dataset)
    rest = [name for name in dataset.splits if name != "train"]
    chosen = [split] if split else rest if learned and rest else list(dataset.splits)
    notes = (SCORE, *([LEARNED] if learned and "train" in chosen else []))
    for name in chosen:
        dataset = readable(dataset, name, options, progress)
    pairs = [(name, pair) for name in chosen for pair in dataset.pairs(name)]
    search = _Search(predictor, dataset, top)
    for note in (
        *dataset.notes,
        f"searching the {len(pairs)} images of {', '.join(chosen)}",
        *search.shared.notes,
    ):
        progress.log(note)
    for name, pair in progress.track(pairs, what="searching", total=len(pairs)):
        search.look(name, pair)
    found = Suspects(search.ranked(), search.shared.classes, len(pairs), notes)
    _write(Path(out), found, search.pictures(), dataset)
    if to is not None and found.regions:
        _hand_over(Path(out) / to, to, dataset, found.regions[:top], progress)
    return found


class _Search:
    """Takes image after image; keeps every region's figures, and pictures of the `top` most suspect
    alone.
    """

    def __init__(self, predictor: Predictor, dataset: DataSet, top: int) -> None:
        self.shared = match(predictor.classes, dataset.classes)
        self._channels = [predictor.classes.names.index(name) for name in self.shared.classes.names]
        self._predictor = predictor
        self._dataset = dataset
        self._top = top
        self._regions: list[Found] = []
        self._shown: list[tuple[float, int, Panels]] = []

    def look(self, split: str, pair: Pair) -> None:
        """Search one image."""
        result = self._predictor.predict(pair.image, scores="probabilities")
        labels = self.shared.truth(self._dataset.read_labels, pair, result.labels.shape)
        said = self.shared.from_model[result.labels]
        for one in find_label_issues(labels, result.scores["probabilities"][self._channels]):
            place = -len(self._regions)  # of equal scores the first found stays
            if len(self._shown) < self._top:
                heapq.heappush(
                    self._shown, (one.score, place, self._picture(one, result.rgb, labels, said))
                )
            elif (one.score, place) > self._shown[0][:2]:
                heapq.heapreplace(
                    self._shown, (one.score, place, self._picture(one, result.rgb, labels, said))
                )
            self._regions.append(Found(pair, split, replace(one, mask=np.empty((0, 0), bool))))

    def ranked(self) -> tuple[Found, ...]:
        """All regions, the most suspect first."""
        return tuple(sorted(self._regions, key=lambda found: -found.suspect.score))

    def pictures(self) -> list[Panels]:
        """Of the first `top` of `ranked`."""
        return [picture for *_, picture in sorted(self._shown, reverse=True)]

    def _picture(self, one: LabelIssue, rgb: Array, labels: Array, said: Array) -> Panels:
        """The region's surroundings, their labels and what the model says, each with the region's
        outline.
        """
        top, left, bottom, right = one.box
        room = max(AROUND, (bottom - top) // 2, (right - left) // 2)
        place = slice(max(0, top - room), bottom + room), slice(max(0, left - room), right + room)
        ring = outline_region(one, labels.shape)[place]
        tinted = [
            paint(rgb[place], ids[place], self.shared.classes.palette, 0.6)
            for ids in (labels, said)
        ]
        parts = [rgb[place].copy(), *tinted]
        for part in parts:
            part[ring] = MARK
        names = self.shared.classes.names
        titles = ("image", f"label: {names[one.label]}", f"prediction: {names[one.predicted]}")
        return tuple(zip(titles, (panel(part, SIDE) for part in parts), strict=True))


def _learned(model: Path, dataset: DataSet) -> bool:
    """Whether the model's run says that it was trained on this data, as it is or before its labels
    were corrected.
    """
    try:
        data = json.loads((model_path(model).parent / "run.json").read_text(encoding="utf-8"))[
            "data"
        ]
        same = Path(data["root"]).resolve() == dataset.root.resolve()
        return bool(same or data["fingerprint"] == dataset.fingerprint())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(out: Path, found: Suspects, pictures: Sequence[Panels], dataset: DataSet) -> None:
    rows = found.rows()
    _write_csv(out / "suspects.csv", COLUMNS, rows)
    _write_csv(out / "images.csv", ("image", "split", "worst_score", "regions"), found.by_image())
    shown = []
    for row, panels in zip(rows, pictures, strict=False):
        rank, image, split, *_, area, label, looks, confidence, score = row
        with atomic(out / "crops" / f"{rank:03}_{Path(str(image)).stem}.jpg") as draft:
            draft.write_bytes(side_by_side(panels))
        what = f"labelled {label}, looks like {looks} ({confidence}), {area} pixels, score {score}"
        shown.append(Sample(f"{rank}. {split}/{image}: {what}", panels))
    facts = [
        ("Data", f"{dataset.root} ({dataset.format}), {found.images} images"),
        (
            "Regions",
            f"{len(rows):,} in suspects.csv, {len(shown)} shown; images.csv ranks the images",
        ),
    ]
    title = "Labels that may be wrong"
    gallery = Gallery.of(found.classes, shown)
    write_gallery(
        out / "suspects.html", title=title, lead=found.notes, facts=facts, gallery=gallery
    )


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _hand_over(
    folder: Path, to: str, dataset: DataSet, regions: Sequence[Found], progress: Progress
) -> None:
    """The images of `regions`, the most suspect first, with all their labels."""
    splits: dict[str, dict[Pair, None]] = {}
    for found in regions:
        splits.setdefault(found.split, {})[found.pair] = None
    part = replace(dataset, splits={split: tuple(pairs) for split, pairs in splits.items()})
    write_dataset(part, folder, to=to, progress=progress)
