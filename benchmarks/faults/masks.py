"""Faults of how masks are written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from .sample_set import (
    EVERY,
    Array,
    Fault,
    Planted,
    SampleSet,
    colours,
    edit_masks,
    in_colours,
    raw,
    rgb,
    save_mask,
    size_of,
    undeclared,
)


def jpeg_masks(p: SampleSet, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        labels = raw(mask)
        mask.unlink()
        done.append(mask.with_suffix(".jpg"))
        Image.fromarray(colours(labels, p)).save(done[-1], quality=95 if mild else 60)
    return done


def jpeg_as_png(p: SampleSet, mild: bool) -> Planted:
    if not p.binary:
        in_colours(p)
    done = []
    for _, mask in p.some(mild):
        path = mask.with_suffix(".tmp.jpg")
        Image.open(mask).convert("RGB").save(path, quality=95 if mild else 50)
        Image.open(path).save(mask)
        path.unlink()
        done.append(mask)
    return done


def smooth(p: SampleSet, mild: bool) -> Planted:
    """Masks of 0/255 or of colours, resized there and back with bilinear weights."""
    if not p.binary:
        in_colours(p)
    done = []
    for _, mask in p.some(mild):
        picture = Image.open(mask).convert("L" if p.binary else "RGB")
        factor = 0.9 if mild else 0.5
        small = picture.resize(
            (round(picture.width * factor), round(picture.height * factor)),
            Image.Resampling.BILINEAR,
        )
        small.resize(picture.size, Image.Resampling.BILINEAR).save(mask)
        done.append(mask)
    return done


def smooth_ids(p: SampleSet, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        factor = 0.9 if mild else 0.5
        picture = Image.fromarray(labels)
        small = picture.resize(
            (round(picture.width * factor), round(picture.height * factor)),
            Image.Resampling.BILINEAR,
        )
        return np.asarray(small.resize(picture.size, Image.Resampling.BILINEAR))

    return edit_masks(p.some(mild), p, change)


def stray_colour(p: SampleSet, mild: bool) -> Planted:
    in_colours(p)
    done = []
    for _, mask in p.some(mild):
        pixels = rgb(mask).copy()
        pixels[40 : 41 if mild else 50, 50 : 51 if mild else 60] = (13, 201, 77)
        Image.fromarray(pixels).save(mask)
        done.append(mask)
    return done


def patch(value: int, mild: bool) -> Callable[[Array], Array]:
    def change(labels: Array) -> Array:
        changed = labels.copy()
        changed[30 : 31 if mild else 40, 40 : 41 if mild else 60] = value
        return changed

    return change


def foreign_value(p: SampleSet, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, patch(len(p.names), mild))


def foreign_value_undeclared(p: SampleSet, mild: bool) -> Planted:
    undeclared(p)
    return edit_masks(p.some(True), p, patch(60 if mild else 200, mild))


def ones_among_255(p: SampleSet, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, lambda labels: (labels > 0).astype(np.uint8))


def full_among_ones(p: SampleSet, mild: bool) -> Planted:
    edit_masks(p.every(), p, lambda labels: (labels > 0).astype(np.uint8))
    return edit_masks(p.some(mild), p, lambda labels: (labels > 0).astype(np.uint8) * 255)


def colour_among_ids(p: SampleSet, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        Image.fromarray(colours(raw(mask), p)).save(mask)
        done.append(mask)
    return done


def ids_among_colour(p: SampleSet, mild: bool) -> Planted:
    held = {mask: raw(mask) for _, mask in p.some(mild)}
    in_colours(p)
    for mask, labels in held.items():
        save_mask(mask, np.where(labels == 255, 0, labels), p)
    return list(held)


def other_palette(p: SampleSet, mild: bool) -> Planted:
    """Ids given anew by order of appearance, as a program does that counts colours in each file."""
    done = []
    for _, mask in p.some(mild):
        labels = raw(mask)
        seen = np.unique(labels)[::-1]
        image = Image.fromarray(np.searchsorted(seen[::-1], labels).astype(np.uint8))
        flat = [
            channel
            for value in seen[::-1]
            for channel in p.palette[min(int(value), len(p.palette) - 1)]
        ]
        image.putpalette(flat)
        image.save(mask)
        done.append(mask)
    return done


def in_alpha(p: SampleSet, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        labels = raw(mask)
        image = Image.new("RGBA", (labels.shape[1], labels.shape[0]), (255, 255, 255, 0))
        image.putalpha(Image.fromarray(labels.astype(np.uint8)))
        image.save(mask)
        done.append(mask)
    return done


def from_one(p: SampleSet, mild: bool) -> Planted:
    undeclared(p)
    edit_masks(
        p.every(),
        p,
        lambda labels: np.where(labels == 255, 255, labels + (1 if mild else 2)).astype(np.uint8),
    )
    return []


def sixteen_bits(p: SampleSet, mild: bool) -> Planted:
    """8 bits saved as 16, as some editors do: every value is 257 times as large."""
    chosen = p.some(mild) if mild else p.every()
    for _, mask in chosen:
        Image.fromarray(raw(mask).astype(np.uint16) * 257).save(mask)
    return [mask for _, mask in chosen]


def instance_ids(p: SampleSet, mild: bool) -> Planted:
    """1000 times the class and a number, as sets have them that tell things apart."""
    chosen = p.some(mild)
    for _, mask in chosen:
        labels = raw(mask).astype(np.uint16)
        Image.fromarray(
            np.where((labels > 0) & (labels < 60), 1000 * labels + 7, 0).astype(np.uint16)
        ).save(mask)
    return [mask for _, mask in chosen]


def inverted(p: SampleSet, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, lambda labels: 255 - labels)


def all_inverted(p: SampleSet, mild: bool) -> Planted:
    pairs = p.every()
    edit_masks(pairs[: len(pairs) * 2 // 3] if mild else pairs, p, lambda labels: 255 - labels)
    return []


def blank_mask(p: SampleSet, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, np.zeros_like)


def void_mask(p: SampleSet, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        changed = np.full_like(labels, 255)
        changed[: len(labels) // 30 if mild else 0] = 1
        return changed

    return edit_masks(p.some(mild), p, change)


def much_void(p: SampleSet, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        changed = labels.copy()
        changed[: int(len(labels) * (0.6 if mild else 0.9))] = 255
        return changed

    edit_masks(p.every(), p, change)
    return []


def same_mask(p: SampleSet, mild: bool) -> Planted:
    """One mask in the place of others of its size, which is the commonest."""
    by_size: dict[tuple[int, int], list[Path]] = {}
    for image, mask in p.pairs():
        by_size.setdefault(size_of(image), []).append(mask)
    like = max(by_size.values(), key=len)[: 2 if mild else 6]
    for mask in like[1:]:
        shutil.copy(like[0], mask)
    return like[1:]


def mask_is_photo(p: SampleSet, mild: bool) -> Planted:
    done = []
    for image, mask in p.some(mild):
        picture = Image.open(image)
        (picture.convert("L") if mild else picture).save(mask)
        done.append(mask)
    return done


FAULTS = (
    Fault(jpeg_masks, ("mask-lossy",), EVERY),
    Fault(jpeg_as_png, ("mask-lossy",), EVERY),
    Fault(smooth, ("mask-resampled",), EVERY),
    Fault(smooth_ids, ("mask-blended", "mask-resampled"), ("street", "animals")),
    Fault(stray_colour, ("colour-stray",), ("street", "animals")),
    Fault(foreign_value, ("value-outside-classes",), ("street", "animals")),
    Fault(foreign_value_undeclared, ("value-doubtful",), ("street",)),
    Fault(ones_among_255, ("encodings-mixed",), ("people",)),
    Fault(full_among_ones, ("encodings-mixed",), ("people",)),
    Fault(colour_among_ids, ("encodings-mixed",), ("street", "animals")),
    Fault(ids_among_colour, ("encodings-mixed",), ("street", "animals")),
    Fault(other_palette, ("palettes-differ",), ("street", "animals")),
    Fault(in_alpha, ("mask-in-alpha",), ("street", "people")),
    Fault(from_one, ("values-not-from-zero",), ("street", "animals")),
    Fault(sixteen_bits, ("mask-wide",), EVERY),
    Fault(instance_ids, ("value-large",), ("street", "animals")),
    Fault(inverted, ("mask-inverted",), ("people",)),
    Fault(all_inverted, ("masks-inverted",), ("people",)),
    Fault(blank_mask, ("mask-blank",), EVERY),
    Fault(void_mask, ("mask-void",), ("street", "animals")),
    Fault(much_void, ("void-much",), ("street", "animals")),
    Fault(same_mask, ("mask-identical",), EVERY),
    Fault(mask_is_photo, ("mask-is-photo",), EVERY),
)
