"""Classes and splits that are too few or too much."""

import numpy as np
from PIL import Image

from .masks import patch
from .pairs import moved
from .sample_set import Array, Fault, Planted, SampleSet, edit_masks, raw


def one_class(p: SampleSet, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        changed = np.ones_like(labels)
        changed[:5] = 255 if mild else 1
        return changed

    edit_masks(p.every(), p, change)
    return []


def absent_class(p: SampleSet, mild: bool) -> Planted:
    gone = 3 if mild else 1
    edit_masks(p.every(), p, lambda labels: np.where(labels == gone, 255, labels).astype(np.uint8))
    return []


def class_only_in_test(p: SampleSet, mild: bool) -> Planted:
    gone = 8 if mild else 1
    edit_masks(
        p.pairs("train"), p, lambda labels: np.where(labels == gone, 255, labels).astype(np.uint8)
    )
    for split in ("val", "test"):
        edit_masks(p.pairs(split)[:2], p, patch(gone, False))
    return []


def tiny_class(p: SampleSet, mild: bool) -> Planted:
    rare = len(p.names) - 1
    edit_masks(p.every(), p, lambda labels: np.where(labels == rare, 0, labels).astype(np.uint8))
    edit_masks(p.some(False, 3), p, patch(rare, mild))
    return []


def rare_class(p: SampleSet, mild: bool) -> Planted:
    rare = len(p.names) - 1
    edit_masks(p.every(), p, lambda labels: np.where(labels == rare, 0, labels).astype(np.uint8))
    edit_masks(
        p.some(mild, 3),
        p,
        lambda labels: np.where(np.arange(len(labels))[:, None] < 200, rare, labels),
    )
    return []


def layers(p: SampleSet, mild: bool) -> Planted:
    """One file a class, in folders by class, or (mild) beside each other; two of them overlap."""
    for split in ("train", "val", "test"):
        for _, mask in p.pairs(split):
            labels = raw(mask)
            mask.unlink()
            for label in np.unique(labels[labels < len(p.names)]):
                name = p.names[label].replace(" ", "")
                drawn = labels == label
                if label == 2:
                    drawn = moved(drawn, 3, 3) | drawn
                path = (
                    mask.parent / f"{mask.stem}_{name}.png"
                    if mild
                    else mask.parent / name / mask.name
                )
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(drawn.astype(np.uint8) * 255).save(path)
    return []


def small_split(p: SampleSet, mild: bool) -> Planted:
    for image, mask in p.pairs("val")[9 if mild else 1 :]:
        image.unlink()
        mask.unlink()
    return []


FAULTS = (
    Fault(small_split, ("split-small",)),
    Fault(one_class, ("class-alone",), ("street",)),
    Fault(absent_class, ("class-absent",)),
    Fault(class_only_in_test, ("class-only-scored",)),
    Fault(tiny_class, ("class-tiny",)),
    Fault(rare_class, ("class-rare",)),
    Fault(layers, ("layout-layers",)),
)
