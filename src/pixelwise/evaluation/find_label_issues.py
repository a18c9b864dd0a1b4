"""Labels that are likely wrong: the regions a model disbelieves, as a list, as pictures, and for a
label editor.
"""

import csv
import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.conversion import write_dataset
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import ALL, DataOptions, DataSet, Pair
from pixelwise.errors import ConfigError, OutputError, unknown_choice_error
from pixelwise.evaluation.class_match import match_classes
from pixelwise.evaluation.data_options import drop_broken_pairs, training_data_options
from pixelwise.evaluation.label_issue_list import (
    COLUMNS,
    IMAGE_COLUMNS,
    ImageIssue,
    LabelIssueList,
)
from pixelwise.evaluation.out_of_fold import OutOfFold, hold_out_images
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array
from pixelwise.io.reading_notes import ReadingSummary
from pixelwise.metrics.label_issues import LabelIssue, find_suspect_regions, outline_region
from pixelwise.models.checkpoint import find_models, model_path
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.reports.gallery import draw_panels, join_panels, write_gallery
from pixelwise.reports.samples import Gallery, Panels, Sample

EDITORS = ("labelme", "cvat")
SCORE_NOTE = (
    "The score is the mean cross-entropy of the labels over the region (its rim left out) times "
    "the fourth root of its pixels: high where the model gives the label next to no probability "
    "over more than a few pixels. A high score is a suspicion: sometimes the label is wrong, "
    "sometimes the model."
)
TRAINED_ON_NOTE = (
    "The model was trained on train of this very data: it has learned the errors there as well "
    "and believes them. An honest answer needs a model that has not seen those labels: train "
    "another with the halves of the data swapped."
)
OUT_OF_FOLD_NOTE = (
    "Each image was searched by the model of the folds that has not seen it; those that none of "
    "them was trained on, by the average of all."
)
_PANEL_SIDE = 480
_MARGIN = 40  # pixels shown around a region, at least


