"""Writing a set in the folders and annotation formats that people have.

A layout of masks gets functions that write a picture and a mask; one of annotations draws the
rectangles. Sets whose split the layout does not hold are written without it.
"""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import yaml
from PIL import Image

from .truth import COLOURS, VOID, Array, Rectangle, Scene, Truth

WritePicture = Callable[[Scene, Path], Path]
WriteMask = Callable[[Array, Path], Path]
WriteLayout = Callable[[Truth, Path, WritePicture, WriteMask], None]


@dataclass(frozen=True)
class Layout:
    """How a set lies on disk: `splits` says whether it holds them, `named` whether it always names
    the classes, `masks` whether labels are in mask files.
    """

    write: WriteLayout
    splits: bool = True
    named: bool = False
    masks: bool = True
    void: bool = True
    free_masks: bool = True
    """Whether masks may be written in any way."""


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write_pairs(
    truth: Truth,
    picture: WritePicture,
    mask: WriteMask,
    places: Callable[[str, Scene], tuple[Path, Path]],
) -> None:
    """`places` gives the files of picture and mask, without their endings."""
    for split, scenes in truth.splits.items():
        for scene in scenes:
            image_path, mask_path = places(split, scene)
            _folder(image_path.parent)
            _folder(mask_path.parent)
            picture(scene, image_path)
            mask(scene.labels, mask_path)


def _places(image: str, mask: str) -> WriteLayout:
    """A layout by two patterns with {split} and {name}."""

    def write(truth: Truth, root: Path, write_picture: WritePicture, write_mask: WriteMask) -> None:
        def places(split: str, scene: Scene) -> tuple[Path, Path]:
            values = {"split": split, "name": scene.name, "root": root}
            return root / image.format(**values), root / mask.format(**values)

        _write_pairs(truth, write_picture, write_mask, places)

    return write


def _voc(truth: Truth, root: Path, picture: WritePicture, mask: WriteMask) -> None:
    _places("JPEGImages/{name}", "SegmentationClass/{name}")(truth, root, picture, mask)
    lists = _folder(root / "ImageSets/Segmentation")
    for split, scenes in truth.splits.items():
        names = "\n".join(scene.name for scene in scenes)
        (lists / f"{split}.txt").write_text(f"{names}\n", encoding="utf-8")


def _voc_default(truth: Truth, root: Path, picture: WritePicture, mask: WriteMask) -> None:
    """As CVAT exports masks: one list called default, and labelmap.txt."""
    _places("JPEGImages/{name}", "SegmentationClass/{name}")(truth, root, picture, mask)
    lists = _folder(root / "ImageSets/Segmentation")
    names = "\n".join(f'"{s.name}"' if " " in s.name else s.name for s in truth.scenes)
    (lists / "default.txt").write_text(f"{names}\n", encoding="utf-8")
    rows = [f"{n}:{','.join(map(str, COLOURS[i]))}::" for i, n in enumerate(truth.names)]
    (root / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *rows, ""]))


def _paddle(truth: Truth, root: Path, picture: WritePicture, mask: WriteMask) -> None:
    for split, scenes in truth.splits.items():
        rows = []
        for scene in scenes:
            image = picture(scene, _folder(root / "images") / scene.name)
            label = mask(scene.labels, _folder(root / "annotations") / scene.name)
            rows.append(f"images/{image.name} annotations/{label.name}\n")
        (root / f"{split}.txt").write_text("".join(rows), encoding="utf-8")
    (root / "labels.txt").write_text("\n".join(truth.names) + "\n", encoding="utf-8")


def _nnunet(truth: Truth, root: Path, picture: WritePicture, mask: WriteMask) -> None:
    _places("imagesTr/{name}_0000", "labelsTr/{name}")(truth, root, picture, mask)
    content = {
        "channel_names": {"0": "photo"},
        "labels": {name: label for label, name in enumerate(truth.names)},
        "numTraining": len(truth.scenes),
        "file_ending": ".png",
    }
    (root / "dataset.json").write_text(json.dumps(content))


