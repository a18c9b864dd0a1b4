import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError, ImageError, ModelError
from pixelwise.evaluation.compare_models import compare
from pixelwise.evaluation.find_label_issues import find_label_issues
from pixelwise.inference.predictor import Predictor
from pixelwise.progress import Progress

NAMES = ("background", "circle", "square", "triangle")


class Brightness:
    """Ten lines instead of a model: the class is the red channel's quarter."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        label = (rgb[:, 0].astype(int) * self.classes) // 256
        return np.stack([label == k for k in range(self.classes)], axis=1).astype(np.float32)


def predictor(names: tuple[str, ...] = NAMES) -> Predictor:
    return Predictor(Brightness(len(names)), Classes.named(names))


def by_hand(folder: Path, model: tuple[str, ...], shared: tuple[str, ...]) -> list[float]:
    """IoU of the shared classes, counted pixel by pixel with plain sets."""
    hits = dict.fromkeys(shared, 0)
    union = dict.fromkeys(shared, 0)
    for mask in sorted((folder / "masks/test").iterdir()):
        truth = np.asarray(Image.open(mask))
        rgb = np.asarray(Image.open(folder / "images/test" / f"{mask.stem}.jpg"))
        found = (rgb[..., 0].astype(int) * len(model)) // 256
        for t, f in zip(truth.flat, found.flat, strict=True):
            name = NAMES[t]
            said = model[f]
            if name not in shared:
                continue
            for c in shared:
                hits[c] += name == c and said == c
                union[c] += c in (name, said)
    return [hits[c] / union[c] if union[c] else math.nan for c in shared]


def test_scores_equal_a_count_by_hand_over_whole_images(shapes: Path) -> None:
    found = pixelwise.evaluate(predictor(), shapes)
    assert found.split == "test"
    assert found.scores.images == 4
    assert found.scores.iou == pytest.approx(by_hand(shapes, NAMES, NAMES), nan_ok=True)


def test_classes_are_matched_by_name_and_the_rest_is_void(shapes: Path) -> None:
    model = ("star", "circle", "background")
    found = pixelwise.evaluate(predictor(model), shapes)
    assert found.classes.names == ("background", "circle")
    assert found.scores.iou == pytest.approx(by_hand(shapes, model, ("background", "circle")))
    assert found.scores.void_fraction > 0
    assert "does not know square, triangle" in found.notes[0]
    assert "no star" in found.notes[1]


def test_broken_files_of_the_scored_split_are_left_out_only_when_asked_to(
    shapes: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    broken = sorted((data / "images/test").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(ImageError, match=broken.name):
        pixelwise.evaluate(predictor(), data)
    skipping = DataOptions(skip_broken=True)
    found = pixelwise.evaluate(predictor(), data, options=skipping)
    assert broken.stem not in compare([predictor()] * 2, data, options=skipping).images
    searched = find_label_issues(
        predictor(), data, out=tmp_path / "out", split="test", options=skipping
    )
    assert searched.images == 3
    broken.unlink()
    (data / f"masks/test/{broken.stem}.png").unlink()
    assert found.scores.images == 3
    assert found.scores.iou == pytest.approx(by_hand(data, NAMES, NAMES), nan_ok=True)


def test_a_model_that_shares_no_class_is_refused(shapes: Path) -> None:
    with pytest.raises(ModelError, match="share no class"):
        pixelwise.evaluate(predictor(("a", "b")), shapes)


def test_an_unknown_split_is_answered_with_those_there_are(shapes: Path) -> None:
    with pytest.raises(DataError, match="train, val, test"):
        pixelwise.evaluate(predictor(), shapes, split="holdout")


def test_the_report_and_the_json_hold_the_figures_of_the_contract(
    shapes: Path, tmp_path: Path
) -> None:
    found = pixelwise.evaluate(predictor(), shapes, split="val", report=tmp_path / "report")
    raw = json.loads((tmp_path / "report/scores.json").read_text())
    assert raw.keys() >= {
        "classes",
        "iou",
        "mean_iou",
        "pixel_accuracy",
        "mean_accuracy",
        "frequency_weighted_iou",
        "dice",
        "confusion_matrix",
        "images",
        "void_fraction",
    }
    assert raw["mean_iou"] == pytest.approx(found.scores.mean_iou, abs=1e-6)
    assert "<html" in (tmp_path / "report/report.html").read_text()


COLOURS = ((0, 0, 0), (0, 0, 255), (255, 0, 0))
BY_COLOUR = Classes(("rgb 0 0 0", "rgb 0 0 255", "rgb 255 0 0"), COLOURS, guessed=True)


class Thirds:
    """Class 0, 1 and 2 where red is low, middling and high."""

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        label = rgb[:, 0].astype(int) // 86
        return np.stack([label == k for k in range(3)], axis=1).astype(np.float32)


def write_without_blue(root: Path) -> Path:
    """Four pairs whose masks show black and red, where red of the image is low and high."""
    for folder in ("images/val", "masks/val"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        roof = np.zeros((16, 16), bool)
        roof[number : number + 8, 3:12] = True
        rgb = np.full((16, 16, 3), 20, np.uint8)
        rgb[roof] = 240
        Image.fromarray(rgb).save(root / f"images/val/{number}.png")
        colours = np.array(COLOURS, np.uint8)
        Image.fromarray(colours[np.where(roof, 2, 0)]).save(root / f"masks/val/{number}.png")
    return root


@pytest.mark.parametrize(
    "classes", [BY_COLOUR, Classes(("class 0", "class 1", "class 2"), COLOURS)], ids=["new", "old"]
)
def test_a_colour_that_does_not_occur_changes_no_score_of_the_others(
    tmp_path: Path, classes: Classes
) -> None:
    root = write_without_blue(tmp_path / "data")
    model = Predictor(Thirds(), classes)
    result = pixelwise.evaluate(model, root)
    assert result.classes.names == ("rgb 0 0 0", "rgb 255 0 0")
    assert result.scores.iou.tolist() == [1.0, 1.0]
    compared = compare([model, model], root)
    assert compared.counts.sum(axis=(0, 1))[:2].tolist() == [[1472, 576], [1472, 576]]
    suspects = find_label_issues(model, root, out=tmp_path / "suspects")
    assert not suspects.issues


def test_all_splits_are_scored_together_and_what_was_learned_from_is_said(shapes: Path) -> None:
    class Lines(Progress):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def log(self, text: str) -> None:
            self.lines.append(text)

    lines = Lines()
    found = pixelwise.evaluate(predictor(), shapes, split="all", progress=lines)
    assert (found.split, found.scores.images, len(found.counts)) == ("all", 20, 20)
    assert any("does not say which images it was trained on" in line for line in lines.lines)
    fingerprint = open_dataset(shapes).fingerprint()
    for print_, words in ((fingerprint, "12 of these images are those that"), ("x", "none of the")):
        model = predictor()
        model.reading = {"fingerprint": print_}
        lines = Lines()
        pixelwise.evaluate(model, shapes, split="all", progress=lines)
        assert any(words in line for line in lines.lines)
    with pytest.raises(DataError, match=r"there is no split 'every'; choose one of .* or all"):
        pixelwise.evaluate(predictor(), shapes, split="every")


def test_masks_of_one_class_alone_are_named_beside_their_mean(tmp_path: Path) -> None:
    root = write_without_blue(tmp_path)
    for path in (root / "masks/val").iterdir():
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(path)
    (root / "classes.txt").write_text("ground\nroof\n")
    model = Predictor(Brightness(2), Classes.named(("ground", "roof")))
    notes = pixelwise.evaluate(model, root).notes
    assert notes == ("only ground is in the masks of val: the mean says nothing of the others",)
