import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import ConfigError, OutputError
from pixelwise.evaluation import find_label_issues as job
from pixelwise.evaluation.find_label_issues import find_label_issues
from pixelwise.inference.predictor import Predictor

NAMES = ("ground", "lake", "wood", "town")
SIZE = (72, 96)


class Red:
    """The class is the red channel's quarter, and it is quite sure."""

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        label = rgb[:, 0].astype(int) // 64
        return np.stack([8.0 * (label == k) for k in range(4)], axis=1).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three splits of four images; in val/b a lake was forgotten, in test/c a smaller wood is
    called town.
    """
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    for split in ("train", "val", "test"):
        for name in "abcd":
            truth = np.kron(rng.integers(0, 4, (3, 4)), np.ones((24, 24), int)).astype(np.uint8)
            truth[24:48, 24:72] = 1
            truth[0:24, 0:24] = 2
            labels = truth.copy()
            if (split, name) == ("val", "b"):
                labels[24:48, 24:72] = 0
            if (split, name) == ("test", "c"):
                labels[4:20, 4:20] = 3
            for kind, pixels in (
                ("images", np.repeat(truth[..., None] * 64 + 32, 3, 2)),
                ("masks", labels),
            ):
                path = root / kind / split / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    (root / "classes.txt").write_text("\n".join(NAMES))
    return root


def model(names: tuple[str, ...] = NAMES) -> Predictor:
    return Predictor(Red(), Classes.named(names))


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_planted_errors_come_first_with_place_and_classes(data: Path, tmp_path: Path) -> None:
    found = find_label_issues(model(), data, out=tmp_path / "out", top=1)
    first, second = read_csv(tmp_path / "out/suspects.csv")
    assert [first[key] for key in ("image", "split", "labelled_as", "looks_like")] == [
        "b.png",
        "val",
        "ground",
        "lake",
    ]
    assert [int(first[key]) for key in ("top", "left", "bottom", "right", "area")] == [
        24,
        24,
        48,
        72,
        24 * 48,
    ]
    assert [second[key] for key in ("image", "split", "labelled_as", "looks_like")] == [
        "c.png",
        "test",
        "town",
        "wood",
    ]
    assert float(first["score"]) > float(second["score"])
    assert [row["image"] for row in read_csv(tmp_path / "out/images.csv")] == ["b.png", "c.png"]
    assert (len(found.issues), found.images) == (2, 12)
    page = (tmp_path / "out/suspects.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert "1. val/b.png: labelled ground, looks like lake" in page
    (crop,) = (tmp_path / "out/crops").iterdir()
    assert crop.name == "001_b.jpg"


def test_pictures_stand_in_the_order_of_the_list(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job._Search, "_draw", lambda _, one, *rest: ((str(one.box), b""),))
    monkeypatch.setattr(job, "join_panels", lambda panels: panels[0][0].encode())
    found = find_label_issues(model(), data, out=tmp_path / "out")
    crops = sorted((tmp_path / "out/crops").iterdir())
    assert [path.read_bytes().decode() for path in crops] == [
        str(one.issue.box) for one in found.issues
    ]


@pytest.mark.parametrize("editor", ["labelme", "cvat"])
def test_labels_go_to_an_editor_are_corrected_and_read_back(
    data: Path, tmp_path: Path, editor: str
) -> None:
    find_label_issues(model(), data, out=tmp_path / "out", top=1, to=editor)
    back = open_dataset(tmp_path / "out" / editor)
    assert back.format == editor
    assert back.classes.names == NAMES
    (pair,) = back.pairs("val")
    before = np.asarray(Image.open(data / "masks/val/b.png"))
    assert (back.read_labels(pair.mask) == before).all()
    if editor == "labelme":
        path = pair.image.with_suffix(".json")
        record = json.loads(path.read_text())
        corners = [[24, 24], [72, 24], [72, 48], [24, 48]]
        record["shapes"].append({"label": "lake", "points": corners, "shape_type": "polygon"})
        path.write_text(json.dumps(record))
        after = open_dataset(tmp_path / "out" / editor)
        corrected = after.read_labels(after.pairs("val")[0].mask)
        assert (corrected[24:48, 24:72] == 1).all()
        assert (corrected == before)[:24].all()
    with pytest.raises(OutputError, match="may hold corrections"):
        find_label_issues(model(), data, out=tmp_path / "out", to=editor)


def test_what_the_model_learned_from_is_left_out_or_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").touch()
    (run / "run.json").write_text(
        json.dumps({"data": {"root": str(data), "fingerprint": "before corrections"}})
    )
    monkeypatch.setattr(job, "load", lambda path: model())
    assert find_label_issues(run, data, out=tmp_path / "a").images == 8
    told = find_label_issues(run, data, out=tmp_path / "b", split="train")
    assert told.images == 4
    assert any("it has learned the errors there" in note for note in told.notes)
    (run / "run.json").write_text(
        json.dumps({"data": {"root": str(tmp_path), "fingerprint": "of others"}})
    )
    assert find_label_issues(run, data, out=tmp_path / "c").images == 12


def test_classes_the_model_does_not_know_are_not_suspected(data: Path, tmp_path: Path) -> None:
    found = find_label_issues(model(("ground", "lake", "wood", "star")), data, out=tmp_path / "out")
    assert [one.pair.name for one in found.issues] == ["b"]


def test_bad_options_are_refused_and_nothing_in_the_data_is_written(
    data: Path, tmp_path: Path
) -> None:
    before = sorted(data.rglob("*"))
    for options, text in (({"top": 0}, "1 or more"), ({"to": "labelm"}, "did you mean 'labelme'")):
        with pytest.raises(ConfigError, match=text):
            find_label_issues(model(), data, out=tmp_path / "out", **options)
    with pytest.raises(OutputError, match="lies in the data set"):
        find_label_issues(model(), data, out=data / "out")
    assert sorted(data.rglob("*")) == before