def _cityscapes_flat(truth: Truth, root: Path, picture: WritePicture, mask: WriteMask) -> None:
    write = _places("images/{name}_leftImg8bit", "masks/{name}_gtFine_labelTrainIds")
    write(truth, root, picture, mask)
    _places("images/{name}_leftImg8bit", "masks/{name}_gtFine_color")(
        truth, root, picture, _colour_mask
    )


def _colour_mask(labels: Array, path: Path) -> Path:
    table = np.zeros((256, 3), np.uint8)
    table[: len(COLOURS)] = COLOURS
    target = path.with_name(path.name + ".png")
    Image.fromarray(table[labels]).save(target)
    return target


def _class_files(pattern: str, images: str = "images") -> WriteLayout:
    """A black and white file for each class of an image, two images a group."""

    def write(truth: Truth, root: Path, picture: WritePicture, _: WriteMask) -> None:
        for scene in truth.scenes:
            picture(scene, _folder(root / images.format(name=scene.name)) / scene.name)
            for label, name in enumerate(truth.names[1:], 1):
                group = truth.scenes.index(scene) // 2
                path = root / pattern.format(class_name=name, name=scene.name, group=group)
                _folder(path.parent)
                drawn = np.where(scene.labels == label, 255, 0).astype(np.uint8)
                Image.fromarray(drawn).save(path)

    return write


def _class_of_image(truth: Truth, root: Path, picture: WritePicture, _: WriteMask) -> None:
    """masks/CLASS/NAME.png where each image shows one class; the rest of it is background."""
    for index, scene in enumerate(truth.scenes):
        picture(scene, _folder(root / "images") / scene.name)
        label = 1 + index % (len(truth.names) - 1)
        drawn = np.where(scene.labels == label, 255, 0).astype(np.uint8)
        Image.fromarray(drawn).save(
            _folder(root / "masks" / truth.names[label]) / f"{scene.name}.png"
        )


def _corners(rectangle: Rectangle) -> list[tuple[int, int]]:
    left, right = rectangle.left, rectangle.right
    top, bottom = rectangle.top, rectangle.bottom
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _drawn(scene: Scene) -> list[Rectangle]:
    return [rectangle for rectangle in scene.rectangles if rectangle.label != VOID]


def _rle(rectangle: Rectangle, size: tuple[int, ...]) -> dict[str, object]:
    """Uncompressed RLE by column, counted with plain loops."""
    mask = np.zeros(size, np.uint8)
    mask[rectangle.top : rectangle.bottom, rectangle.left : rectangle.right] = 1
    counts = []
    value = 0
    length = 0
    for pixel in mask.ravel(order="F").tolist():
        if pixel == value:
            length += 1
        else:
            counts.append(length)
            value = pixel
            length = 1
    counts.append(length)
    return {"size": list(size), "counts": counts}


def _coco(
    place: Callable[[str, str], str], *, crowd: bool = False, head: str = "info"
) -> WriteLayout:
    """COCO with file names by `place`; with `crowd` as run lengths that are marked as crowd."""

    def write(truth: Truth, root: Path, picture: WritePicture, _: WriteMask) -> None:
        for split, scenes in truth.splits.items():
            images = []
            annotations: list[dict[str, object]] = []
            for number, scene in enumerate(scenes, 1):
                file = picture(scene, _folder(root / "images" / split) / scene.name)
                height, width = scene.labels.shape
                size = {"height": height, "width": width}
                images.append({"id": number, "file_name": place(split, file.name), **size})
                for rectangle in _drawn(scene):
                    flat = [value for corner in _corners(rectangle) for value in corner]
                    shape = _rle(rectangle, scene.labels.shape) if crowd else [flat]
                    annotations.append(
                        {
                            "id": len(annotations) + 1,
                            "image_id": number,
                            "category_id": rectangle.label,
                            "segmentation": shape,
                            "iscrowd": int(crowd),
                        }
                    )
            categories = [{"id": i, "name": n} for i, n in enumerate(truth.names) if i]
            content = {
                head: {},
                "images": images,
                "annotations": annotations,
                "categories": categories,
            }
            folder = _folder(root / "annotations")
            (folder / f"instances_{split}.json").write_text(json.dumps(content))

    return write


