"""What the annotation tools' own packages read in what `predict --to` wrote.

    pixelwise predict MODEL PHOTOS --out OUT --to labelme     # and cvat, coco, yolo, geojson, labelstudio
    python -m venv tools && tools/bin/pip install labelme label-studio-sdk pycocotools datumaro supervision geojson shapely
    tools/bin/python benchmarks/annotation_tools.py OUT

Needs nothing of pixelwise. For each format: the share of pixels that the tool's package reads as in
OUT's masks, and how far the others lie from a border of the mask.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

warnings.simplefilter("ignore")
Masks = Iterator[tuple[str, list[tuple[str, np.ndarray]]]]


def names_of(out: Path) -> list[str]:
    """The classes, background first, by the list beside the LabelMe files."""
    names = (out / "labelme/labels.txt").read_text().split("\n")[:-1]
    names = [name for name in names if name != "void"]
    return names if "background" in names or "unlabelled" in names else ["background", *names]


def labelme(out: Path) -> Masks:
    """labelme: LabelFile and shapes_to_label, which draws the outline itself too."""
    from labelme.label_file import LabelFile
    from labelme.utils.shape import shape_to_mask

    for path in sorted((out / "labelme/train").glob("*.json")):
        file = LabelFile(str(path))
        with Image.open(path.parent / file.imagePath) as image:
            size = image.size[::-1]
        rows = [
            (row["label"], shape_to_mask(size, row["points"], "polygon")) for row in file.shapes
        ]
        yield path.stem, rows


def cvat(out: Path) -> Masks:
    """datumaro, which CVAT imports and exports with."""
    from datumaro import Dataset

    dataset = Dataset.import_from(str(out / "cvat"), "cvat")
    labels = dataset.categories()[next(iter(dataset.categories()))]
    for item in dataset:
        size = item.media.size
        yield (
            item.id.split("/")[-1],
            [(labels[row.label].name, draw(row, size)) for row in item.annotations],
        )


def draw(row: object, size: tuple[int, int]) -> np.ndarray:
    from pycocotools import mask as coco_mask

    if hasattr(row, "image"):
        return np.asarray(row.image, bool)
    rle = coco_mask.frPyObjects([list(row.points)], *size)  # type: ignore[attr-defined]
    return coco_mask.decode(coco_mask.merge(rle)).astype(bool)


def coco(out: Path) -> Masks:
    """pycocotools."""
    from pycocotools.coco import COCO

    data = COCO(out / "coco/annotations/instances_train.json")
    for number, image in data.imgs.items():
        rows = data.loadAnns(data.getAnnIds(imgIds=[number]))
        names = [data.cats[row["category_id"]]["name"] for row in rows]
        yield (
            Path(image["file_name"]).stem,
            [(name, data.annToMask(row) > 0) for name, row in zip(names, rows, strict=True)],
        )


def yolo(out: Path) -> Masks:
    """supervision (Roboflow), which draws with OpenCV."""
    from supervision import DetectionDataset

    data = DetectionDataset.from_yolo(
        str(out / "yolo/images/train"),
        str(out / "yolo/labels/train"),
        str(out / "yolo/data.yaml"),
        force_masks=True,
    )
    for path, _, found in data:
        rows = [] if found.mask is None else zip(found.class_id, found.mask, strict=True)
        yield Path(path).stem, [(data.classes[label], mask) for label, mask in rows]


def geojson(out: Path) -> Masks:
    """geojson, whose checks each file passes, and shapely, which draws the pixels' centres."""
    import geojson as package
    import shapely

    for path in sorted((out / "geojson/train").glob("*.geojson")):
        content = package.loads(path.read_text())
        assert content.is_valid, content.errors()
        with Image.open(next(p for p in path.parent.glob(f"{path.stem}.*") if p != path)) as image:
            y, x = np.indices(image.size[::-1]) + 0.5
        rows = []
        for feature in content.features:
            shape = shapely.geometry.shape(feature.geometry)
            INVALID[path.name] = INVALID.get(path.name, 0) + (not shape.is_valid)
            rows.append(
                (feature.properties["class"], shapely.contains_xy(shapely.make_valid(shape), x, y))
            )
        yield path.stem, rows


INVALID: dict[str, int] = {}


def labelstudio(out: Path) -> Masks:
    """label-studio-sdk: its check of predictions by the configuration, its converter's run lengths."""
    from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config
    from label_studio_sdk.converter.brush import decode_rle
    from label_studio_sdk.label_interface import LabelInterface

    config = (out / "labelstudio/config.xml").read_text()
    tags = parse_config(config)
    interface = LabelInterface(config)
    for task in json.loads((out / "labelstudio/tasks.json").read_text()):
        rows = []
        for prediction in task["predictions"]:
            assert interface.validate_prediction({**prediction, "score": 0.5})
            for row in prediction["result"]:
                (name,) = row["value"]["brushlabels"]
                assert name in tags[row["from_name"]]["labels"]
                size = (row["original_height"], row["original_width"], 4)
                rows.append((name, decode_rle(row["value"]["rle"]).reshape(size)[:, :, 3] > 0))
        yield Path(task["data"]["image"]).stem, rows


READERS: tuple[Callable[[Path], Masks], ...] = (labelme, cvat, coco, yolo, geojson, labelstudio)


def main() -> None:
    out = Path(sys.argv[1])
    names = names_of(out)
    print("| format | read by | images | pixels as in the mask | the others lie within |")
    print("|---|---|---|---|---|")
    for reader in READERS:
        if not (out / reader.__name__).is_dir():
            continue
        same = []
        far = 0.0
        for stem, rows in reader(out):
            with Image.open(out / f"{stem}.png") as mask:
                truth = np.asarray(mask)
            labels = np.full_like(truth, 255 if "unlabelled" in names else 0)
            for name, bits in sorted(rows, key=lambda row: -row[1].sum()):
                labels[bits] = names.index(name) if name in names else 255
            same.append((labels == truth).mean())
            inner = np.ones_like(truth, bool)  # pixels that touch another label
            for axis in (0, 1):
                step = np.diff(truth, axis=axis) != 0
                pad = [(0, 0), (0, 0)]
                pad[axis] = (0, 1)
                inner &= ~np.pad(step, pad)
                pad[axis] = (1, 0)
                inner &= ~np.pad(step, pad)
            distance = ndimage.distance_transform_edt(inner)
            far = max(far, float(distance[labels != truth].max(initial=0)))
        doc = (reader.__doc__ or "").rstrip(".")
        print(f"| {reader.__name__} | {doc} | {len(same)} | {np.mean(same):.2%} | {far:.1f} px |")
    if INVALID:
        print(f"\npolygons of GeoJSON that cross themselves: {sum(INVALID.values())}")


main()
