"""Faults of the layouts of Pascal VOC and of mattes."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.datasets.annotations import labelme

from .sample_set import Fault, Planted, SampleSet, raw


def as_voc(p: SampleSet) -> None:
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (p.root / name).mkdir(parents=True)
    for split in ("train", "val"):
        pairs = p.pairs(split)
        names = [f"{split}_{image.stem}" for image, _ in pairs]
        (p.root / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
        for image, mask in pairs:
            shutil.move(image, p.root / "JPEGImages" / f"{split}_{image.name}")
            shutil.move(mask, p.root / "SegmentationClass" / f"{split}_{mask.name}")
    for name in ("images", "masks"):
        shutil.rmtree(p.root / name)
    (p.root / "classes.txt").unlink(missing_ok=True)


def list_missing(p: SampleSet, mild: bool) -> Planted:
    as_voc(p)
    path = p.root / "ImageSets/Segmentation/train.txt"
    path.write_text(path.read_text() + ("ghost\n" if mild else "ghost\nspook\n1999_000001\n"))
    return [path]


def list_twice(p: SampleSet, mild: bool) -> Planted:
    as_voc(p)
    path = p.root / "ImageSets/Segmentation/val.txt"
    names = (p.root / "ImageSets/Segmentation/train.txt").read_text().split()
    path.write_text(path.read_text() + "\n".join(names[: 1 if mild else 5]) + "\n")
    return [path]


def not_listed(p: SampleSet, mild: bool) -> Planted:
    as_voc(p)
    path = p.root / "ImageSets/Segmentation/train.txt"
    names = path.read_text().split()
    path.write_text("\n".join(names[1 if mild else 5 :]) + "\n")
    return [p.root / "SegmentationClass" / f"{names[0]}.png"]


def as_matte(p: SampleSet) -> None:
    for split, name in (("train", "training"), ("test", "testing")):
        (p.root / name).mkdir()
        for image, mask in p.pairs(split):
            shutil.move(image, p.root / name)
            shutil.move(mask, p.root / name / f"{mask.stem}_matte.png")
    for name in ("images", "masks"):
        shutil.rmtree(p.root / name)


def faint_matte(p: SampleSet, mild: bool) -> Planted:
    chosen = [mask.name for _, mask in p.some(mild)]
    as_matte(p)
    done = [p.root / "training" / name.replace(".png", "_matte.png") for name in chosen]
    for path in done:
        Image.fromarray((raw(path) >= 128).astype(np.uint8)).save(path)
    return done


def coloured_matte(p: SampleSet, mild: bool) -> Planted:
    chosen = [mask.name for _, mask in p.some(mild)]
    as_matte(p)
    done = [p.root / "training" / name.replace(".png", "_matte.png") for name in chosen]
    for path in done:
        pixels = np.repeat(raw(path)[:, :, None], 3, axis=2) * np.array(
            [1, 0 if not mild else 1, 1], np.uint8
        )
        pixels[0, 0] = (9, 0, 0)
        Image.fromarray(pixels).save(path)
    return done


def shapes_outside(p: SampleSet, mild: bool) -> Planted:
    """LabelMe files beside the images, with polygons that reach over the left border."""
    chosen = [image for image, _ in p.some(mild)]
    done = []
    for split in ("train", "val", "test"):
        for image, mask in p.pairs(split):
            target = p.root / split / image.name
            target.parent.mkdir(exist_ok=True)
            labels = np.where(raw(mask) < len(p.names), raw(mask), 0).astype(np.uint8)
            labelme.write(target.with_suffix(".json"), target, labels, Classes(p.names, p.palette))
            shutil.move(image, target)
            if image in chosen:
                _push_left(target.with_suffix(".json"), mild)
                done.append(target)
    for name in ("images", "masks"):
        shutil.rmtree(p.root / name)
    return done


def _push_left(path: Path, mild: bool) -> None:
    record = json.loads(path.read_text())
    widest = max(record["shapes"], key=lambda shape: max(x for x, _ in shape["points"]))
    for shape in [widest] if mild else record["shapes"]:
        least = min(x for x, _ in shape["points"])
        shape["points"] = [[x - least - (2 if mild else 8), y] for x, y in shape["points"]]
    path.write_text(json.dumps(record))


FAULTS = (
    Fault(list_missing, ("list-entry-missing",), ("animals",)),
    Fault(list_twice, ("list-entry-twice",), ("animals",)),
    Fault(not_listed, ("picture-not-listed",), ("animals",)),
    Fault(shapes_outside, ("shapes-clipped",)),
    Fault(faint_matte, ("matte-faint",), ("people",)),
    Fault(coloured_matte, ("encodings-mixed",), ("people",)),
)