def _yolo(truth: Truth, root: Path, picture: WritePicture, _: WriteMask) -> None:
    for split, scenes in truth.splits.items():
        for scene in scenes:
            picture(scene, _folder(root / "images" / split) / scene.name)
            height, width = scene.labels.shape
            lines = []
            for rectangle in _drawn(scene):
                words = [f"{x / width:.9f} {y / height:.9f}" for x, y in _corners(rectangle)]
                lines.append(f"{rectangle.label - 1} {' '.join(words)}\n")
            path = _folder(root / "labels" / split) / f"{scene.name}.txt"
            path.write_text("".join(lines), encoding="utf-8")
    folders = {split: f"images/{split}" for split in truth.splits}
    content = {"path": ".", **folders, "names": dict(enumerate(truth.names[1:]))}
    (root / "data.yaml").write_text(yaml.safe_dump(content))


def _yolo_of_label_studio(truth: Truth, root: Path, picture: WritePicture, mask: WriteMask) -> None:
    flat = Truth(truth.names, {"": truth.scenes})
    _yolo(flat, root, picture, mask)
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("\n".join(truth.names[1:]) + "\n")
    notes = {
        "categories": [{"id": i, "name": n} for i, n in enumerate(truth.names[1:])],
        "info": {"year": 2026, "version": "1.0"},
    }
    (root / "notes.json").write_text(json.dumps(notes))


def _labelme(images: str, labels: str, prefix: str) -> WriteLayout:
    def write(truth: Truth, root: Path, picture: WritePicture, _: WriteMask) -> None:
        for scene in truth.scenes:
            file = picture(scene, _folder(root / images) / scene.name)
            shapes = [
                {
                    "label": truth.names[rectangle.label],
                    "points": _corners(rectangle),
                    "shape_type": "polygon",
                }
                for rectangle in _drawn(scene)
            ]
            content = {
                "version": "5.5.0",
                "flags": {},
                "shapes": shapes,
                "imagePath": prefix + file.name,
                "imageData": None,
                "imageHeight": scene.labels.shape[0],
                "imageWidth": scene.labels.shape[1],
            }
            path = _folder(root / labels) / f"{scene.name}.json"
            path.write_text(json.dumps(content), encoding="utf-8")

    return write


def _cvat(truth: Truth, root: Path, picture: WritePicture, _: WriteMask) -> None:
    rows = []
    for number, scene in enumerate(truth.scenes):
        file = picture(scene, _folder(root / "images") / scene.name)
        height, width = scene.labels.shape
        rows.append(
            f'<image id="{number}" name={quoteattr(file.name)} width="{width}" height="{height}">'
        )
        for rectangle in _drawn(scene):
            points = ";".join(f"{x},{y}" for x, y in _corners(rectangle))
            label = quoteattr(truth.names[rectangle.label])
            rows.append(f'<polygon label={label} points="{points}" z_order="0"/>')
        rows.append("</image>")
    labels = "".join(f"<label><name>{name}</name></label>" for name in truth.names[1:])
    text = "\n".join(rows)
    (root / "annotations.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><meta><task><labels>{labels}'
        f"</labels></task></meta>\n{text}\n</annotations>\n",
        encoding="utf-8",
    )


def _supervisely(truth: Truth, root: Path, picture: WritePicture, _: WriteMask) -> None:
    import zlib

    for split, scenes in truth.splits.items():
        for scene in scenes:
            file = picture(scene, _folder(root / split / "img") / scene.name)
            objects = []
            for rectangle in _drawn(scene):
                shape = (rectangle.bottom - rectangle.top, rectangle.right - rectangle.left)
                buffer = io.BytesIO()
                Image.new("L", shape[::-1], 255).save(buffer, "PNG")
                data = base64.b64encode(zlib.compress(buffer.getvalue())).decode()
                origin = [rectangle.left, rectangle.top]
                objects.append(
                    {
                        "classTitle": truth.names[rectangle.label],
                        "geometryType": "bitmap",
                        "bitmap": {"data": data, "origin": origin},
                    }
                )
            size = {"height": scene.labels.shape[0], "width": scene.labels.shape[1]}
            path = _folder(root / split / "ann") / f"{file.name}.json"
            path.write_text(json.dumps({"size": size, "objects": objects, "tags": []}))
    classes = [{"title": name, "shape": "any", "color": "#FF0000"} for name in truth.names[1:]]
    (root / "meta.json").write_text(json.dumps({"classes": classes, "tags": []}))


