import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import ConfigError, DataError, OutputError
from pixelwise.labelling.project_folder import default_folder, open_project, read_queue
from pixelwise.labelling.strokes import Stroke


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two splits of one pair each, of the same name, with a void pixel."""
    root = tmp_path / "data"
    for split in ("train", "val"):
        mask = np.repeat(np.uint8([[0], [1]]), 40, axis=1).repeat(20, axis=0)
        mask[0, 0] = VOID
        for kind, array in (("images", np.stack([mask * 90] * 3, -1)), ("masks", mask)):
            (root / kind / split).mkdir(parents=True)
            Image.fromarray(array).save(root / kind / split / "a.png")
    (root / "classes.json").write_text(json.dumps(["sea", "land", {"id": 255, "name": "void"}]))
    return root


def test_a_project_begins_beside_its_photos_and_goes_on(photos: Path, tmp_path: Path) -> None:
    with open_project([photos], classes="sky, ground") as session:
        assert session.folder == tmp_path / "photos-labels"
        session.add("a.png", Stroke("brush", 0, ((5.5, 5.5),), 1))
    for given in ([photos], [tmp_path / "photos-labels"]):
        with open_project(given, classes=None) as session:
            assert session.classes.as_classes().names == ("sky", "ground")
            assert (session.labels("a.png") == 0).any()


def test_a_second_process_is_kept_out(photos: Path) -> None:
    with (
        open_project([photos], classes="a,b"),
        pytest.raises(OutputError, match="by another command"),
        open_project([photos], classes="a,b"),
    ):
        pass


def test_a_data_set_opens_with_its_masks_and_keeps_its_splits(
    dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "corrected"
    with open_project([dataset], classes=None, out=out) as session:
        assert session.photos.names == ["train/a.png", "val/a.png"]
        assert session.project.photos["val/a.png"].is_accepted
        session.add("val/a.png", Stroke("brush", 0, ((20.5, 30.5),), 0))
        session.write_masks()
    corrected = open_dataset(out)
    assert {split: len(pairs) for split, pairs in corrected.splits.items()} == {
        "train": 1,
        "val": 1,
    }
    labels = corrected.read_labels(out / "masks/val/a.png")
    before = open_dataset(dataset).read_labels(dataset / "masks/val/a.png")
    assert np.argwhere(labels != before).tolist() == [[30, 20]]
    assert corrected.classes.names == ("sea", "land")


def test_classes_come_from_the_option_a_file_or_the_model(photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("a, with a comma\nb\n")
    with open_project([photos], classes=str(file), out=tmp_path / "one") as session:
        assert session.classes.as_classes().names == ("a, with a comma", "b")
    model = Classes(("x", "y"), ((1, 2, 3), (4, 5, 6)))
    with open_project([photos], classes=None, model_classes=model, out=tmp_path / "two") as session:
        assert session.classes.as_classes() == model


@pytest.mark.parametrize(
    ("classes", "reason"),
    [(None, "--classes road,car,sky"), ("cell", "a model needs two"), ("a,,b", "needs a name")],
)
def test_a_project_without_usable_classes_does_not_begin(
    photos: Path, tmp_path: Path, classes: str | None, reason: str
) -> None:
    with (
        pytest.raises((ConfigError, DataError), match=reason),
        open_project([photos], classes=classes),
    ):
        pass


def test_other_classes_for_a_project_are_refused(photos: Path) -> None:
    with open_project([photos], classes="a,b"):
        pass
    with (
        pytest.raises(ConfigError, match="has the classes a, b"),
        open_project([photos], classes="a,c"),
    ):
        pass


def test_no_photos_are_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with (
        pytest.raises(DataError, match="no images in"),
        open_project([tmp_path / "empty"], classes="a,b"),
    ):
        pass


def test_a_queue_names_photos_in_its_order_each_once(tmp_path: Path) -> None:
    table = tmp_path / "suspects.csv"
    table.write_text("rank,image,split\n1,b.png,val\n2,a.jpg,val\n3,b.png,val\n4,z.png,val\n")
    assert read_queue(table, ["val/a.jpg", "val/b.png"]) == ["val/b.png", "val/a.jpg"]
    with pytest.raises(DataError, match="names none of these photos"):
        read_queue(table, ["q.png"])
    with pytest.raises(DataError, match=r"give suspects\.csv"):
        read_queue(tmp_path / "none.csv", ["a.png"])


def test_the_default_folder_of_single_photos_is_beside_their_folder(photos: Path) -> None:
    assert default_folder([photos / "a.png"]).name == "photos-labels"
