"""What a set was read as, against what it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.checks.examine import CheckResult, examine
from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import PixelwiseError
from pixelwise.evaluation.scoring import evaluate
from pixelwise.inference.predictor import Predictor
from pixelwise.io.channels import ReadingRule
from pixelwise.io.images import read_picture
from pixelwise.progress import Progress
from pixelwise.training.band_input import find_dataset_channels
from pixelwise.training.recipes import make_config

from .faults import Files
from .truth import COLOURS, VOID, Scene, Truth, class_levels

# Lossy masks may be off at borders; a wrong reading is off in whole areas.
_SAME_LABELS = 0.98
_SAME_PICTURE = 0.95
_SAME_SCORE = 0.9

SILENT = "read wrongly"
RIGHT = "read rightly"
WITH_A_WORD = "read, with a word"
REFUSED = "refused"
CRASH = "crash"
DISAGREES = "check disagrees"


@dataclass(frozen=True)
class Verdict:
    """What happened to a set, and the evidence."""

    outcome: str
    detail: str = ""


class Lines(Progress):
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


@dataclass(frozen=True)
class Case:
    """A written set: its truth, its files, whether its classes are named, and the words of which
    one must be said for it to be read at all (none for a right set).
    """

    root: Path
    truth: Truth
    files: Files
    named: bool
    faulty: bool
    words: tuple[str, ...] = ()
    odd_pictures: bool = False


def judge(case: Case) -> Verdict:
    """The verdict on all readings of a set: `train`'s, then `predict`'s, `check`'s, `evaluate`'s."""
    lines = Lines()
    try:
        dataset = _open(case.root, lines)
    except PixelwiseError as error:
        return _judge_refusal(case, str(error))
    text = "\n".join([*dataset.notes, *(issue.text for issue in dataset.issues), *lines.lines])
    is_announced = _mentions(text, case)
    problem = _wrong_reading(case, dataset) or _wrong_prediction(case)
    if problem and not is_announced:
        return Verdict(SILENT, problem)
    verdict = _judge_check(case, dataset)
    if verdict:
        return verdict
    problem = _wrong_score(case, dataset)
    if problem and not is_announced:
        return Verdict(SILENT, problem)
    if case.faulty and not is_announced and not problem:
        missing = _missing_scenes(case, dataset)
        if missing:
            return Verdict(SILENT, f"left out without a word: {', '.join(missing)}")
    return Verdict(WITH_A_WORD if is_announced else RIGHT)


def judge_transfer(case: Case, other: Case) -> Verdict:
    """The verdict on the score that a right model of the classes of one set gets on another set, in
    which one of the classes does not occur.
    """
    dataset = _open(case.root, Lines())
    partners = _partners(case, dataset)
    runner = Brightness(len(case.truth.names), partners, len(dataset.classes))
    predictor = Predictor(runner, dataset.classes)
    try:
        result = evaluate(predictor, other.root, split="val", progress=Lines())
    except PixelwiseError as error:
        return Verdict(REFUSED, str(error))
    scored = [value for value in result.scores.iou if not np.isnan(value)]
    if scored and min(scored) < _SAME_SCORE:
        return Verdict(SILENT, f"a right model is scored with {min(scored):.2f} on other pictures")
    return Verdict(RIGHT)


def _open(root: Path, lines: Lines) -> DataSet:
    """A data set as `train` opens it, its files read once."""
    dataset = open_dataset(root, DataOptions())
    find_dataset_channels(dataset, make_config("default"))  # refuses what is not alike
    for split in dataset.splits:
        scan_split(dataset, split, progress=lines)
    return dataset


def _mentions(text: str, case: Case) -> bool:
    lowered = text.lower()
    return any(word.lower() in lowered for word in case.words)


def _judge_refusal(case: Case, message: str) -> Verdict:
    """A set that training refuses must be one that `check` finds an error in."""
    try:
        result = examine(case.root)
    except PixelwiseError:
        return Verdict(REFUSED, message)
    if not result.findings.of("error"):
        return Verdict(DISAGREES, f"train: {message}; check: no error")
    return Verdict(REFUSED, message)


def _scene_of(case: Case, path: Path) -> Scene | None:
    by_path = {image: name for name, (image, _) in case.files.items()}
    name = by_path.get(path)
    return next((scene for scene in case.truth.scenes if scene.name == name), None)


def _pairs(dataset: DataSet) -> Iterable[Pair]:
    for pairs in dataset.splits.values():
        yield from pairs


def _wrong_reading(case: Case, dataset: DataSet) -> str:
    """How pictures or labels are read otherwise than they are; empty where they are not."""
    partners: dict[int, int] = {}
    rule = ReadingRule(channels=find_dataset_channels(dataset, make_config("default")))
    for pair in _pairs(dataset):
        scene = _scene_of(case, pair.image)
        if scene is None:
            return f"{pair.image.name} is taken for a picture"
        labels = dataset.read_labels(pair.mask)
        if labels.shape != scene.labels.shape:
            return f"{pair.mask.name} has {labels.shape}, true are {scene.labels.shape}"
        problem = _wrong_labels(scene, labels, partners)
        problem = problem or _wrong_picture(scene, pair.image, rule)
        if problem:
            return f"{pair.name}: {problem}"
    return _wrong_names(case, dataset.classes, partners) or _lost(case, dataset)


def _wrong_labels(scene: Scene, labels: NDArray[np.uint8], partners: dict[int, int]) -> str:
    """`partners` are the labels read by true label, over all pictures so far."""
    for label in np.unique(scene.labels).tolist():
        read, counts = np.unique(labels[scene.labels == label], return_counts=True)
        most = int(read[counts.argmax()])
        if counts.max() < _SAME_LABELS * counts.sum():
            return (
                f"label {label} is read as {dict(zip(read.tolist(), counts.tolist(), strict=True))}"
            )
        if partners.setdefault(label, most) != most:
            return f"label {label} is read as {most}, elsewhere as {partners[label]}"
    if partners.get(VOID, VOID) != VOID:
        return f"void is read as {partners[VOID]}"
    if any(read == VOID for label, read in partners.items() if label != VOID):
        return f"a class is read as void: {partners}"
    if len(set(partners.values())) < len(partners):
        return f"two labels are read as one: {partners}"
    return ""


def _wrong_picture(scene: Scene, path: Path, rule: ReadingRule) -> str:
    rgb = read_picture(path, rule).rgb
    if rgb.shape != scene.rgb.shape:
        return f"{path.name} is read as {rgb.shape}, true are {scene.rgb.shape}"
    known = scene.labels != VOID
    read = rgb.mean(axis=2)[known]
    true = scene.rgb.mean(axis=2)[known]
    if read.std() < true.std() / 2:
        return (
            f"{path.name} is read with a contrast of {read.std():.1f} in place of {true.std():.1f}"
        )
    agreement = float(np.corrcoef(read, true)[0, 1])
    return (
        "" if agreement >= _SAME_PICTURE else f"{path.name} is read with agreement {agreement:.2f}"
    )


def _wrong_names(case: Case, classes: Classes, partners: dict[int, int]) -> str:
    if not case.named:
        return ""
    for label, read in partners.items():
        if label != VOID and classes.names[read] != case.truth.names[label]:
            return f"{case.truth.names[label]} is called {classes.names[read]}"
    return ""


def _missing_scenes(case: Case, dataset: DataSet) -> list[str]:
    pictures = {pair.image for pair in _pairs(dataset)}
    return [name for name, (image, _) in case.files.items() if image not in pictures]


def _lost(case: Case, dataset: DataSet) -> str:
    missing = _missing_scenes(case, dataset)
    return f"left out without a word: {', '.join(missing)}" if missing else ""


class Brightness:
    """In place of a model: the class whose brightness is nearest, as label `order[class]`."""

    def __init__(self, classes: int, order: dict[int, int], labels: int) -> None:
        self.levels = class_levels(classes)
        self.order = order
        self.labels = labels

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        grey = rgb.astype(np.float32).mean(axis=1)
        logits = np.full((len(rgb), self.labels, *grey.shape[1:]), -999, np.float32)
        for label, level in enumerate(self.levels):
            if label in self.order:
                logits[:, self.order[label]] = -abs(grey - level)
        return logits


def _wrong_prediction(case: Case) -> str:
    """Pictures must be read for prediction as for training."""
    count = len(case.truth.names)
    order = {label: label for label in range(count)}
    runner = Brightness(count, order, count)
    predictor = Predictor(runner, Classes(case.truth.names, COLOURS[:count]))
    name, (path, _) = next(iter(case.files.items()))
    try:
        result = predictor.predict(path)
    except PixelwiseError:
        return ""
    scene = next(scene for scene in case.truth.scenes if scene.name == name)
    if result.labels.shape != scene.labels.shape:
        return f"{path.name} is predicted as {result.labels.shape}"
    if case.odd_pictures:
        return ""
    known = scene.labels != VOID
    right = float((result.labels == scene.labels)[known].mean())
    return "" if right > _SAME_SCORE else f"{path.name} is predicted with accuracy {right:.2f}"


def _judge_check(case: Case, dataset: DataSet) -> Verdict | None:
    """`check` must see the classes that `train` sees."""
    try:
        result: CheckResult = examine(case.root)
    except PixelwiseError as error:
        return Verdict(DISAGREES, f"train reads it; check: {error}")
    seen = result.encoding.classes.names
    if seen != dataset.classes.names:
        return Verdict(DISAGREES, f"train: {dataset.classes.names}; check: {seen}")
    return None


def _wrong_score(case: Case, dataset: DataSet) -> str:
    """A model that is right everywhere must be scored so, or not at all."""
    if case.odd_pictures:
        return ""
    partners = _partners(case, dataset)
    count = len(dataset.classes)
    predictor = Predictor(Brightness(len(case.truth.names), partners, count), dataset.classes)
    try:
        result = evaluate(predictor, case.root, split=dataset.scored(None), progress=Lines())
    except PixelwiseError:
        return ""
    scored = [value for value in result.scores.iou if not np.isnan(value)]
    if scored and min(scored) < _SAME_SCORE:
        return f"a right model is scored with {min(scored):.2f}"
    return ""


def _partners(case: Case, dataset: DataSet) -> dict[int, int]:
    partners: dict[int, int] = {}
    for pair in _pairs(dataset):
        scene = _scene_of(case, pair.image)
        if scene is not None:
            _wrong_labels(scene, dataset.read_labels(pair.mask), partners)
    return {label: read for label, read in partners.items() if label != VOID}
