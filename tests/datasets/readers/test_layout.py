"""Where images and masks lie, by the names of folders and, where these say nothing, by pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.readers.layout import find_layout
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, DataError

LABELS = np.array([[0, 1, 1], [0, 0, 2]], np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PHOTO).save(path)


def mask(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(LABELS.repeat(8, 0)[:, [0] * 6 + [1] * 5 + [2] * 5]).save(path)


def fill(root: Path, images: str, masks: str, names: str = "ab") -> None:
    for name in names:
        photo(root / images.format(name))
        mask(root / masks.format(name))


def places(root: Path, mask_folder: str = "") -> dict[str, tuple[str, str]]:
    return {
        place.split: (str(place.images.relative_to(root)), str(place.masks.relative_to(root)))
        for place in find_layout(root, mask_folder).places
    }


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("Images", "Masks"),
        ("img_dir", "ann_dir"),
        ("image", "label"),
        ("imgs", "masks_machine"),
        ("JPEGImages", "SegmentationClass"),
        ("photos", "ground_truth"),
        # by the pixels, as the names of the folders say nothing
        ("images", "1st_manual"),
        ("rgb", "nuclei"),
        ("bilder", "masks"),
    ],
)
def test_two_folders_make_a_set(tmp_path: Path, images: str, masks: str) -> None:
    fill(tmp_path, images + "/{}.jpg", masks + "/{}.png")
    assert places(tmp_path) == {"train": (images, masks)}
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert data.format == "folder"
    assert [(pair.image.name, pair.mask.name) for pair in data.pairs("train")] == [
        ("a.jpg", "a.png"),
        ("b.jpg", "b.png"),
    ]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("{}/images", "{}/masks"),
        ("img_dir/{}", "ann_dir/{}"),
        ("{}", "{}_labels"),
        ("{}_images", "{}_masks"),
        ("rgb/{}", "nuclei/{}"),
    ],
)
@pytest.mark.parametrize("val", ["val", "dev", "eval", "valid"])
def test_splits_stand_before_or_behind(tmp_path: Path, images: str, masks: str, val: str) -> None:
    for name, files in (("train", "abc"), (val, "de")):
        fill(tmp_path, images.format(name) + "/{}.jpg", masks.format(name) + "/{}.png", files)
    assert places(tmp_path) == {
        "train": (images.format("train"), masks.format("train")),
        "val": (images.format(val), masks.format(val)),
    }


def test_a_split_of_a_whole_word_more_is_one(tmp_path: Path) -> None:
    fill(tmp_path, "TrainDataset/image/{}.jpg", "TrainDataset/mask/{}.png")
    photo(tmp_path / "TestDataset/other/c.jpg")
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert [pair.name for pair in data.pairs("train")] == ["a", "b"]
    assert f"{tmp_path}: TestDataset/ (1 pictures) is not read" in data.notes


@pytest.mark.parametrize("pattern", ["{}_mask.png", "mask_{}.png", "{}.png", "{}_GT.png"])
@pytest.mark.parametrize("split", ["train/", ""])
def test_images_and_masks_may_lie_in_one_folder(tmp_path: Path, pattern: str, split: str) -> None:
    fill(tmp_path, split + "{}.jpg", split + pattern, "abc")
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert [(pair.image.name, pair.mask.name) for pair in data.pairs("train")] == [
        (f"{name}.jpg", pattern.format(name)) for name in "abc"
    ]


def test_masks_as_roboflow_downloads_them_have_their_names(tmp_path: Path) -> None:
    for split, names in (("train", "abc"), ("valid", "d"), ("test", "e")):
        fill(tmp_path, split + "/{}.jpg", split + "/{}_mask.png", names)
        table = "Pixel Value, Class\n0, ground\n1, wheel barrow\n2, hose\n"
        (tmp_path / split / "_classes.csv").write_text(table)
    (tmp_path / "README.roboflow.txt").write_text("exported")
    data = open_dataset(tmp_path)
    assert data.classes.names == ("ground", "wheel barrow", "hose")
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {
        "train": 3,
        "val": 1,
        "test": 1,
    }
    assert not [note for note in data.notes if "not read" in note]


def test_a_split_of_images_alone_is_left_out_and_said(tmp_path: Path) -> None:
    fill(tmp_path, "train/{}_sat.jpg", "train/{}_mask.png", "789")
    photo(tmp_path / "valid/5_sat.jpg")
    data = open_dataset(tmp_path)
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 2, "val": 1}
    assert "val: left out, as there are no masks in valid/" in data.notes
    assert f"{tmp_path / 'train'}: 7_mask is taken for the mask of 7_sat" in data.notes


def test_a_second_folder_that_may_be_the_truth_is_refused_with_both_named(tmp_path: Path) -> None:
    for split in ("training", "test"):
        fill(
            tmp_path / split, "images/{}_" + split + ".png", "mask/{}_" + split + "_mask.gif", "12"
        )
        fill(tmp_path / split, "images/{}_" + split + ".png", "1st_manual/{}_manual1.gif", "12")
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    assert "mask/ and 1st_manual/ each hold a picture for every image" in str(caught.value)
    assert "--masks mask or --masks 1st_manual" in str(caught.value)
    assert "masks-doubtful" in [issue.type for issue in read_index(tmp_path).issues]
    data = open_dataset(tmp_path, DataOptions(mask_folder="1st_manual", hold_out=False))
    assert [pair.mask.name for pair in data.pairs("test")] == ["1_manual1.gif", "2_manual1.gif"]
    assert f"{tmp_path / 'training'}: mask/ (2 pictures) is not read" in data.notes


def test_a_mask_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    fill(tmp_path, "images/{}.jpg", "masks/{}.png")
    with pytest.raises(DataError, match="no folder truth/ of masks beside one of images"):
        open_dataset(tmp_path, DataOptions(mask_folder="truth"))
    with pytest.raises((DataError, ConfigError), match="--masks goes with the formats folder"):
        open_dataset(tmp_path, DataOptions(mask_folder="masks", format="voc"))


@pytest.mark.parametrize("name", ["masks_coarse", "masks_color", "overlays", "images_raw", "depth"])
def test_folders_that_are_no_rivals_are_said(tmp_path: Path, name: str) -> None:
    fill(tmp_path, "images/{}.jpg", "masks/{}.png", "abc")
    for file in "abc":
        (photo if name in ("images_raw", "depth") else mask)(tmp_path / name / f"{file}.png")
    line = f"{name}/ (3 pictures) is not read"
    assert f"{tmp_path}: {line}" in open_dataset(tmp_path).notes
    issues = [issue.text for issue in read_index(tmp_path).issues]
    assert issues == [line]


def test_a_folder_of_arrays_gives_way_to_one_of_pictures(tmp_path: Path) -> None:
    fill(tmp_path, "JPEGImages/{}.jpg", "SegmentationClassPNG/{}.png", "ab")
    (tmp_path / "SegmentationClass").mkdir()
    for name in "ab":
        np.save(tmp_path / f"SegmentationClass/{name}.npy", LABELS)
    (tmp_path / "class_names.txt").write_text("_background_\ncat\ndog\n")
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert data.classes.names == ("_background_", "cat", "dog")
    assert [pair.mask.parent.name for pair in data.pairs("train")] == ["SegmentationClassPNG"] * 2
    text = "SegmentationClass/ holds 2 .npy files that are called as images and are not read"
    assert any(text in note for note in data.notes)


def test_names_of_cityscapes_have_its_classes(tmp_path: Path) -> None:
    names = "images/t_{}_leftImg8bit.png"
    fill(tmp_path, names, "masks/t_{}_gtFine_labelTrainIds.png", "12")
    fill(tmp_path, names, "masks/t_{}_gtFine_color.png", "12")
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert (len(data.classes), data.classes.names[:3]) == (19, ("road", "sidewalk", "building"))
    assert [pair.mask.name for pair in data.pairs("train")] == [
        "t_1_gtFine_labelTrainIds.png",
        "t_2_gtFine_labelTrainIds.png",
    ]
    text = "2 pictures such as t_1_gtFine_color.png are not read as masks"
    assert any(text in note for note in data.notes)


@pytest.mark.parametrize(
    "name", ["class_dict.csv", "Classes.csv", "label_colors.txt", "labelmap.txt"]
)
def test_classes_come_from_the_files_of_tools(tmp_path: Path, name: str) -> None:
    colours = {0: (0, 255, 255), 1: (255, 255, 0), 2: (0, 0, 0)}
    for file in "ab":
        photo(tmp_path / f"images/{file}_sat.jpg")
        (tmp_path / "masks").mkdir(exist_ok=True)
        row = np.array([[colours[label] for label in (0, 1, 2)]], np.uint8)
        Image.fromarray(row).save(tmp_path / f"masks/{file}_mask.png")
    rows = {
        "csv": "name,r,g,b\nland,0,255,255\nfield,255,255,0\nunknown,0,0,0\n",
        "colors": "0 255 255\tland\n255 255 0\tfield\n0 0 0\tunknown\n",
        "labelmap": "# label\nland:0,255,255::\nfield:255,255,0::\nunknown:0,0,0::\n",
    }
    (tmp_path / name).write_text(next(text for key, text in rows.items() if key in name))
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert data.classes.names == ("land", "field", "unknown")
    assert data.read_labels(data.pairs("train")[0].mask).tolist() == [[0, 1, 2]]
    assert any("'unknown' is a class like any other" in note for note in data.notes)


def test_images_that_are_called_as_masks_are_images(tmp_path: Path) -> None:
    fill(tmp_path, "train/a_{}_l.png", "train/a_{}_l_mask.png", "123")
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert [(pair.image.name, pair.mask.name) for pair in data.pairs("train")] == [
        (f"a_{number}_l.png", f"a_{number}_l_mask.png") for number in "123"
    ]


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        (
            "images/train2017/{}.jpg",
            "annotations/train2017/{}.png",
            {"train": ("images/train2017", "annotations/train2017")},
        ),
        (
            "train_val/images/{}.jpg",
            "train_val/masks/{}.bmp",
            {"train": ("train_val/images", "train_val/masks")},
        ),
        (
            "train/train-org-img/{}.jpg",
            "train/train-label-img/{}_lab.png",
            {"train": ("train/train-org-img", "train/train-label-img")},
        ),
        (
            "train/rgb/{}.jpg",
            "train/classes/{}.png",
            {"train": ("train/rgb", "train/classes")},
        ),
        (
            "png_images/IMAGES/img_{}.png",
            "png_masks/MASKS/seg_{}.png",
            {"train": ("png_images/IMAGES", "png_masks/MASKS")},
        ),
    ],
)
def test_layouts_that_people_download(
    tmp_path: Path, images: str, masks: str, expected: dict[str, tuple[str, str]]
) -> None:
    fill(tmp_path, images, masks)
    assert places(tmp_path) == expected
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert len(data.pairs("train")) == 2
    assert np.array_equal(np.unique(data.read_labels(data.pairs("train")[0].mask)), [0, 1, 2])


def test_masks_in_a_folder_beside_other_annotations_are_entered(tmp_path: Path) -> None:
    fill(tmp_path, "images/{}.jpg", "annotations/trimaps/{}.png")
    (tmp_path / "annotations/xmls").mkdir()
    (tmp_path / "annotations/xmls/a.xml").touch()
    assert places(tmp_path) == {"train": ("images", "annotations/trimaps")}


def test_trainval_beside_train_is_no_split_of_its_own(tmp_path: Path) -> None:
    for split in ("train", "trainval", "test"):
        fill(tmp_path, f"images/{split}/{{}}.jpg", f"masks/{split}/{{}}.png")
    assert places(tmp_path).keys() == {"train", "test"}
    assert places(tmp_path)["train"] == ("images/train", "masks/train")
