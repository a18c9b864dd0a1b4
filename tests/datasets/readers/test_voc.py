"""Pascal VOC in its official layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.readers import voc
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

REAL = Path(__file__).parents[4] / "shared/data/voc"
OPTIONS = DataOptions()


def make(base: Path, lists: dict[str, list[str]], *, no_image: str = "", no_mask: str = "") -> None:
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (base / folder).mkdir(parents=True)
    for split, names in lists.items():
        (base / "ImageSets/Segmentation" / f"{split}.txt").write_text("\n".join(names) + "\n\n")
        for name in names:
            if name not in no_image.split():
                Image.new("RGB", (4, 3)).save(base / "JPEGImages" / f"{name}.jpg")
            if name not in no_mask.split():
                Image.new("L", (4, 3)).save(base / "SegmentationClass" / f"{name}.png")


@pytest.mark.parametrize("place", ["", "VOC2007", "VOCdevkit/VOC2012"])
def test_the_layout_is_found_at_or_beneath_the_root(tmp_path: Path, place: str) -> None:
    make(tmp_path / place, {"train": ["a", "b"], "val": ["c"], "trainval": ["a", "b", "c"]})
    assert voc.matches(tmp_path)
    data = voc.read(tmp_path, OPTIONS)
    assert {split: [pair.name for pair in pairs] for split, pairs in data.splits.items()} == {
        "train": ["a", "b"],
        "val": ["c"],
    }
    assert (len(data.classes), data.classes.names[15], data.classes.palette[15]) == (
        21,
        "person",
        (192, 128, 128),
    )


def test_without_val_it_is_what_train_leaves_of_trainval(tmp_path: Path) -> None:
    make(tmp_path, {"train": ["a"], "trainval": ["a", "b"]})
    assert [pair.name for pair in voc.read(tmp_path, OPTIONS).pairs("val")] == ["b"]


def test_trainval_alone_is_split(tmp_path: Path) -> None:
    make(tmp_path, {"trainval": [f"n{index}" for index in range(10)]})
    data = voc.read(tmp_path, OPTIONS)
    assert (len(data.pairs("train")), len(data.pairs("val"))) == (8, 2)
    assert "val: 2 of 10 images held out (15 %, seed 0)" in data.notes


def test_listed_images_without_files_are_counted_and_named(tmp_path: Path) -> None:
    make(tmp_path, {"train": list("abcdefgh"), "val": ["v"]}, no_image="b", no_mask="b c d e f g")
    with pytest.raises(DataError) as caught:
        voc.read(tmp_path, OPTIONS)
    source = tmp_path / "ImageSets/Segmentation/train.txt"
    assert str(caught.value) == (
        f"{source} lists 8 images, of which 6 lack a file: b (no image, no mask), c (no "
        "mask), d (no mask), "
        "e (no mask), f (no mask) and 1 more; add the files, or leave these images out with "
        f"--skip-unpaired; `pixelwise check {tmp_path}` lists all that is wrong"
    )
    data = voc.read(tmp_path, DataOptions(skip_unpaired=True))
    assert [pair.name for pair in data.pairs("train")] == ["a", "h"]
    assert any("6 lack a file" in note and "left out" in note for note in data.notes)


def test_an_image_to_train_on_is_not_scored_as_well(tmp_path: Path) -> None:
    make(tmp_path, {"train": ["a", "b", "c"], "val": ["v", "b"], "test": ["v", "a", "c"]})
    with pytest.raises(
        DataError, match=r"^b: in train and in val as well \(1 of 2\); a, c: in .* \(2 of 3\)"
    ):
        voc.read(tmp_path, OPTIONS)
    kept = voc.read(tmp_path, DataOptions(hold_out=False))  # as convert and check open it
    assert "b: in train and in val as well (1 of 2)" in kept.notes


def test_a_test_list_without_masks_is_left_out_and_said(tmp_path: Path) -> None:
    make(tmp_path, {"train": ["a"], "val": ["b"], "test": ["c", "d"]}, no_mask="c d")
    data = voc.read(tmp_path, OPTIONS)
    assert list(data.splits) == ["train", "val"]
    assert "test: left out, as none of its 2 images has a mask" in data.notes


def test_another_layout_is_no_voc(tmp_path: Path) -> None:
    assert not voc.matches(tmp_path)
    with pytest.raises(DataError, match="not Pascal VOC; it needs JPEGImages/"):
        voc.read(tmp_path, OPTIONS)


@pytest.mark.skipif(not REAL.is_dir(), reason="the VOC subset is not beside the repository")
def test_the_real_subset_opens_with_its_numbers() -> None:
    data = voc.read(REAL, OPTIONS)
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 437, "val": 445}
    pair = data.pairs("train")[0]
    with Image.open(pair.mask) as image:
        np.testing.assert_array_equal(data.read_labels(pair.mask), np.asarray(image))


def test_voc_with_a_labelmap_has_its_classes(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages").mkdir()
    Image.new("RGB", (3, 1)).save(tmp_path / "JPEGImages/a.jpg")
    (tmp_path / "SegmentationClass").mkdir()
    colours = np.array([[(0, 0, 0), (9, 8, 7), (224, 224, 192)]], np.uint8)
    Image.fromarray(colours).save(tmp_path / "SegmentationClass/a.png")
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a\n")
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncow:9,8,7::\n"
    )
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    ((pair,),) = data.splits.values()
    labels = data.read_labels(pair.mask).tolist()
    assert (data.classes.names, labels) == (("background", "cow"), [[0, 1, 255]])
    (tmp_path / "labelmap.txt").write_text("cow;9\n")
    with pytest.raises(DataError, match=r"labelmap\.txt: cannot be read as classes"):
        open_dataset(tmp_path)


def test_lists_as_cvat_and_datumaro_write_them(tmp_path: Path) -> None:
    names = [f"back yard {number}" for number in range(3)]
    make(tmp_path, {"default": names})
    source = tmp_path / "ImageSets/Segmentation/default.txt"
    source.write_bytes("\r\n".join(f'"{name}"' for name in names).encode("utf-8-sig"))
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\ncat:48,112,32::\nbackground:0,0,0::\n"
    )
    data = voc.read(tmp_path, DataOptions(hold_out=False))
    assert [pair.name for pair in data.pairs("train")] == names
    assert data.classes.names == ("cat", "background")


@pytest.mark.parametrize("row", ["{} 1", "JPEGImages/{}.jpg", "C:\\data\\JPEGImages\\{}.jpg", "{}"])
def test_rows_name_images_in_many_ways(tmp_path: Path, row: str) -> None:
    make(tmp_path, {"train": ["a", "b c", "été"]})
    rows = [row.format(name) for name in ("a", "b c", "été")]
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("\n".join(rows), encoding="utf-8")
    data = voc.read(tmp_path, DataOptions(hold_out=False))
    assert [pair.name for pair in data.pairs("train")] == ["a", "b c", "été"]


def test_a_folder_called_images_serves_and_odd_lists_are_said(tmp_path: Path) -> None:
    make(tmp_path, {"train": ["a"], "aeroplane": ["a"]})
    (tmp_path / "JPEGImages").rename(tmp_path / "images")
    data = open_dataset(tmp_path)
    assert [pair.image.parent.name for pair in data.pairs("train")] == ["images"]
    assert any("aeroplane.txt: is the list of no split" in note for note in data.notes)


def test_another_classes_file_than_labelmap_names_the_classes(tmp_path: Path) -> None:
    make(tmp_path, {"train": ["a", "b"]})
    for name in "ab":
        array = np.array([[0, 1, 255]], np.uint8)
        Image.fromarray(array).save(tmp_path / f"SegmentationClass/{name}.png")
    (tmp_path / "class_names.txt").write_text("_background_\ncow\n")
    data = voc.read(tmp_path, DataOptions(hold_out=False))
    assert data.classes.names == ("_background_", "cow")
    assert data.read_labels(data.pairs("train")[0].mask).tolist() == [[0, 1, 255]]


@pytest.mark.parametrize("names", ["background\ncow\n", ""])
def test_masks_of_0_and_255_are_two_classes_and_not_vocs(tmp_path: Path, names: str) -> None:
    make(tmp_path, {"train": ["a", "b"]})
    for name in "ab":
        array = np.array([[0, 255, 255]], np.uint8)
        Image.fromarray(array).save(tmp_path / f"SegmentationClass/{name}.png")
    if names:
        labelmap = "background:0,0,0::\ncow:9,8,7::\n"
        (tmp_path / "labelmap.txt").write_text(labelmap)
    data = voc.read(tmp_path, DataOptions(hold_out=False))
    assert data.classes.names == ("background", "cow" if names else "foreground")
    assert data.read_labels(data.pairs("train")[0].mask).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("in_alpha", [False, True])
def test_two_classes_half_in_255_and_half_in_1_are_refused(tmp_path: Path, in_alpha: bool) -> None:
    """As VOC has it, 255 would be void in one half and the class in none."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nleaf:128,0,0::\n")
    for number in range(8):
        mask = np.zeros((30, 40), np.uint8)
        mask[5:20, 10:30] = 255 if number % 2 else 1
        drawn = Image.fromarray(mask)
        if in_alpha:
            drawn = Image.merge("RGBA", [Image.new("L", drawn.size)] * 3 + [drawn])
        drawn.save(tmp_path / f"SegmentationClass/{number}.png")
        Image.new("RGB", drawn.size, (number, 90, 30)).save(tmp_path / f"JPEGImages/{number}.jpg")
    names = "\n".join(map(str, range(8)))
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text(names)
    with pytest.raises(DataError, match="255 would be read as void"):
        open_dataset(tmp_path)
