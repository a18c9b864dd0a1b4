"""Other tools' formats: small sets written by hand, counted by hand; and what is wrong with
them.
"""

import base64
import io
import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError, ImageError

OPTIONS = DataOptions(hold_out=False)
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]  # four pixels
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def png(mask: list[list[int]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(mask, bool)).save(file, format="PNG")
    return file.getvalue()


def coco(
    root: Path, annotations: list[dict], *, split: str = "train", images: list[str] | None = None
) -> DataSet:
    names = images or ["a.jpg"]
    listed = [
        {"id": at, "file_name": name, "height": 4, "width": 6} for at, name in enumerate(names)
    ]
    content = {
        "images": listed,
        "annotations": [{"id": at, "image_id": 0} | one for at, one in enumerate(annotations)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    return open_dataset(root, OPTIONS)


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def test_coco_polygons_rle_and_crowds(tmp_path: Path) -> None:
    picture(tmp_path / "images/train2017/a.jpg")
    data = coco(
        tmp_path,
        [
            {"category_id": 3, "segmentation": [SQUARE, [4, 0, 6, 0, 6, 1, 4, 1]]},
            {"category_id": 7, "segmentation": {"size": [4, 6], "counts": [3, 1, 20]}},
            {
                "category_id": 7,
                "segmentation": {"size": [4, 6], "counts": [0, 8, 16]},
                "iscrowd": 1,
            },
        ],
    )
    assert data.format == "coco"
    assert data.classes.names == NAMES
    assert only(data) == [
        [2, 2, 0, 0, 1, 1],
        [2, 1, 1, 0, 0, 0],
        [2, 1, 1, 0, 0, 0],
        [2, 2, 0, 0, 0, 0],
    ]


def test_the_smaller_covers_the_larger_in_coco_and_the_overlap_is_counted(tmp_path: Path) -> None:
    path = picture(tmp_path / "images/a.jpg")
    large = {"category_id": 7, "segmentation": [[0, 0, 9, 0, 9, 4, 0, 4]]}
    data = coco(tmp_path, [{"category_id": 3, "segmentation": [SQUARE]}, large])
    drawing = data.read_labels.drawing(path)
    assert (drawing.labels == 1).sum() == 4
    assert (drawing.labels == 2).sum() == 20
    assert (drawing.clipped, drawing.blank, drawing.overlapped) == (1, 0, 4)


def test_coco_files_become_splits_and_the_reader_goes_into_workers(tmp_path: Path) -> None:
    for split, name in (("train", "a.jpg"), ("val", "b.jpg")):
        picture(tmp_path / f"images/{split}2017/{name}")
        data = coco(
            tmp_path, [{"category_id": 3, "segmentation": [SQUARE]}], split=split, images=[name]
        )
    assert {split: [pair.name for pair in pairs] for split, pairs in data.splits.items()} == {
        "train": ["a"],
        "val": ["b"],
    }
    again = pickle.loads(pickle.dumps(data.read_labels))
    assert all(
        (again(pair.mask) == 1).sum() == 4 for pairs in data.splits.values() for pair in pairs
    )


def test_a_changed_annotation_changes_the_fingerprint(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    one = {"category_id": 3, "segmentation": [SQUARE]}
    before = coco(tmp_path, [one]).fingerprint()
    assert before == coco(tmp_path, [one]).fingerprint()
    assert before != coco(tmp_path, [one | {"segmentation": [[2, *SQUARE[1:]]]}]).fingerprint()


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        ({"size": [4, 6], "counts": [3, 1]}, "sum to 4 where 4 x 6 = 24"),
        ({"size": [5, 6], "counts": [30]}, "RLE of 5 x 6 pixels does not fit the image's 4 x 6"),
        ({"size": [4, 6], "counts": "~~"}, "compressed RLE"),
        ([[1, 2, 3, 4, 5]], "annotation is not as the format has it"),
        ([[1, 2, float("nan"), 4, 5, 6]], "finite"),
        ([["a", 2, 3, 4, 5, 6]], "could not convert"),
        ({"counts": [24]}, "lacks 'size'"),
    ],
)
def test_a_record_that_cannot_be_drawn_names_the_image(
    tmp_path: Path, drawn: object, reason: str
) -> None:
    path = picture(tmp_path / "images/a.jpg")
    data = coco(tmp_path, [{"category_id": 3, "segmentation": drawn}])
    with pytest.raises(ImageError, match=f"^{path}: .*{reason}"):
        data.read_labels(path)


def test_coco_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    with pytest.raises(DataError, match="annotation 0 is of category 9, which is not listed"):
        coco(tmp_path, [{"category_id": 9, "segmentation": [SQUARE]}])
    with pytest.raises(DataError, match="annotation 0 is of image 5, which is not listed"):
        coco(tmp_path, [{"image_id": 5, "category_id": 3, "segmentation": [SQUARE]}])
    with pytest.raises(DataError, match=r"'a\.jpg' stands there twice"):
        coco(tmp_path, [], images=["a.jpg", "a.jpg"])
    with pytest.raises(
        DataError, match=r"1 of 2 images of instances_train2017\.json are not here: b\.jpg"
    ):
        coco(tmp_path, [], images=["a.jpg", "b.jpg"])
    left = open_dataset(tmp_path, DataOptions(hold_out=False, skip_unpaired=True))
    assert "left out: 1 of 2 images of instances_train2017.json are not here: b.jpg" in left.notes


def test_malformed_json_names_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "instances.json").write_text('{"images": [],\n "annotations": [,]}')
    with pytest.raises(DataError, match=r"instances\.json: malformed JSON at line 2, column 18"):
        open_dataset(tmp_path)


def labelme(root: Path, shapes: list[dict], name: str = "a") -> DataSet:
    picture(root / f"{name}.jpg")
    record = {
        "version": "5",
        "shapes": shapes,
        "imagePath": f"{name}.jpg",
        "imageHeight": 4,
        "imageWidth": 6,
    }
    (root / f"{name}.json").write_text(json.dumps(record))
    return open_dataset(root, OPTIONS)


def test_labelme_shapes_the_later_covers_the_earlier(tmp_path: Path) -> None:
    mask = base64.b64encode(png([[1, 0], [1, 1]])).decode()
    data = labelme(
        tmp_path,
        [
            {"label": "dog", "points": [[0, 0], [2, 2]], "shape_type": "rectangle"},
            {"label": "cat", "points": [[1, 1], [3, 1], [3, 3], [1, 3]], "shape_type": "polygon"},
            {"label": "__ignore__", "points": [[4, 2], [5, 3]], "shape_type": "mask", "mask": mask},
            {"label": "dog", "points": [[4.5, 0.5], [4.5, 1.1]], "shape_type": "circle"},
            {"label": "dog", "points": [[0, 0], [6, 4]], "shape_type": "line"},
        ],
    )
    assert (data.format, data.classes.names) == ("labelme", NAMES)
    assert only(data) == [
        [2, 2, 0, 0, 2, 0],
        [2, 1, 1, 0, 0, 0],
        [0, 1, 1, 0, 255, 0],
        [0, 0, 0, 0, 255, 255],
    ]


def test_labelme_labels_that_are_not_listed_and_masks_that_do_not_fit_are_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ndog\ncat\n")
    shape = {"label": "dog", "points": [[0, 0], [9, 9]], "shape_type": "mask"}
    data = labelme(tmp_path, [shape | {"mask": base64.b64encode(png([[1]])).decode()}])
    assert data.classes.names == ("_background_", "dog", "cat")
    with pytest.raises(
        ImageError, match=r"a mask of 1 x 1 pixels does not fit its box \(0, 0\) to \(9, 9\)"
    ):
        only(data)
    with pytest.raises(DataError, match=r"labels\.txt: lacks 'cow'"):
        labelme(tmp_path, [shape | {"label": "cow"}])


CVAT = """<?xml version="1.0"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>dog</name><color>#0000ff</color></label><label><name>cat</name></label>
</labels></task></meta>
<image id="0" name="a.jpg" width="6" height="4" subset="val">
<polygon label="cat" points="1,1;3,1;3,3;1,3" z_order="1"/>
<box label="dog" xtl="0" ytl="0" xbr="2" ybr="2" z_order="0"/>
<mask label="dog" rle="1, 2, 1" left="4" top="2" width="2" height="2" z_order="0"/>
<ellipse label="dog" cx="4.5" cy="0.5" rx="0.6" ry="0.6" z_order="0"/>
<polyline label="dog" points="0,0;6,4" z_order="2"/>
</image></annotations>"""


def test_cvat_shapes_by_height(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "annotations.xml").write_text(CVAT)
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, list(data.splits), data.classes.names) == (
        "cvat",
        ["val"],
        ("background", "dog", "cat"),
    )
    assert data.classes.palette[1] == (0, 0, 255)
    assert only(data) == [
        [1, 1, 0, 0, 1, 0],
        [1, 2, 2, 0, 0, 0],
        [0, 2, 2, 0, 0, 1],
        [0, 0, 0, 0, 1, 0],
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("</image>", "", r"malformed XML at line 11, column 3: mismatched tag"),
        ("<annotations>", '<!DOCTYPE x [<!ENTITY a "aa">]><annotations>', "never expanded"),
        ("<image ", '<track id="0"/><image ', "tracks of a video"),
        ('name="a.jpg"', 'name="b.jpg"', r"1 of 1 images of annotations\.xml are not here: b\.jpg"),
        ('name="a.jpg"', "", "'name' is missing"),
        ("#0000ff", "blue", "not laid out as its format demands"),
        ("<name>cat</name>", "<name>dog</name>", "stand twice: dog"),
    ],
)
def test_cvat_files_that_cannot_be_used_are_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    picture(tmp_path / "images/a.jpg")
    assert old in CVAT
    (tmp_path / "annotations.xml").write_text(CVAT.replace(old, new))
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path)