def _no_folder(_: str, file: str) -> str:
    return file


LAYOUTS: dict[str, Layout] = {
    "images, masks": Layout(_places("images/{name}", "masks/{name}"), splits=False),
    "images/SPLIT": Layout(_places("images/{split}/{name}", "masks/{split}/{name}")),
    "SPLIT/images": Layout(_places("{split}/images/{name}", "{split}/masks/{name}")),
    "Images, Labels": Layout(_places("Images/{name}", "Labels/{name}_label"), splits=False),
    "img_dir": Layout(_places("img_dir/{split}/{name}", "ann_dir/{split}/{name}")),
    "SPLIT_labels": Layout(_places("{split}/{name}", "{split}_labels/{name}")),
    "SPLIT/x_mask": Layout(_places("{split}/{name}", "{split}/{name}_mask")),
    "sat": Layout(_places("{name}_sat", "{name}_mask"), splits=False),
    "prefix": Layout(_places("images/{name}", "masks/mask_{name}"), splits=False),
    "cp_masks": Layout(_places("images/{name}", "masks/{name}_cp_masks"), splits=False),
    "voc": Layout(_voc),
    "CVAT masks": Layout(_voc_default, splits=False, named=True),
    "PaddleSeg": Layout(_paddle, named=True),
    "nnU-Net": Layout(_nnunet, splits=False, named=True),
    "Cityscapes, flat": Layout(_cityscapes_flat, splits=False),
    "masks/CLASS/x": Layout(
        _class_files("masks/{class_name}/{name}.png"), splits=False, named=True, free_masks=False
    ),
    "masks/x/CLASS": Layout(
        _class_files("masks/{name}/{class_name}.png"), splits=False, named=True, free_masks=False
    ),
    "masks/x_CLASS": Layout(
        _class_files("masks/{name}_{class_name}.png"), splits=False, named=True, free_masks=False
    ),
    "masks/GROUP/x_CLASS": Layout(
        _class_files("masks/{group}/{name}_{class_name}.png"),
        splits=False,
        named=True,
        free_masks=False,
    ),
    "x/images, x/masks": Layout(
        _class_files("{name}/masks/{class_name}.png", "{name}/images"),
        splits=False,
        named=True,
        free_masks=False,
    ),
    "class of image": Layout(_class_of_image, splits=False, named=True, free_masks=False),
    "COCO": Layout(_coco(_no_folder), named=True, masks=False, void=False),
    "COCO, crowd": Layout(_coco(_no_folder, crowd=True), named=True, masks=False, void=False),
    "COCO, version first": Layout(
        _coco(_no_folder, head="version"), named=True, masks=False, void=False
    ),
    "COCO of Windows": Layout(
        _coco(lambda split, file: f"C:\\data\\{split}\\{file}"),
        named=True,
        masks=False,
        void=False,
    ),
    "YOLO": Layout(_yolo, named=True, masks=False, void=False),
    "YOLO of Label Studio": Layout(
        _yolo_of_label_studio, splits=False, named=True, masks=False, void=False
    ),
    "LabelMe": Layout(_labelme("", "", ""), splits=False, named=True, masks=False, void=False),
    "LabelMe, two folders": Layout(
        _labelme("images", "labels", "..\\images\\"),
        splits=False,
        named=True,
        masks=False,
        void=False,
    ),
    "CVAT": Layout(_cvat, splits=False, named=True, masks=False, void=False),
    "Supervisely": Layout(_supervisely, named=True, masks=False, void=False),
}
