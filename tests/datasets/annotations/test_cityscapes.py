from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def test_cityscapes_ids_as_19_classes_and_as_30(tmp_path: Path) -> None:
    for split in ("train", "test"):
        picture(tmp_path / f"leftImg8bit/{split}/bonn/bonn_0_1_leftImg8bit.png", (1, 5))
        (tmp_path / f"gtFine/{split}/bonn").mkdir(parents=True)
        ids = np.array([[7, 33, 0, 9, 3]], np.uint8)
        Image.fromarray(ids).save(tmp_path / f"gtFine/{split}/bonn/bonn_0_1_gtFine_labelIds.png")
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, len(data.classes), list(data.splits)) == ("cityscapes", 19, ["train"])
    assert only(data) == [[0, 18, 255, 255, 255]]
    assert (data.classes.names[0], data.classes.names[18]) == ("road", "bicycle")
    every = open_dataset(tmp_path, DataOptions(format="cityscapes-all", hold_out=False))
    assert [every.classes.names[label] for label in only(every)[0] if label < 255] == [
        "road",
        "bicycle",
        "parking",
    ]
    (tmp_path / "gtFine/train/bonn/bonn_0_1_gtFine_labelIds.png").unlink()
    with pytest.raises(
        DataError, match="1 images without labels or labels without image: bonn_0_1"
    ):
        open_dataset(tmp_path)


def city_pair(
    root: Path, split: str, name: str = "bonn_0_1", *, truth: str = "gtFine", form: str = "labelIds"
) -> Path:
    """An image, and a mask of label ids or of others, 1 x 5."""
    picture(root / f"leftImg8bit/{split}/bonn/{name}_leftImg8bit.png", (1, 5))
    mask = root / f"{truth}/{split}/bonn/{name}_{truth}_{form}.png"
    mask.parent.mkdir(parents=True, exist_ok=True)
    ids = [7, 33, 0, 9, 3] if form == "labelIds" else [0, 18, 255, 255, 255]
    Image.fromarray(np.array([ids], np.uint8)).save(mask)
    return mask


LABELS = [[0, 18, 255, 255, 255]]


def test_the_other_files_beside_label_ids_are_not_read(tmp_path: Path) -> None:
    mask = city_pair(tmp_path, "train")
    for form in ("labelTrainIds", "color", "instanceIds"):
        picture(mask.with_name(mask.name.replace("labelIds", form)))
    mask.with_name(f"._{mask.name}").write_bytes(b"\x00")
    data = open_dataset(tmp_path, OPTIONS)
    assert only(data) == LABELS
    assert data.issues == ()
    assert (
        "leftImg8bit and gtFine (labelIds); 19 classes in the order of their ids" in data.notes[0]
    )


def test_train_ids_are_read_where_there_are_no_label_ids(tmp_path: Path) -> None:
    city_pair(tmp_path, "train", form="labelTrainIds")
    data = open_dataset(tmp_path, OPTIONS)
    assert only(data) == LABELS
    assert data.classes.names[18] == "bicycle"
    with pytest.raises(DataError, match="holds labelTrainIds alone"):
        open_dataset(tmp_path, DataOptions(format="cityscapes-all"))


def test_coarse_labels_of_train_extra_are_not_mixed_with_the_fine_ones(tmp_path: Path) -> None:
    city_pair(tmp_path, "train")
    city_pair(tmp_path, "val", "bonn_0_2")
    city_pair(tmp_path, "train_extra", "bonn_0_3", truth="gtCoarse")
    data = open_dataset(tmp_path, OPTIONS)
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 1, "val": 1}
    assert "train_extra: is not read, as train has better labels: it has coarse ones alone" in (
        data.notes
    )
    assert [issue.type for issue in read_index(tmp_path).issues] == ["subfolder-ignored"]


def test_train_extra_is_trained_on_where_there_is_no_train(tmp_path: Path) -> None:
    city_pair(tmp_path, "train_extra", truth="gtCoarse")
    city_pair(tmp_path, "val", "bonn_0_2", truth="gtCoarse")
    data = open_dataset(tmp_path, OPTIONS)
    assert [pair.name for pair in data.pairs("train")] == ["bonn_0_1"]
    assert "gtCoarse" in data.notes[0]


def test_each_file_without_its_partner_is_an_issue(tmp_path: Path) -> None:
    city_pair(tmp_path, "train")
    city_pair(tmp_path, "train", "bonn_0_2").unlink()
    city_pair(tmp_path, "train", "bonn_0_3")
    (tmp_path / "leftImg8bit/train/bonn/bonn_0_3_leftImg8bit.png").unlink()
    index = read_index(tmp_path)
    assert [(issue.type, issue.file.name) for issue in index.issues if issue.file] == [
        ("image-without-mask", "bonn_0_2_leftImg8bit.png"),
        ("mask-without-image", "bonn_0_3_gtFine_labelIds.png"),
    ]
    assert len(index.pairs()) == 1
    skipping = DataOptions(hold_out=False, skip_unpaired=True)
    assert "left out in train: bonn_0_2, bonn_0_3" in open_dataset(tmp_path, skipping).notes


def test_a_split_of_which_nothing_has_labels_is_refused(tmp_path: Path) -> None:
    city_pair(tmp_path, "train").unlink()
    with pytest.raises(DataError, match="no image has labels"):
        open_dataset(tmp_path, DataOptions(skip_unpaired=True))


def test_images_saved_in_another_format(tmp_path: Path) -> None:
    city_pair(tmp_path, "train")
    image = tmp_path / "leftImg8bit/train/bonn/bonn_0_1_leftImg8bit.png"
    image.rename(image.with_suffix(".jpg"))
    assert only(open_dataset(tmp_path, OPTIONS)) == LABELS
