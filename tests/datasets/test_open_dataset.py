"""Opening a data set of unknown format."""

from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, DataError

REAL = Path(__file__).parents[3] / "shared/data"


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    write_shapes(tmp_path / "shapes", train=3, val=1, test=1, size=(24, 32))
    return tmp_path / "shapes"


@pytest.mark.skipif(not REAL.is_dir(), reason="no real data beside the repository")
@pytest.mark.parametrize(
    ("name", "place"), [("voc", "voc"), ("camvid", "camvid"), ("matte", "portraits")]
)
def test_the_format_of_real_data_is_found_and_said(name: str, place: str) -> None:
    data = open_dataset(str(REAL / place))
    assert data.format == name
    assert data.notes[0].startswith(f"format {name}: ")


def test_a_plain_folder_is_found(shapes: Path) -> None:
    assert open_dataset(shapes).format == "folder"


def test_an_unknown_format_is_told_with_the_nearest_name(shapes: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"unknown format 'camvit': choose one of ade20k, auto, camvid.*mean 'camvid'",
    ):
        open_dataset(shapes, DataOptions(format="camvit"))


@pytest.mark.parametrize("name", ["voc", "camvid", "matte"])
def test_a_named_format_must_fit(shapes: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"^{shapes}: no"):
        open_dataset(shapes, DataOptions(format=name))


def test_a_folder_of_no_known_layout_is_told_the_nearest_in_three_lines(tmp_path: Path) -> None:
    (tmp_path / "x/JPEGImages").mkdir(parents=True)
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    assert str(caught.value).splitlines() == [
        f"{tmp_path}: no known layout of images and masks; here are x/, 1 .txt files.",
        "The plainest layout is images/a.jpg with masks/a.png.",
        "`pixelwise help formats` lists all formats, --format names one; any others can be listed "
        "in train.txt, a pair a line: images/a.jpg masks/a.png",
    ]
    (tmp_path / "leftImg8bit").mkdir()
    with pytest.raises(DataError, match="Nearest is cityscapes, which lacks gtFine"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("place", [".", "images", "unpacked/photos"])
def test_photos_without_masks_are_shown_the_way_to_label_them(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.jpg", "b.PNG"):
        Image.new("RGB", (8, 8)).save(folder / name)
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    first, second, _ = str(caught.value).splitlines()
    assert first == f"{tmp_path}: 2 pictures in {folder} and no masks of them."
    assert second.endswith(f": pixelwise label {folder} --classes road,sky")


def test_a_set_in_the_folder_of_its_archive_is_read_and_said(tmp_path: Path, shapes: Path) -> None:
    (tmp_path / "top" / "__MACOSX").mkdir(parents=True)
    moved = shapes.rename(tmp_path / "top" / "shapes")
    data = open_dataset(tmp_path / "top")
    assert data.root == moved
    assert any("the data is that of shapes/" in note for note in data.notes)
    write_shapes(tmp_path / "top" / "more", train=3, val=1, test=1, size=(24, 32))
    with pytest.raises(DataError, match="holds 2 data sets, more, shapes; give the folder of one"):
        open_dataset(tmp_path / "top")


def test_a_root_that_is_missing_a_file_or_empty_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("none", "no such folder"),
        ("file", "is a file"),
        ("empty", "the folder is empty"),
    ):
        with pytest.raises(DataError, match=f"{tmp_path / name}: {message}") as caught:
            open_dataset(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_an_unreadable_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=f"{tmp_path}: Permission denied; make the folder readable"):
        open_dataset(tmp_path)


def test_the_fingerprint_follows_the_files_not_the_place(shapes: Path, tmp_path: Path) -> None:
    before = open_dataset(shapes).fingerprint()
    moved = shapes.rename(tmp_path / "moved")
    assert open_dataset(moved).fingerprint() == before
    Image.new("RGB", (32, 24)).save(moved / "images/train/000.jpg")
    assert open_dataset(moved).fingerprint() != before


@pytest.mark.parametrize("place", ["data/raw", "a/b/c"])
def test_a_set_some_folders_deeper_is_read_and_said(tmp_path: Path, place: str) -> None:
    write_shapes(tmp_path / "top" / place, train=3, val=1, test=1, size=(24, 32))
    (tmp_path / "top/src").mkdir()
    data = open_dataset(tmp_path / "top")
    assert data.root == tmp_path / "top" / place
    text = f"the data is that of {place}/, the one folder here that is laid out as a set"
    assert f"{tmp_path / 'top'}: {text}" in data.notes


def test_several_sets_are_named_with_the_list_that_joins_them(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for tile in ("Tile 1", "Tile 2"):
        for folder in ("images", "masks"):
            (top / tile / folder).mkdir(parents=True)
            for name in "ab":
                picture = Image.new("L", (4, 4), 1 if folder == "masks" and name == "a" else 0)
                picture.save(top / tile / folder / f"{tile[-1]}{name}.png")
    row = '"Tile 1/images/1a.png" "Tile 1/masks/1a.png"'
    with pytest.raises(
        DataError,
        match=f"holds 2 data sets, Tile 1, Tile 2; give the folder of one, or list the pairs of "
        f"all in train.txt, a line each: {row}$",
    ):
        open_dataset(top)
    rows = [row, *(row.replace("1a", "1b"), row.replace("Tile 1", "Tile 2").replace("1a", "2a"))]
    (top / "train.txt").write_text("\n".join(rows))
    data = open_dataset(top, DataOptions(hold_out=False))
    assert data.format == "lists"
    assert [pair.name for pair in data.pairs("train")] == ["1a", "1b", "2a"]
