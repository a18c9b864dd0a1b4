import json
import pickle
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.datasets.annotations import coco as coco_format
from pixelwise.datasets.issue_types import ISSUE_TYPES
from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]  # four pixels
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


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


def test_coco_polygons_rle_and_a_large_crowd(tmp_path: Path) -> None:
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
    drawing = data.read_labels.rasterize(path)
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


def test_a_crowd_lies_on_what_is_larger(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    data = coco(
        tmp_path,
        [
            {
                "category_id": 7,
                "segmentation": {"size": [4, 6], "counts": [3, 1, 20]},
                "iscrowd": 1,
            },
            {"category_id": 3, "segmentation": [[0, 0, 6, 0, 6, 4, 0, 4]], "iscrowd": 0},
        ],
    )
    assert only(data) == [[1] * 6, [1] * 6, [1] * 6, [2, 1, 1, 1, 1, 1]]


CONTENT = {
    "images": [
        {"id": 0, "file_name": "a.jpg", "height": 4, "width": 6},
        {"id": 1, "file_name": "b.jpg", "height": 4, "width": 6},
    ],
    "categories": [{"id": 5, "name": "cat"}, {"id": 1, "name": "dog"}],
    "annotations": [
        {"id": 0, "image_id": 0, "category_id": 5, "segmentation": [SQUARE]},
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [SQUARE]},
    ],
}
CAT = [[0] * 6, [0, 2, 2, 0, 0, 0], [0, 2, 2, 0, 0, 0], [0] * 6]


def write_set(root: Path, content: object, *, file: str = "labels.json", encoding: str = "utf-8"):
    for name in ("a.jpg", "b.jpg"):
        picture(root / "images" / name)
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding=encoding)
    return path


def changed(**parts: object) -> dict:
    return CONTENT | parts


def named(*names: str) -> list[dict]:
    return [{"id": at, "file_name": name, "height": 4, "width": 6} for at, name in enumerate(names)]


def read_cat(root: Path, options: DataOptions = OPTIONS) -> DataSet:
    """The set, whose first image must show a cat in the middle of its left half."""
    data = open_dataset(root, options)
    assert data.format == "coco"
    assert data.classes.names == ("background", "dog", "cat")
    assert [pair.name for pair in data.pairs("train")] == ["a", "b"]
    assert data.read_labels(data.pairs("train")[0].mask).tolist() == CAT
    return data


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_of_the_file(tmp_path: Path, encoding: str) -> None:
    if encoding == "utf-16-le":
        path = write_set(tmp_path, CONTENT)
        path.write_bytes(b"\xff\xfe" + json.dumps(CONTENT).encode("utf-16-le"))
    else:
        write_set(tmp_path, CONTENT, encoding=encoding)
    read_cat(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("images\\a.jpg", "images\\b.jpg"),
        ("images/a.jpg", "./images/b.jpg"),
        ("C:\\Users\\jo\\images\\a.jpg", "C:\\Users\\jo\\images\\b.jpg"),
        ("/content/drive/MyDrive/a.jpg", "/content/drive/MyDrive/b.jpg"),
        ("A.JPG", "b.jpg"),
        ("gs://bucket/set/a.jpg", "s3://bucket/set/b.jpg"),
        ("https://host/set/a.jpg?width=6&token=x", "https://host/b.jpg"),
        ("/data/local-files/?d=images/a.jpg", "/data/local-files/?d=images%2Fb.jpg"),
    ],
)
def test_names_of_images_as_other_systems_write_them(tmp_path: Path, names: tuple) -> None:
    write_set(tmp_path, changed(images=named(*names)))
    read_cat(tmp_path)


