"""Masks that do not lie on their image."""

from pathlib import Path

import numpy as np
from PIL import Image

from .sample_set import EVERY, Array, Fault, Planted, SampleSet, edit_masks, raw, save_mask, size_of


def smaller_mask(p: SampleSet, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        return labels[:-1, :-1] if mild else labels[::2, ::2]

    return edit_masks(p.some(mild), p, change)


def cropped_mask(p: SampleSet, mild: bool) -> Planted:
    return edit_masks(
        p.some(mild), p, lambda labels: labels[:, : -len(labels[0]) // (10 if mild else 3)]
    )


def lying_mask(p: SampleSet, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        return np.ascontiguousarray(labels.T if mild else np.rot90(labels))

    return edit_masks(p.some(mild), p, change)


def exif_image(p: SampleSet, mild: bool) -> Planted:
    """The image is stored turned with a tag; its mask was drawn on the stored pixels. Mild: turned
    by 180 degrees.
    """
    done = []
    for image, mask in p.some(mild):
        picture = Image.open(image)
        turned = picture.rotate(180 if mild else 90, expand=True)
        exif = Image.Exif()
        exif[0x0112] = 3 if mild else 6
        turned.save(image, exif=exif, quality=92)
        save_mask(mask, np.ascontiguousarray(np.rot90(raw(mask), 2 if mild else 1)), p)
        done.append(image)
    return done


def exif_both(p: SampleSet, mild: bool) -> Planted:
    """The image is stored turned with a tag and its mask is upright: all is well, but other
    programs may stumble.
    """
    done = []
    for image, _ in p.some(mild):
        exif = Image.Exif()
        exif[0x0112] = 3 if mild else 6
        Image.open(image).rotate(180 if mild else 90, expand=True).save(
            image, exif=exif, quality=92
        )
        done.append(image)
    return done


def exif_mask(p: SampleSet, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        exif = Image.Exif()
        exif[0x0112] = 8 if mild else 6
        Image.open(mask).save(mask, exif=exif)
        done.append(mask)
    return done


def moved(labels: Array, down: int, right: int) -> Array:
    """Shifted; what comes in at the border repeats the border."""
    height, width = labels.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return labels[rows][:, columns]


def shifted(p: SampleSet, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        side = max(labels.shape)
        return moved(labels, 0 if mild else side // 25, side // (40 if mild else 20))

    return edit_masks(p.some(False, 6), p, change)


def all_shifted(p: SampleSet, mild: bool) -> Planted:
    edit_masks(
        p.every(), p, lambda labels: moved(labels, 0, max(labels.shape) // (100 if mild else 40))
    )
    return []


def mirrored(p: SampleSet, mild: bool) -> Planted:
    return edit_masks(
        p.some(False, 3 if mild else 6), p, lambda labels: np.ascontiguousarray(labels[:, ::-1])
    )


def upside_down(p: SampleSet, mild: bool) -> Planted:
    return edit_masks(
        p.some(False, 3 if mild else 6), p, lambda labels: np.ascontiguousarray(labels[::-1])
    )


def all_mirrored(p: SampleSet, mild: bool) -> Planted:
    split = p.pairs("train") + p.pairs("val") if mild else p.every()
    edit_masks(split, p, lambda labels: np.ascontiguousarray(labels[:, ::-1]))
    return []


def _exchange(p: SampleSet, masks: list[Path], step: int) -> Planted:
    """Each mask takes the place of that `step` further on, made to its size."""
    held = [(raw(mask), size_of(mask)) for mask in masks]
    for at, mask in enumerate(masks):
        labels = Image.fromarray(held[(at + step) % len(masks)][0]).resize(
            held[at][1], Image.Resampling.NEAREST
        )
        save_mask(mask, np.asarray(labels), p)
    return masks


def exchanged(p: SampleSet, mild: bool) -> Planted:
    return _exchange(p, [mask for _, mask in p.some(False, 4 if mild else 8)], 2)


def off_by_one(p: SampleSet, mild: bool) -> Planted:
    masks = [mask for _, mask in p.every()]
    _exchange(p, masks[: len(masks) * 3 // 4] if mild else masks, len(masks) // 3)
    return []


FAULTS = (
    Fault(smaller_mask, ("size-mismatch",), EVERY),
    Fault(cropped_mask, ("size-mismatch",), EVERY),
    Fault(lying_mask, ("size-transposed",), EVERY),
    Fault(exif_image, ("orientation-mismatch",), EVERY),
    Fault(exif_both, ("orientation-tag",)),
    Fault(exif_mask, ("orientation-mismatch",), EVERY),
    Fault(shifted, ("mask-shifted",), EVERY),
    Fault(all_shifted, ("masks-shifted",), EVERY),
    Fault(mirrored, ("mask-mirrored",), EVERY),
    Fault(upside_down, ("mask-mirrored",), EVERY),
    Fault(all_mirrored, ("masks-mirrored",), EVERY),
    Fault(exchanged, ("mask-misfit",), EVERY),
    Fault(off_by_one, ("masks-misfit",), EVERY),
)