def yolo(root: Path, text: str) -> DataSet:
    picture(root / "train/images/a.jpg")
    picture(root / "train/images/b.jpg")
    (root / "train/labels").mkdir(parents=True, exist_ok=True)
    (root / "train/labels/a.txt").write_text(text)
    (root / "data.yaml").write_text("nc: 2\nnames: ['cat', 'dog']\n")
    return open_dataset(root, OPTIONS)


def test_yolo_polygons_and_images_without_labels(tmp_path: Path) -> None:
    data = yolo(tmp_path, "1 0.1667 0.25 0.5 0.25 0.5 0.75 0.1667 0.75\n\n0 0 0 .2 0 .2 .3 0 .3\n")
    assert (data.format, data.classes.names) == ("yolo", NAMES)
    assert "train: 1 images without label file are background: b.jpg" in data.notes
    first, second = data.pairs("train")
    assert data.read_labels(first.mask).tolist() == [
        [1, *[0] * 5],
        [0, 2, 2, 0, 0, 0],
        [0, 2, 2, 0, 0, 0],
        [0] * 6,
    ]
    assert not data.read_labels(second.mask).any()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 0 0 1 0 1 1", "line 1: class 2, but the names are 0 to 1"),
        ("0 .5 .5 .1 .1", "line 1: a box, not a polygon"),
        ("0 0 0 1 0 1 1 1", "line 1: 7 coordinates"),
        ("cat 0 0 1 0 1 1", "line 1: invalid literal"),
    ],
)
def test_yolo_lines_that_are_no_polygon_are_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        yolo(tmp_path, line)