@pytest.mark.parametrize("on_disk", ["ä b.jpg", "50% (1).jpg", "a+b.jpg", "x?y.jpg"])
@pytest.mark.parametrize("encoded", [False, True])
def test_odd_names(tmp_path: Path, on_disk: str, encoded: bool) -> None:
    picture(tmp_path / "images" / on_disk)
    write_set(tmp_path, changed(images=named(quote(on_disk) if encoded else on_disk, "b.jpg")))
    data = open_dataset(tmp_path, OPTIONS)
    assert sorted(pair.image.name for pair in data.pairs("train")) == sorted([on_disk, "b.jpg"])


def test_images_found_by_name_alone_are_noted_in_one_line(tmp_path: Path) -> None:
    write_set(tmp_path, changed(images=named("/x/a.jpg", "/x/b.jpg")))
    notes = [note for note in read_cat(tmp_path).notes if "name alone" in note]
    assert len(notes) == 1
    assert "2 images, as it names folders that are not here, as in '/x/a.jpg'" in notes[0]
    (issue,) = read_index(tmp_path).issues
    assert (issue.type, issue.count, issue.file) == ("image-by-name", 2, tmp_path / "labels.json")


def test_the_message_names_images_and_the_folders_that_were_searched(tmp_path: Path) -> None:
    write_set(tmp_path, changed(images=named("x\\1.png", "x\\2.png")))
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path, OPTIONS)
    assert str(caught.value) == (
        f"{tmp_path}/labels.json: 2 of 2 images of labels.json are not here: x\\1.png, x\\2.png; "
        f"looked for in images/, {tmp_path.name}/ and all folders beneath; put them there"
    )


@pytest.mark.parametrize(
    "content",
    [
        {"version": "1.0", **CONTENT},
        {"meta": {"images": 2, "list": ["annotations"]}, **CONTENT},
        dict(reversed(CONTENT.items())),
        {"contributors": ["x" * 70_000], **CONTENT},
    ],
)
def test_a_file_is_known_by_its_lists(tmp_path: Path, content: dict) -> None:
    write_set(tmp_path, content)
    read_cat(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"categories": [{"id": 0, "name": "x"}], "info": {"version": "1.0"}},
        {"shapes": [], "imagePath": "a.jpg", "images": [], "annotations": []},
        {"images": 3, "annotations": []},
        [{"id": 1, "annotations": [], "images": []}],
        {"type": "FeatureCollection", "features": []},
    ],
)
def test_other_json_files_are_no_coco(tmp_path: Path, content: object) -> None:
    write_set(tmp_path, content)
    assert not coco_format.matches(tmp_path)


