from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.annotations.mask_per_class import merge_class_masks
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


@pytest.mark.parametrize("place", ["x_{}.png", "x/{}.png", "{}/x.png"])
def test_one_mask_a_class(tmp_path: Path, place: str) -> None:
    picture(tmp_path / "images/x.jpg", (1, 3))
    for name, row in (("cat", [0, 255, 255]), ("dog", [0, 0, 255])):
        path = tmp_path / "masks" / place.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array([row], np.uint8)).save(path)
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, data.classes.names, only(data)) == ("layers", NAMES, [[0, 1, 2]])
    ((pair,),) = data.splits.values()
    assert data.read_labels.rasterize(pair.mask).overlapped == 1


def draw(root: Path, files: dict[str, list[int]], images: str = "ab") -> Path:
    for name in images:
        picture(root / f"images/{name}.jpg", (1, 3))
    for name, row in files.items():
        path = root / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array([row], np.uint8)).save(path)
    return root


def labels(data: DataSet) -> dict[str, list[int]]:
    pairs = [pair for split in data.splits.values() for pair in split]
    return {pair.name: data.read_labels(pair.mask)[0].tolist() for pair in pairs}


LEFT, RIGHT = [255, 0, 0], [0, 0, 255]


@pytest.mark.parametrize(
    "names",
    [
        ("a/0b1c2d3e4f5a6b7c.png", "a/1b1c2d3e4f5a6b7c.png", "b/9b1c2d3e4f5a6b7c.png"),
        ("a/1.png", "a/2.png", "b/1.png"),
        ("a_0.png", "a_1.png", "b_0.png"),
        ("a_mask.png", "a_mask_1.png", "b_mask.png"),
        ("a_cell_1.png", "a_cell_2.png", "b_cell_1.png"),
        ("a/mask_1.png", "a/mask_2.png", "b/mask_1.png"),
    ],
)
def test_numbers_hashes_and_one_word_are_parts_of_one_class(
    tmp_path: Path, names: tuple[str, str, str]
) -> None:
    draw(tmp_path, dict(zip(names, (LEFT, RIGHT, LEFT), strict=True)))
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, data.classes.names) == ("layers", ("background", "foreground"))
    assert labels(data) == {"a": [1, 0, 1], "b": [1, 0, 0]}
    assert any("parts of one class" in note for note in data.notes)


def test_folders_of_classes_may_have_one_class_an_image(tmp_path: Path) -> None:
    draw(tmp_path, {"scratch/a.png": LEFT, "dent/b.png": RIGHT})
    data = open_dataset(tmp_path, OPTIONS)
    assert data.classes.names == ("background", "dent", "scratch")
    assert labels(data) == {"a": [2, 0, 0], "b": [0, 0, 1]}


def test_files_of_all_classes_are_left_out_and_said(tmp_path: Path) -> None:
    files = {}
    for name in "ab":
        files |= {f"{name}_class_chair.png": LEFT, f"{name}_class_sofa.png": RIGHT}
        files[f"{name}_all_objects.png"] = [255, 0, 255]
    data = open_dataset(draw(tmp_path, files), OPTIONS)
    assert data.classes.names == ("background", "chair", "sofa")
    assert labels(data) == {"a": [1, 0, 2], "b": [1, 0, 2]}
    assert any("called all_objects hold all classes at once" in note for note in data.notes)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("a_mask.png", "a_edge.png", "b_mask.png", "b_edge.png"), "'edge' may be a class, but"),
        (("a_oak.png", "a_elm.png", "b_ash.png", "b_fir.png"), "4 of 4 names are those of one"),
        (("rater1/a.png", "rater2/a.png", "rater1/b.png", "rater2/b.png"), "several people"),
    ],
)
def test_words_that_may_be_classes_or_not_are_refused(
    tmp_path: Path, files: tuple[str, ...], message: str
) -> None:
    draw(tmp_path, dict.fromkeys(files, LEFT))
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path, OPTIONS)


def test_one_folder_is_a_class_where_its_masks_draw_one(tmp_path: Path) -> None:
    draw(tmp_path, {"leaf/a.png": LEFT, "leaf/b.png": RIGHT})
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.classes.names, labels(data)["b"]) == (("background", "leaf"), [0, 0, 1])
    draw(tmp_path, {"leaf/a.png": [0, 1, 2], "leaf/b.png": [0, 1, 2]})
    with pytest.raises(DataError, match="2 images without mask"):
        open_dataset(tmp_path, OPTIONS)


@pytest.mark.parametrize("ghost", ["{}/ghost.png", "ghost/{}.png", "ghost_{}.png"])
def test_layers_of_no_image_are_refused_or_left_out(tmp_path: Path, ghost: str) -> None:
    pattern = ghost.replace("ghost", "{name}")
    files = {}
    for name in ("a", "b", "ghost"):
        for word in ("cat", "dog"):
            files[pattern.format(word, name=name)] = LEFT
    draw(tmp_path, files)
    with pytest.raises(DataError, match=r"2 masks without image \(.*ghost"):
        open_dataset(tmp_path, OPTIONS)
    lenient = open_dataset(tmp_path, DataOptions(hold_out=False, skip_unpaired=True))
    assert lenient.classes.names == NAMES


@pytest.mark.parametrize(("word", "name"), [("leaf", "leaf"), ("mask", "foreground")])
def test_one_file_in_a_folder_an_image_is_a_class(tmp_path: Path, word: str, name: str) -> None:
    draw(tmp_path, {f"a/{word}.png": LEFT, f"b/{word}.png": RIGHT})
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.classes.names, labels(data)["b"]) == (("background", name), [0, 0, 1])


def test_layers_that_are_drawn_in_alpha_are_read_by_it(tmp_path: Path) -> None:
    """White or black everywhere, and transparent where the class is not; one of them wholly."""
    leaf = np.zeros((4, 6), np.uint8)
    leaf[1:3, 1:3] = 255
    for name, level, alpha in (
        ("leaf", 255, leaf),
        ("stem", 0, leaf[:, ::-1]),
        ("pot", 9, leaf * 0),
    ):
        colours = np.full((4, 6, 3), level, np.uint8)
        Image.fromarray(np.dstack([colours, alpha])).save(tmp_path / f"{name}.png")
    masks = tuple((name, tmp_path / f"{name}.png") for name in ("leaf", "pot", "stem"))
    labels, overlapped = merge_class_masks(masks, ("background", "leaf", "pot", "stem"))
    expected = np.where(leaf > 0, 1, np.where(leaf[:, ::-1] > 0, 3, 0))
    assert labels.tolist() == expected.tolist()
    assert overlapped == 0