def find_label_issues(
    model: str | Path | Sequence[str | Path] | Predictor,
    data: str | Path,
    *,
    out: str | Path,
    split: str | None = None,
    top: int = 50,
    to: str | None = None,
    options: DataOptions | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> LabelIssueList:
    """Rank the regions of `data` whose labels `model` disbelieves, and write them to the folder
    `out`.

    suspects.csv lists all, images.csv their images by the worst region; suspects.html and crops/
    show the first `top`. With `to`, labelme or cvat, the images of those and their labels are
    written for that editor. `reading` are fields of DataOptions that differ from the model's
    training. `split` None is every split but train where the model was trained on it
    and others are left. Raises ConfigError for a `top` below 1 or another editor, OutputError where
    that editor's folder exists already.
    """
    out = Path(out)
    _check_request(Path(data), out, top, to)
    progress = progress or default_progress()
    predictor = model if isinstance(model, Predictor) else load(model)
    options = options or training_data_options(predictor, **reading)
    dataset = open_dataset(data, options)
    predictor = hold_out_images(predictor, dataset)
    # A predictor does not say which file it comes from.
    trained_on = (
        not isinstance(model, Predictor)
        and not isinstance(predictor, OutOfFold)
        and any(_was_trained_on(path, dataset) for path in find_models(model))
    )
    splits = _choose_splits(dataset, split, trained_on)
    for name in splits:
        dataset = drop_broken_pairs(dataset, name, options, progress)
    search = _Search(predictor, dataset, top)
    images = search.search_splits(splits, progress)
    notes = [SCORE_NOTE]
    if trained_on and "train" in splits:
        notes.append(TRAINED_ON_NOTE)
    if isinstance(predictor, OutOfFold):
        notes.append(OUT_OF_FOLD_NOTE)
    classes = search.class_match.classes
    issues = LabelIssueList(search.ranked_issues(), classes, images, tuple(notes))
    _write_results(out, issues, search.pictures(), dataset)
    if to is not None and issues.issues:
        _write_for_editor(out / to, to, dataset, issues.issues[:top], progress)
    return issues


def _check_request(data: Path, out: Path, top: int, to: str | None) -> None:
    if top < 1:
        raise ConfigError(f"top {top}: choose how many regions to show, 1 or more")
    if to is not None and to not in EDITORS:
        raise unknown_choice_error("label editor", to, EDITORS)
    if out.resolve().is_relative_to(data.resolve()):
        raise OutputError(
            f"{out} lies in the data set, which stays as it is: choose a folder elsewhere"
        )
    if to is not None and (out / to).exists():
        raise OutputError(
            f"{out / to} exists and may hold corrections: choose another --out, or move it away"
        )


def _was_trained_on(model: Path, dataset: DataSet) -> bool:
    """Whether the model's run says that it was trained on this data, as it is or before its labels
    were corrected.
    """
    try:
        record = (model_path(model).parent / "run.json").read_text(encoding="utf-8")
        data = json.loads(record)["data"]
        same_folder = Path(data["root"]).resolve() == dataset.root.resolve()
        return bool(same_folder or data["fingerprint"] == dataset.fingerprint())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _choose_splits(dataset: DataSet, split: str | None, trained_on: bool) -> list[str]:
    if split == ALL:
        return list(dataset.splits)
    if split:
        return [split]
    held_out = [name for name in dataset.splits if name != "train"]
    if trained_on and held_out:
        return held_out
    return list(dataset.splits)


class _Search:
    """Takes image after image; keeps every issue's figures, and pictures of the `top` most suspect
    alone, as all of them would not fit into memory.
    """

    def __init__(self, predictor: Predictor, dataset: DataSet, top: int) -> None:
        self.class_match = match_classes(predictor.classes, dataset.classes)
        self._channels = self.class_match.model_ids
        self._predictor = predictor
        self._dataset = dataset
        self._top = top
        self._reading = ReadingSummary()
        self._issues: list[ImageIssue] = []
        self._shown: list[tuple[float, int, Panels]] = []  # a heap, the least suspect first

    def search_splits(self, splits: Sequence[str], progress: Progress) -> int:
        """Add the issues of all their images; the number of these."""
        pairs = [(split, pair) for split in splits for pair in self._dataset.pairs(split)]
        searching = f"searching the {len(pairs)} images of {', '.join(splits)}"
        for note in (*self._dataset.notes, searching, *self.class_match.notes):
            progress.log(note)
        for split, pair in progress.track(pairs, what="searching", total=len(pairs)):
            self._search_image(split, pair)
        if self._reading.line():
            progress.log(self._reading.line())
        return len(pairs)

    def _search_image(self, split: str, pair: Pair) -> None:
        """Add the issues of one image."""
        prediction = self._predictor.predict(pair.image, scores="probabilities")
        self._reading.add(prediction.notes)
        match = self.class_match
        size = prediction.labels.shape
        labels = match.truth(self._dataset.read_labels, pair, size, prediction.valid)
        predicted = match.from_model[prediction.labels]
        probabilities = prediction.scores["probabilities"][self._channels]  # (C, H, W)
        for issue in find_suspect_regions(labels, probabilities):
            rank = (issue.score, -len(self._issues))  # of equal scores the first stays
            if self._is_shown(rank):
                panels = self._draw(issue, prediction.rgb, labels, predicted)
                heapq.heappush(self._shown, (*rank, panels))
            if len(self._shown) > self._top:
                heapq.heappop(self._shown)
            # masks of thousands of issues would be as large as the data set
            without_mask = replace(issue, mask=np.empty((0, 0), bool))
            self._issues.append(ImageIssue(pair, split, without_mask))

    def _is_shown(self, rank: tuple[float, int]) -> bool:
        """Whether it is among the `top` so far: pictures of others are not drawn."""
        if len(self._shown) < self._top:
            return True
        score, number, _ = self._shown[0]
        return rank > (score, number)

    def ranked_issues(self) -> tuple[ImageIssue, ...]:
        """All issues, the most suspect first."""
        ranked = sorted(self._issues, key=lambda item: -item.issue.score)
        return tuple(ranked)

    def pictures(self) -> list[Panels]:
        """Of the first `top` of `ranked_issues`."""
        return [panels for *_, panels in sorted(self._shown, reverse=True)]

    def _draw(self, issue: LabelIssue, rgb: Array, labels: Array, predicted: Array) -> Panels:
        """The region's surroundings, their labels and the prediction, each with the region's
        outline.
        """
        classes = self.class_match.classes
        window = _window_around(issue)
        masks = [
            (f"label: {classes.names[issue.label]}", labels[window]),
            (f"prediction: {classes.names[issue.predicted]}", predicted[window]),
        ]
        ring = outline_region(issue, labels.shape)[window]
        return draw_panels(rgb[window], masks, classes.palette, _PANEL_SIDE, ring)


def _window_around(issue: LabelIssue) -> tuple[slice, slice]:
    top, left, bottom, right = issue.box
    margin = max(_MARGIN, (bottom - top) // 2, (right - left) // 2)
    rows = slice(max(0, top - margin), bottom + margin)
    columns = slice(max(0, left - margin), right + margin)
    return rows, columns


def _write_results(
    out: Path,
    issues: LabelIssueList,
    pictures: Sequence[Panels],
    dataset: DataSet,
) -> None:
    rows = issues.rows()
    _write_csv(out / "suspects.csv", COLUMNS, rows)
    _write_csv(out / "images.csv", IMAGE_COLUMNS, issues.by_image())
    # Pictures end after the first `top` rows.
    samples = [
        _write_crop(out / "crops", row, panels) for row, panels in zip(rows, pictures, strict=False)
    ]
    regions = f"{len(rows):,} in suspects.csv, {len(samples)} shown; images.csv ranks the images"
    write_gallery(
        out / "suspects.html",
        title="Labels that may be wrong",
        lead=issues.notes,
        facts=[
            ("Data", f"{dataset.root} ({dataset.format}), {issues.images} images"),
            ("Regions", regions),
        ],
        gallery=Gallery.of(issues.classes, samples),
    )


def _write_crop(folder: Path, row: Sequence[object], panels: Panels) -> Sample:
    """A region's picture, as a file and as a sample of the page."""
    rank, image, split, *_, area, label, looks_like, confidence, score = row
    stem = Path(str(image)).stem
    with atomic(folder / f"{rank:03}_{stem}.jpg") as draft:
        draft.write_bytes(join_panels(panels))
    title = (
        f"{rank}. {split}/{image}: labelled {label}, looks like {looks_like} ({confidence}), "
        f"{area} pixels, score {score}"
    )
    return Sample(title, panels)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _write_for_editor(
    folder: Path,
    editor: str,
    dataset: DataSet,
    issues: Sequence[ImageIssue],
    progress: Progress,
) -> None:
    """The images of `issues`, the most suspect first, with all their labels."""
    splits: dict[str, dict[Pair, None]] = {}  # dicts keep the order and drop repetitions
    for item in issues:
        splits.setdefault(item.split, {})[item.pair] = None
    suspect = {split: tuple(pairs) for split, pairs in splits.items()}
    write_dataset(replace(dataset, splits=suspect), folder, to=editor, progress=progress)
