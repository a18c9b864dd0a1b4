"""Any format into any other: labels that come back bit for bit, and what a conversion says and
refuses.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pixelwise.checks.examine import examine
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.datasets.annotations import cvat, labelme
from pixelwise.datasets.conversion import WRITERS, convert
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.options import WRITABLE
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError, DataError, OutputError
from pixelwise.io.images import write_labels

REAL = Path(__file__).parents[3] / "shared/data/camvid"
OPEN = DataOptions(hold_out=False)
FORMATS = sorted(WRITERS)


def folder(
    root: Path, masks: list[np.ndarray], names: tuple[str, ...], split: str = "train"
) -> Path:
    for number, mask in enumerate(masks):
        image = root / "images" / split / f"{number}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.shape[::-1]).save(image)
        write_labels(root / "masks" / split / f"{number}.png", mask, Classes.named(names).palette)
    (root / "classes.json").write_text(
        json.dumps([{"id": at, "name": name} for at, name in enumerate(names)])
    )
    return root


def same(a: DataSet, b: DataSet) -> bool:
    assert a.classes.names == b.classes.names
    assert list(a.splits) == list(b.splits)
    for split, pairs in a.splits.items():
        for one, other in zip(pairs, b.splits[split], strict=True):
            assert one.name == other.name
            assert one.image.read_bytes() == other.image.read_bytes()
            np.testing.assert_array_equal(a.read_labels(one.mask), b.read_labels(other.mask))
    return True


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(
    "names", [("background", "cat", "dog"), ("sky", "road", "background"), ("sky", "road", "car")]
)
def test_labels_come_back_bit_for_bit(tmp_path: Path, names: tuple[str, ...], to: str) -> None:
    chance = np.random.default_rng(0)
    masks = [
        chance.choice(np.array([0, 1, 2, 255], np.uint8), (6 + n, 9 - n), p=(0.5, 0.2, 0.2, 0.1))
        for n in range(5)
    ]
    masks += [np.full((3, 3), 255, np.uint8), np.zeros((1, 1), np.uint8)]
    source = open_dataset(folder(tmp_path / "a", masks, names), OPEN)
    convert(source.root, tmp_path / "b", to=to)
    assert open_dataset(tmp_path / "b").format == to
    assert same(source, open_dataset(tmp_path / "b", OPEN))


@pytest.mark.skipif(not REAL.is_dir(), reason="no real data beside the repository")
@pytest.mark.parametrize("to", ["coco", "labelme", "cvat", "yolo"])
def test_camvid_goes_there_and_back_bit_for_bit(tmp_path: Path, to: str) -> None:
    for name in ("val", "valannot"):
        (tmp_path / "few" / name).mkdir(parents=True)
        for path in sorted((REAL / name).iterdir())[:1]:
            (tmp_path / "few" / name / path.name).symlink_to(path)
    convert(tmp_path / "few", tmp_path / "there", to=to)
    convert(tmp_path / "there", tmp_path / "back", to="folder")
    source = open_dataset(tmp_path / "few", OPEN)
    assert same(source, open_dataset(tmp_path / "back", OPEN))
    result = examine(tmp_path / "there")
    assert not result.findings.of("error")
    assert result.shares["all"].pixels[: len(source.classes)].sum() > 150_000


def test_masks_of_one_class_and_void_alone_are_not_taken_for_0_and_255(tmp_path: Path) -> None:
    mask = np.array([[0, 255], [0, 0]], np.uint8)
    source = Classes.named(("sky", "road"))
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    labelme.write(tmp_path / "a.json", tmp_path / "a.png", mask, source)
    (tmp_path / "labels.txt").write_text("sky\nroad\nunlabelled\n")
    convert(tmp_path, tmp_path.with_name("out"), to="folder")
    data = open_dataset(tmp_path.with_name("out"), OPEN)
    assert data.read_labels(data.pairs("train")[0].mask).tolist() == mask.tolist()


def test_one_image_exports_to_labelme_and_several_to_cvat(tmp_path: Path) -> None:
    classes = Classes.named(("background", "cat"))
    mask = np.eye(4, dtype=np.uint8)
    for name in ("a", "b"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    labelme.write(tmp_path / "labels/a.json", tmp_path / "a.png", mask, classes)
    record = json.loads((tmp_path / "labels/a.json").read_text())
    assert record["imagePath"] == "../a.png"
    assert [(shape["label"], len(shape["points"])) for shape in record["shapes"]] == [
        ("cat", 4)
    ] * 4
    cvat.write(
        tmp_path / "annotations.xml",
        [(tmp_path / "a.png", mask), (tmp_path / "b.png", 1 - mask)],
        classes,
    )
    data = open_dataset(tmp_path, DataOptions(format="cvat", hold_out=False))
    assert [data.read_labels(pair.mask).tolist() for pair in data.pairs("train")] == [
        mask.tolist(),
        (1 - mask).tolist(),
    ]


def coco_with(root: Path, segmentation: object, size: tuple[int, int] = (4, 6)) -> Path:
    (root / "images").mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("RGB", size[::-1]).save(root / f"images/{name}.jpg")
    images = [
        {"id": at, "file_name": f"{name}.jpg", "height": 4, "width": 6}
        for at, name in enumerate("ab")
    ]
    square = [[1, 1, 3, 1, 3, 3, 1, 3]]
    annotations = [
        {"id": at, "image_id": at, "category_id": 1, "segmentation": drawn}
        for at, drawn in enumerate((segmentation, square))
    ]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat"}],
    }
    (root / "instances.json").write_text(json.dumps(content))
    return root


def test_the_command_says_what_was_cut_and_gone(tmp_path: Path) -> None:
    source = coco_with(tmp_path / "a", [[4, 2, 9, 2, 9, 9, 4, 9]])
    done = CliRunner().invoke(app, ["convert", str(source), str(tmp_path / "b"), "--to", "yolo"])
    assert done.exit_code == 0
    assert "train 2 images, 2 classes" in done.stdout
    assert "1 shapes reached over the image's border and were cut there: in a" in done.stdout
    assert "the smaller covers the larger" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_images_that_cannot_be_drawn_are_left_out_and_named(tmp_path: Path) -> None:
    source = coco_with(tmp_path / "a", {"size": [4, 6], "counts": [5]})
    done = CliRunner().invoke(app, ["convert", str(source), str(tmp_path / "b"), "--to", "folder"])
    assert done.exit_code == 1
    assert "left out:" in done.stderr
    assert [path.name for path in (tmp_path / "b/masks/train").iterdir()] == ["b.png"]


def test_sizes_that_differ_leave_nothing_and_nothing_is_written(tmp_path: Path) -> None:
    source = coco_with(tmp_path / "a", [[1, 1, 3, 1, 3, 3]], size=(5, 6))
    with pytest.raises(DataError, match=r"no image can be converted: .*labels have"):
        convert(source, tmp_path / "b", to="folder")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_targets_that_cannot_be_are_refused(tmp_path: Path) -> None:
    source = coco_with(tmp_path / "a", [[1, 1, 3, 1, 3, 3]])
    with pytest.raises(ConfigError, match=r"unknown format to write 'yollo'.*mean 'yolo'"):
        convert(source, tmp_path / "b", to="yollo")
    with pytest.raises(ConfigError, match="cityscapes stands for a fixed list of classes"):
        convert(source, tmp_path / "b", to="cityscapes")
    for place in (source / "inside", tmp_path, source):
        with pytest.raises(OutputError, match="lies in the data set or around it"):
            convert(source, place, to="folder")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(OutputError, match="exists already"):
        convert(source, tmp_path / "full", to="folder")


def test_the_formats_that_help_lists_are_those_that_are_written() -> None:
    assert set(WRITABLE) == set(WRITERS)