def test_side_files_are_not_read(tmp_path: Path) -> None:
    path = write_set(tmp_path, CONTENT)
    (tmp_path / f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\xb0" + bytes(60))
    read_cat(tmp_path)


def test_ids_as_text_are_those_numbers(tmp_path: Path) -> None:
    images = [image | {"id": str(image["id"])} for image in CONTENT["images"]]
    categories = [row | {"id": f"{row['id']}"} for row in CONTENT["categories"]]
    write_set(tmp_path, changed(images=images, categories=categories))
    read_cat(tmp_path)
    annotations = [row | {"image_id": float(row["image_id"])} for row in CONTENT["annotations"]]
    write_set(tmp_path, changed(annotations=annotations))
    read_cat(tmp_path)


def test_ids_that_are_words_come_after_numbers(tmp_path: Path) -> None:
    categories = [{"id": "5", "name": "cat"}, {"id": "x", "name": "cow"}, {"id": 1, "name": "dog"}]
    images = [image | {"id": f"img{image['id']}"} for image in CONTENT["images"]]
    annotations = [row | {"image_id": f"img{row['image_id']}"} for row in CONTENT["annotations"]]
    write_set(tmp_path, changed(categories=categories, images=images, annotations=annotations))
    data = open_dataset(tmp_path, OPTIONS)
    assert data.classes.names == ("background", "dog", "cat", "cow")
    assert data.read_labels(data.pairs("train")[0].mask).tolist() == CAT


@pytest.mark.parametrize("root_name", ["animals", "dog"])
def test_the_category_above_all_others_is_no_class(tmp_path: Path, root_name: str) -> None:
    categories = [
        {"id": 0, "name": root_name, "supercategory": "none"},
        {"id": 5, "name": "cat", "supercategory": root_name},
        {"id": 1, "name": "dog", "supercategory": root_name},
    ]
    write_set(tmp_path, changed(categories=categories))
    data = read_cat(tmp_path)
    assert any(f"'{root_name}' has no annotation and is no class" in note for note in data.notes)
    assert [issue.type for issue in read_index(tmp_path).issues] == ["category-group"]


def test_a_category_above_others_with_annotations_is_a_class(tmp_path: Path) -> None:
    categories = [
        {"id": 1, "name": "dog", "supercategory": "none"},
        {"id": 5, "name": "cat", "supercategory": "dog"},
    ]
    write_set(tmp_path, changed(categories=categories))
    read_cat(tmp_path)


def test_every_fault_is_an_issue_and_training_refuses_the_first(tmp_path: Path) -> None:
    images = [*named("a.jpg", "b.jpg", "c.jpg", "a.jpg"), named("b.jpg", "x.jpg")[1]]
    annotations = [
        *CONTENT["annotations"],
        {"id": 7, "image_id": 0, "category_id": 9, "segmentation": [SQUARE]},
        {"id": 8, "image_id": 0, "category_id": 9, "segmentation": [SQUARE]},
        {"id": 9, "image_id": 77, "category_id": 1, "segmentation": [SQUARE]},
        {"id": 10, "image_id": 0, "category_id": 1, "bbox": [0, 0, 2, 2]},
        {"id": 11, "image_id": 0, "category_id": 1, "segmentation": [[1, 1, 2, 2]]},
        {"id": 12, "image_id": 0, "category_id": 1, "segmentation": []},
    ]
    categories = [*CONTENT["categories"], {"id": 5, "name": "cow"}]
    path = write_set(
        tmp_path, changed(images=images, annotations=annotations, categories=categories)
    )
    index = read_index(tmp_path)
    assert {(issue.type, issue.text, issue.count) for issue in index.issues} == {
        ("classes-contradict", "category 5 is both 'cat' and 'cow'", 1),
        ("annotations-twice", "image id 1 is both 'b.jpg' and 'x.jpg'", 1),
        ("class-unlisted", "annotation 7 and 1 more are of category 9, which is not listed", 2),
        ("annotation-without-image", "annotation 9 is of image 77, which is not listed", 1),
        ("box-left-out", "2 annotations have a box alone", 2),
        ("shape-left-out", "1 polygons have fewer than three corners", 1),
        ("annotations-twice", "'a.jpg' stands there twice", 1),
        ("image-unlabelled", "2 of 4 images: c.jpg, a.jpg", 2),
        (
            "list-entry-missing",
            "2 of 5 images of labels.json are not here: x.jpg, c.jpg",
            2,
        ),
    }
    assert {issue.file for issue in index.issues} == {path}
    assert all(ISSUE_TYPES[issue.type] for issue in index.issues)
    assert [pair.name for _, pair in index.pairs()] == ["a", "b"]
    with pytest.raises(
        DataError, match=r"labels\.json: category 5 is both 'cat' and 'cow'; keep one"
    ):
        open_dataset(tmp_path, OPTIONS)


def test_what_is_left_out_is_noted(tmp_path: Path) -> None:
    box = {"id": 2, "image_id": 0, "category_id": 1, "bbox": [0, 0, 2, 2]}
    line = {"id": 3, "image_id": 0, "category_id": 1, "segmentation": [[1, 1, 2, 2], []]}
    quad = {"id": 4, "image_id": 1, "category_id": 1, "segmentation": [[[4, 0], [6, 0], [6, 1]]]}
    write_set(tmp_path, changed(annotations=[*CONTENT["annotations"], box, line, quad]))
    data = read_cat(tmp_path)
    notes = "\n".join(data.notes)
    assert "labels.json: 1 annotations have a box alone" in notes
    assert "labels.json: 1 polygons have fewer than three corners" in notes
    assert data.read_labels(data.pairs("train")[1].mask).tolist()[0] == [0, 0, 0, 0, 0, 1]


def test_a_polygon_without_the_list_around_it(tmp_path: Path) -> None:
    annotations = [row | {"segmentation": SQUARE} for row in CONTENT["annotations"]]
    write_set(tmp_path, changed(annotations=annotations))
    read_cat(tmp_path)


def test_boxes_alone_are_refused(tmp_path: Path) -> None:
    annotations = [row | {"segmentation": None} for row in CONTENT["annotations"]]
    write_set(tmp_path, changed(annotations=annotations))
    with pytest.raises(DataError, match="all 2 annotations have a box alone, which is no mask"):
        open_dataset(tmp_path, OPTIONS)


@pytest.mark.parametrize("size", [{}, {"height": 0, "width": 0}, {"height": None, "width": "x"}])
def test_sizes_that_are_missing_are_the_pictures(tmp_path: Path, size: dict) -> None:
    images = [{"id": at, "file_name": name} | size for at, name in enumerate(("a.jpg", "b.jpg"))]
    write_set(tmp_path, changed(images=images))
    assert any(
        "2, such as a.jpg: the pictures' own are taken" in n for n in read_cat(tmp_path).notes
    )


def test_check_names_sizes_that_are_swapped(tmp_path: Path) -> None:
    images = [image | {"height": 6, "width": 4} for image in CONTENT["images"]]
    write_set(tmp_path, changed(images=images))
    assert "size-transposed" in examine(tmp_path).findings.ids()


def test_an_image_that_stands_twice_with_one_id_is_read_once(tmp_path: Path) -> None:
    write_set(tmp_path, changed(images=[*CONTENT["images"], CONTENT["images"][0]]))
    assert any("1 stand there twice with one id: a.jpg" in n for n in read_cat(tmp_path).notes)


def test_of_several_files_that_of_masks_is_read(tmp_path: Path) -> None:
    captions = [{"id": 0, "image_id": 0, "caption": "a cat"}]
    points = [CONTENT["annotations"][1] | {"id": 9, "keypoints": [1, 1, 2]}]
    for name, annotations in (
        ("captions_train", captions),
        ("stuff_train", CONTENT["annotations"]),
        ("person_keypoints_train", points),
    ):
        write_set(tmp_path, changed(annotations=annotations), file=f"annotations/{name}.json")
    data = read_cat(tmp_path)
    assert data.sources == (tmp_path / "annotations/stuff_train.json",)
    unread = [issue for issue in read_index(tmp_path).issues if issue.type == "annotations-unread"]
    assert {issue.file.name for issue in unread if issue.file} == {
        "captions_train.json",
        "person_keypoints_train.json",
    }
    note = next(note for note in data.notes if "not read" in note)
    assert "captions_train.json, person_keypoints_train.json" in note


def test_keypoints_have_masks_where_no_other_file_has(tmp_path: Path) -> None:
    points = [row | {"keypoints": [1, 1, 2]} for row in CONTENT["annotations"]]
    write_set(tmp_path, changed(annotations=points), file="annotations/person_keypoints_train.json")
    read_cat(tmp_path)


def test_two_files_of_masks_for_a_split_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_set(tmp_path, CONTENT, file=f"annotations/{name}.json")
    with pytest.raises(
        DataError, match=r"both one\.json and two\.json are train; keep one of them"
    ):
        open_dataset(tmp_path, OPTIONS)


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ([{"id": 1, "image_id": 0, "caption": "a cat"}], "holds captions"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, annotations: list, reason: str) -> None:
    write_set(tmp_path, changed(annotations=annotations))
    with pytest.raises(DataError, match=f"labels.json: .*{reason}.*put the file of instances"):
        open_dataset(tmp_path, OPTIONS)


def test_images_without_annotation_are_counted(tmp_path: Path) -> None:
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for name in names:
        picture(tmp_path / f"images/train2017/{name}")
    data = coco(tmp_path, [{"category_id": 3, "segmentation": [SQUARE]}], images=names)
    assert (
        "Images without annotation: instances_train2017.json: 2 of 3 images: b.jpg, c.jpg. They "
        "count as background: remove those that nobody has labelled."
    ) in data.notes
    assert not data.read_labels(tmp_path / "images/train2017/b.jpg").any()


def test_results_and_lists_of_images_are_named(tmp_path: Path) -> None:
    result = {"image_id": 0, "category_id": 5, "segmentation": {}, "score": 0.5}
    path = write_set(tmp_path, [result])
    with pytest.raises(DataError, match=r"labels\.json: is a list of COCO results"):
        open_dataset(tmp_path, OPTIONS)
    path.write_text(json.dumps({key: CONTENT[key] for key in ("images", "categories")}))
    with pytest.raises(DataError, match=r"labels\.json: lists images without annotations"):
        open_dataset(tmp_path, OPTIONS)


def test_a_split_without_annotations_is_left_out(tmp_path: Path) -> None:
    write_set(tmp_path, CONTENT, file="annotations/instances_train.json")
    images = {key: CONTENT[key] for key in ("images", "categories")}
    write_set(tmp_path, images, file="annotations/image_info_test.json")
    data = read_cat(tmp_path)
    assert list(data.splits) == ["train"]
    assert any("image_info_test.json: lists images without annotations" in n for n in data.notes)


def test_images_in_folders_of_splits_under_one_file_are_those_splits(tmp_path: Path) -> None:
    for name in ("train/a.jpg", "val/b.jpg"):
        picture(tmp_path / name)
    (tmp_path / "labels.json").write_text(json.dumps(CONTENT))
    data = open_dataset(tmp_path, OPTIONS)
    assert {split: [pair.name for pair in pairs] for split, pairs in data.splits.items()} == {
        "train": ["a"],
        "val": ["b"],
    }


def test_files_with_unlike_categories_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, CONTENT, file="annotations/instances_train.json")
    other = changed(categories=[*CONTENT["categories"], {"id": 6, "name": "cow"}], images=[])
    write_set(tmp_path, other | {"annotations": []}, file="annotations/instances_val.json")
    with pytest.raises(DataError, match=r"categories are not those of instances_train\.json: cow"):
        open_dataset(tmp_path, OPTIONS)


def test_an_image_of_two_splits_is_refused(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_set(tmp_path, CONTENT, file=f"annotations/instances_{split}.json")
    with pytest.raises(DataError, match=r"'a\.jpg' is in another split as well"):
        open_dataset(tmp_path, OPTIONS)


def test_one_malformed_file_of_two_is_an_issue(tmp_path: Path) -> None:
    write_set(tmp_path, CONTENT, file="annotations/instances_train.json")
    path = write_set(tmp_path, CONTENT, file="annotations/instances_val.json")
    path.write_text('{"images": [], "annotations": [,]}')
    index = read_index(tmp_path)
    assert [(issue.type, issue.file) for issue in index.issues] == [("annotation-malformed", path)]
    assert len(index.pairs()) == 2
    with pytest.raises(
        DataError, match=r"instances_val\.json: malformed JSON at line 1, column 32"
    ):
        open_dataset(tmp_path, OPTIONS)


def test_a_file_that_was_cut_off_names_the_place(tmp_path: Path) -> None:
    path = write_set(tmp_path, CONTENT)
    path.write_text(json.dumps(CONTENT)[:100])
    with pytest.raises(DataError, match=r"labels\.json: malformed JSON at line 1"):
        open_dataset(tmp_path, OPTIONS)