def test_yaml_that_cannot_be_read_names_the_place(tmp_path: Path) -> None:
    yolo(tmp_path, "")
    (tmp_path / "data.yaml").write_text("names: [cat\nb: ]: c")
    with pytest.raises(DataError, match=r"data\.yaml: malformed YAML: .*line 2"):
        open_dataset(tmp_path)


def supervisely(root: Path, objects: list[dict]) -> DataSet:
    picture(root / "ds/img/a.jpg")
    (root / "ds/ann").mkdir(exist_ok=True)
    record = {"size": {"height": 4, "width": 6}, "objects": objects}
    (root / "ds/ann/a.jpg.json").write_text(json.dumps(record))
    classes = [{"title": "cat", "color": "#FF0000"}, {"title": "dog"}]
    (root / "meta.json").write_text(json.dumps({"classes": classes}))
    return open_dataset(root, OPTIONS)


def test_supervisely_bitmaps_and_polygons_with_holes(tmp_path: Path) -> None:
    data = base64.b64encode(zlib.compress(png([[1, 0], [1, 1]]))).decode()
    ring = {
        "exterior": [[0, 0], [3, 0], [3, 3], [0, 3]],
        "interior": [[[1, 1], [2, 1], [2, 2], [1, 2]]],
    }
    found = supervisely(
        tmp_path,
        [
            {"classTitle": "cat", "geometryType": "polygon", "points": ring},
            {
                "classTitle": "dog",
                "geometryType": "bitmap",
                "bitmap": {"data": data, "origin": [4, 3]},
            },
        ],
    )
    assert (found.format, found.classes.names, found.classes.palette[1]) == (
        "supervisely",
        NAMES,
        (255, 0, 0),
    )
    assert only(found) == [
        [1, 1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 2, 0],
    ]
    ((pair,),) = found.splits.values()
    assert found.read_labels.drawing(pair.mask).clipped == 1


