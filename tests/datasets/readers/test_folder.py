"""Plain folders: layouts, classes files, and finding out how masks are written."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.mask_reader import LabelError
from pixelwise.datasets.readers import folder
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError, DataError
from pixelwise.palette import CLASS_COLOURS

OPTIONS = DataOptions()


def put(
    root: Path, masks: dict[str, object], *, images: str = "images", where: str = "masks"
) -> Path:
    for name in (images, where):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, values in masks.items():
        array = np.asarray(values, np.uint8)
        Image.new("RGB", (array.shape[1], array.shape[0])).save(root / images / f"{name}.jpg")
        Image.fromarray(array).save(root / where / f"{name}.png")
    return root


def labels(data: DataSet, name: str) -> list[list[int]]:
    pairs = [pair for split in data.splits.values() for pair in split if pair.name == name]
    return [[int(value) for value in row] for row in data.read_labels(pairs[0].mask)]


def sizes(data: DataSet) -> dict[str, int]:
    return {split: len(pairs) for split, pairs in data.splits.items()}


PLAIN = {"a": [[0, 1]], "b": [[2, 255]], "c": [[1, 1]]}


@pytest.mark.parametrize(
    ("images", "where"),
    [
        ("images/{}", "masks/{}"),
        ("Imgs/{}", "label/{}"),
        ("{}/images", "{}/masks"),
        ("{}/img", "{}/annotations"),
    ],
)
def test_splits_may_stand_inside_or_outside_the_folders(
    tmp_path: Path, images: str, where: str
) -> None:
    for split in ("training", "valid", "testing"):
        put(tmp_path, PLAIN, images=images.format(split), where=where.format(split))
    assert folder.matches(tmp_path)
    data = folder.read(tmp_path, OPTIONS)
    assert sizes(data) == {"train": 3, "val": 3, "test": 3}


def test_a_flat_folder_is_split_and_says_so(tmp_path: Path) -> None:
    put(tmp_path, {f"n{index}": [[0, 1]] for index in range(20)})
    data = folder.read(tmp_path, OPTIONS)
    assert sizes(data) == {"train": 14, "val": 3, "test": 3}
    assert len({pair.name for pairs in data.splits.values() for pair in pairs}) == 20
    assert "val: 3 of 20 images held out (15 %, seed 0)" in data.notes
    assert sizes(folder.read(tmp_path, DataOptions(val_fraction=0.4))) == {
        "train": 4,
        "val": 8,
        "test": 8,
    }


def test_few_images_give_no_test_split(tmp_path: Path) -> None:
    assert sizes(folder.read(put(tmp_path, PLAIN), OPTIONS)) == {"train": 2, "val": 1}


def test_a_single_small_image_gives_no_val_split(tmp_path: Path) -> None:
    data = folder.read(put(tmp_path, {"a": [[0, 1]]}), OPTIONS)
    assert sizes(data) == {"train": 1}
    with pytest.raises(
        DataError, match=r"no split 'val'; choose one of train, or all; to train, add an image"
    ):
        data.pairs("val")


def test_numbers_are_classes_and_255_is_void(tmp_path: Path) -> None:
    data = folder.read(put(tmp_path, PLAIN), OPTIONS)
    assert data.classes.names == ("class 0", "class 1", "class 2")
    assert labels(data, "b") == [[2, 255]]
    assert "masks: grey, class ids 0 to 2 and 255, which is void, in 3 files" in data.notes


def test_0_and_255_alone_are_two_classes(tmp_path: Path) -> None:
    data = folder.read(put(tmp_path, {"a": [[0, 255]], "b": [[0, 0]]}), OPTIONS)
    assert data.classes.names == ("background", "foreground")
    assert labels(data, "a") == [[0, 1]]
    assert any("only 0 and 255 in 2 files" in note for note in data.notes)


def test_0_and_255_with_two_named_classes_bear_their_names(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[0, 255]], "b": [[0, 0]]})
    (tmp_path / "classes.txt").write_text("ground\nroad\n")
    data = folder.read(tmp_path, OPTIONS)
    assert (data.classes.names, labels(data, "a")) == (("ground", "road"), [[0, 1]])


def test_0_and_255_with_three_named_classes_leave_255_void(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[0, 255]]})
    (tmp_path / "classes.txt").write_text("x\ny\nz\n")
    assert labels(folder.read(tmp_path, OPTIONS), "a") == [[0, 255]]


def test_black_and_white_rgb_masks_are_two_classes_too(tmp_path: Path) -> None:
    data = folder.read(put(tmp_path, {"a": [[[0] * 3, [255] * 3]]}), OPTIONS)
    assert labels(data, "a") == [[0, 1]]


def test_the_longest_palette_gives_the_colours(tmp_path: Path) -> None:
    put(tmp_path, PLAIN)
    colours = [1, 2, 3, 40, 50, 60, 70, 80, 90]
    for name, palette in (("a", colours[:6]), ("b", colours + [0] * 759), ("c", colours[:6])):
        image = Image.fromarray(np.array(PLAIN[name], np.uint8))
        image.putpalette(palette)
        image.save(tmp_path / f"masks/{name}.png")
    data = folder.read(tmp_path, OPTIONS)
    assert data.classes.palette == ((1, 2, 3), (40, 50, 60), (70, 80, 90))
    assert (labels(data, "a"), labels(data, "b")) == ([[0, 1]], [[2, 255]])
    assert any(note.startswith("masks: palette, class ids 0 to 2") for note in data.notes)


def test_grey_masks_get_the_usual_colours(tmp_path: Path) -> None:
    assert folder.read(put(tmp_path, PLAIN), OPTIONS).classes.palette == (
        (0, 0, 0),
        *CLASS_COLOURS[:2],
    )


def test_colours_are_numbered_by_red_green_blue(tmp_path: Path) -> None:
    data = folder.read(
        put(tmp_path, {"a": [[[9, 0, 0], [0, 0, 0]]], "b": [[[0, 8, 0], [9, 0, 0]]]}), OPTIONS
    )
    assert data.classes.palette == ((0, 0, 0), (0, 8, 0), (9, 0, 0))
    assert (labels(data, "a"), labels(data, "b")) == ([[2, 0]], [[1, 2]])


CSV = ["sky,9,0,0\nroad,0,8,0\nvoid,0,0,0\n", "name,r,g,b\nsky,9,0,0\nroad,0,8,0\nvoid,0,0,0\n"]


@pytest.mark.parametrize("text", [*CSV, "0,sky,9,0,0\n1,road,0,8,0\n255,void,0,0,0\n"])
def test_colours_of_a_csv_are_classes_in_its_order_and_void_is_void(
    tmp_path: Path, text: str
) -> None:
    put(tmp_path, {"a": [[[9, 0, 0], [0, 0, 0], [0, 8, 0]]]})
    (tmp_path / "classes.csv").write_text(text)
    data = folder.read(tmp_path, OPTIONS)
    assert (data.classes.names, data.classes.palette) == (("sky", "road"), ((9, 0, 0), (0, 8, 0)))
    assert labels(data, "a") == [[0, 255, 1]]


def test_a_colour_that_the_csv_lacks_is_a_label_error(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[[9, 0, 0], [0, 0, 7]]]})
    (tmp_path / "classes.csv").write_text(CSV[0])
    with pytest.raises(
        LabelError, match=r"colour \(0, 0, 7\) in 1 pixel, the first at row 0, column 1"
    ):
        labels(folder.read(tmp_path, OPTIONS), "a")


@pytest.mark.parametrize(
    "content",
    [
        ["sky", "road", "car"],
        {"0": "sky", "1": "road", "2": "car"},
        {"road": 1, "sky": 0, "car": 2},
        [{"name": "sky"}, {"name": "road"}, {"name": "car"}],
    ],
)
def test_json_classes_are_a_list_or_either_kind_of_dict(tmp_path: Path, content: object) -> None:
    put(tmp_path, PLAIN)
    (tmp_path / "classes.json").write_text(json.dumps(content))
    data = folder.read(tmp_path, OPTIONS)
    assert (data.classes.names, labels(data, "b")) == (("sky", "road", "car"), [[2, 255]])


def test_json_colours_are_read(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[[9, 0, 0], [0, 8, 0]]]})
    entries = [{"name": "road", "color": [0, 8, 0]}, {"name": "sky", "color": [9, 0, 0]}]
    (tmp_path / "classes.json").write_text(json.dumps(entries))
    assert labels(folder.read(tmp_path, OPTIONS), "a") == [[1, 0]]


def test_ids_of_a_classes_file_may_leave_gaps(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[0, 100, 200, 255]]})
    (tmp_path / "classes.csv").write_text("id,name\n0,sky\n100,road\n200,car\n")
    assert labels(folder.read(tmp_path, OPTIONS), "a") == [[0, 1, 2, 255]]


def test_a_value_beyond_the_named_classes_stays_illegal(tmp_path: Path) -> None:
    put(tmp_path, PLAIN)
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(
        LabelError, match=r"b.png: value 2 in 1 pixel, the first at row 0, column 0.*0 to 1"
    ):
        labels(folder.read(tmp_path, OPTIONS), "b")


def test_a_soft_mask_is_refused_with_an_explanation(tmp_path: Path) -> None:
    put(tmp_path, {"a": [list(range(0, 256, 2))]})
    with pytest.raises(
        DataError, match=r"128 different values up to 254.*alpha matte.*saved as JPEG.*classes.txt"
    ):
        folder.read(tmp_path, OPTIONS)


def test_values_far_apart_are_refused_without_a_classes_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 different values up to 255, which are hardly class ids"):
        folder.read(put(tmp_path, {"a": [[0, 128, 255]]}), OPTIONS)


def test_too_many_colours_are_refused_with_an_explanation(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[[value, 0, 3] for value in range(65)]]})
    with pytest.raises(
        DataError, match="65 different colours, too many for classes; masks saved as JPEG"
    ):
        folder.read(tmp_path, OPTIONS)


def test_names_without_colours_do_not_fit_coloured_masks(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[[9, 0, 0], [0, 0, 0]]]})
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(
        DataError, match=r"classes.txt: gives no colours.*\(0, 0, 0\), \(9, 0, 0\)\); list them"
    ):
        folder.read(tmp_path, OPTIONS)


def test_masks_partly_in_colours_and_partly_numbers_are_refused(tmp_path: Path) -> None:
    put(tmp_path, {"a": [[[9, 0, 0]]], "b": [[1]]})
    with pytest.raises(
        DataError, match=r"a.png is in colours and .*b.png holds numbers; save all masks alike"
    ):
        folder.read(tmp_path, OPTIONS)


def test_masks_of_one_value_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all 2 masks hold only 0; name the classes"):
        folder.read(put(tmp_path, {"a": [[0]], "b": [[0]]}), OPTIONS)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classes.txt", "", "classes.txt: is empty; write one class name a line"),
        ("classes.txt", "sky\nroad\nsky\n", "classes.txt: sky stands there twice"),
        ("classes.csv", "sky,1,2\n", "classes.csv: cannot be read as a list of classes"),
        ("classes.csv", "sky,1,2,3\nroad,1,2,3\n", r"\(1, 2, 3\) stands there twice"),
        (
            "classes.csv",
            "sky,1,2,300\n",
            r"'sky' has id 0, colour \(1, 2, 300\); allowed: 0 to 255",
        ),
        ("classes.csv", "sky,1,2,3\nroad\n", "1 of 2 classes lack a colour; give all or none"),
        ("classes.json", "{", "classes.json: cannot be read as a list of classes"),
        ("classes.json", "3", "classes.json: cannot be read as a list of classes"),
    ],
)
def test_a_bad_classes_file_is_told(tmp_path: Path, name: str, text: str, message: str) -> None:
    put(tmp_path, PLAIN)
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        folder.read(tmp_path, OPTIONS)


def test_a_second_classes_file_that_disagrees_or_is_malformed_is_noted(tmp_path: Path) -> None:
    put(tmp_path, PLAIN)
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    (tmp_path / "classes.json").write_text('["sky", "road", "bus"]')
    (tmp_path / "classes.csv").write_text("sky,1,2\n")
    data = folder.read(tmp_path, OPTIONS)
    assert data.classes.names == ("sky", "road", "car")
    assert any("classes.json: 2 is 'bus', but 'car' in classes.txt" in note for note in data.notes)
    assert any("classes.csv: cannot be read" in note for note in data.notes)


def test_mask_names_may_have_an_ending(tmp_path: Path) -> None:
    put(tmp_path, PLAIN)
    for name, ending in (("a", "_mask"), ("b", "_labelIds"), ("c", "_L")):
        (tmp_path / "masks" / f"{name}.png").rename(tmp_path / "masks" / f"{name}{ending}.png")
    assert sum(sizes(folder.read(tmp_path, OPTIONS)).values()) == 3


def test_unpaired_files_are_counted_and_named_or_left_out(tmp_path: Path) -> None:
    put(tmp_path, {f"n{index}": [[0, 1]] for index in range(9)})
    for index in range(6):
        (tmp_path / "masks" / f"n{index}.png").unlink()
    (tmp_path / "images/n8.jpg").unlink()
    with pytest.raises(DataError) as caught:
        folder.read(tmp_path, OPTIONS)
    assert str(caught.value) == (
        f"{tmp_path / 'images'}: 6 images without mask (n0.jpg, n1.jpg, n2.jpg, n3.jpg, "
        "n4.jpg and 1 more) and "
        "1 mask without image (n8.png) (of 8 images and 3 masks); add or rename them, "
        f"or leave them out with --skip-unpaired; `pixelwise check {tmp_path}` lists all that is "
        "wrong"
    )
    data = folder.read(tmp_path, DataOptions(skip_unpaired=True))
    assert sum(sizes(data).values()) == 2
    assert any(note.startswith("left out in images: 6 images without mask") for note in data.notes)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (2, 1)).save(put(tmp_path, PLAIN) / "images/a.png")
    with pytest.raises(
        DataError, match=r"images: two images, a.jpg and a.png; remove or rename one"
    ):
        folder.read(tmp_path, OPTIONS)


def test_two_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    Image.new("L", (2, 1)).save(put(tmp_path, PLAIN) / "masks/a_mask.png")
    with pytest.raises(DataError, match=r"two masks for one image, a.png and a_mask.png"):
        folder.read(tmp_path, OPTIONS)


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    for split in ("train", "training"):
        put(tmp_path, PLAIN, images=f"images/{split}", where=f"masks/{split}")
    with pytest.raises(DataError, match="both train/ and training/ are train; keep one"):
        folder.read(tmp_path, OPTIONS)


def test_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="images: no images here"):
        folder.read(put(tmp_path, {}), OPTIONS)


def test_a_test_split_without_masks_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, PLAIN, images="images/train", where="masks/train")
    (tmp_path / "images/test").mkdir()
    Image.new("RGB", (2, 1)).save(tmp_path / "images/test/x.jpg")
    data = folder.read(tmp_path, OPTIONS)
    assert list(data.splits) == ["train", "val"]
    assert "test: left out, as there are no masks in masks/test/" in data.notes


def test_masks_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    (put(tmp_path, {"a": [[0]]}) / "masks/a.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"none of the 1 masks can be read: .*a\.png: .*\(the file is empty\)"
    ):
        folder.read(tmp_path, OPTIONS)


@pytest.mark.parametrize("fraction", [0.0, 0.5, -1.0])
def test_a_held_out_fraction_outside_0_to_a_half_is_refused(fraction: float) -> None:
    with pytest.raises(
        ConfigError, match=f"val_fraction {fraction}: choose a number above 0 and below 0.5"
    ):
        DataOptions(val_fraction=fraction)