def test_supervisely_bitmaps_that_cannot_be_unpacked_and_unknown_classes_are_refused(
    tmp_path: Path,
) -> None:
    broken = {"data": base64.b64encode(b"no").decode(), "origin": [0, 0]}
    with pytest.raises(ImageError, match="a bitmap that cannot be unpacked"):
        only(
            supervisely(
                tmp_path, [{"classTitle": "cat", "geometryType": "bitmap", "bitmap": broken}]
            )
        )
    with pytest.raises(DataError, match=r"class 'cow' is not in meta\.json"):
        supervisely(tmp_path, [{"classTitle": "cow", "geometryType": "point"}])


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


def test_ade20k_counts_from_one_and_0_is_void(tmp_path: Path) -> None:
    base = tmp_path / "ADEChallengeData2016"
    picture(base / "images/training/ADE_train_1.jpg", (1, 4))
    (base / "annotations/training").mkdir(parents=True)
    Image.fromarray(np.array([[0, 1, 150, 13]], np.uint8)).save(
        base / "annotations/training/ADE_train_1.png"
    )
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, only(data)) == ("ade20k", [[255, 0, 149, 12]])
    assert [data.classes.names[label] for label in (0, 12, 149)] == ["wall", "person", "flag"]


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
    assert data.read_labels.drawing(pair.mask).overlapped == 1


def test_images_of_one_name_in_two_folders_keep_names_of_their_own(tmp_path: Path) -> None:
    for city in ("bonn", "ulm"):
        picture(tmp_path / "images" / city / "a.jpg")
    data = coco(tmp_path, [], images=["bonn/a.jpg", "ulm/a.jpg"])
    assert [pair.name for pair in data.pairs("train")] == ["images_bonn_a", "images_ulm_a"]


def test_voc_with_a_labelmap_has_its_classes(tmp_path: Path) -> None:
    picture(tmp_path / "JPEGImages/a.jpg", (1, 3))
    (tmp_path / "SegmentationClass").mkdir()
    colours = np.array([[(0, 0, 0), (9, 8, 7), (224, 224, 192)]], np.uint8)
    Image.fromarray(colours).save(tmp_path / "SegmentationClass/a.png")
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a\n")
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncow:9,8,7::\n"
    )
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.classes.names, only(data)) == (("background", "cow"), [[0, 1, 255]])
    (tmp_path / "labelmap.txt").write_text("cow;9\n")
    with pytest.raises(DataError, match=r"labelmap\.txt: cannot be read as classes"):
        open_dataset(tmp_path)
