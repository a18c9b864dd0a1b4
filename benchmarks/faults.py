"""Faults to plant in a clean data set, one function each, strong or mild. Used by clinic.py and by the tests.

A set is a plain folder: images/SPLIT/NAME.jpg and masks/SPLIT/NAME.png of class ids (or 0 and 255), made by `plain`.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

Array = np.ndarray
Planted = list[Path]


@dataclass(frozen=True)
class Patient:
    """A data set to plant in: `binary` sets hold 0 and 255 and have no classes file."""

    root: Path
    binary: bool
    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]

    def pairs(self, split: str = "train") -> list[tuple[Path, Path]]:
        images = sorted((self.root / "images" / split).iterdir())
        return [(path, self.root / "masks" / split / f"{path.stem}.png") for path in images]

    def some(self, mild: bool, strong: int = 6) -> list[tuple[Path, Path]]:
        """Pairs evenly drawn from train: a strong fault has several files, a mild one has one."""
        pairs = self.pairs()
        count = min(1 if mild else strong, len(pairs))
        return [pairs[(2 * at + 1) * len(pairs) // (2 * count)] for at in range(count)]

    def every(self) -> list[tuple[Path, Path]]:
        return [
            pair
            for split in sorted(path.name for path in (self.root / "images").iterdir())
            for pair in self.pairs(split)
        ]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def raw(path: Path) -> Array:
    with Image.open(path) as image:
        return np.asarray(image)


def rgb(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("RGB"))


def save_mask(path: Path, labels: Array, patient: Patient) -> None:
    image = Image.fromarray(labels.astype(np.uint8))
    if not patient.binary:
        image.putpalette(
            [channel for colour in patient.palette for channel in colour]
            + [224, 224, 192] * (256 - len(patient.palette))
        )
    image.save(path)


def colours(labels: Array, patient: Patient) -> Array:
    """The mask in RGB; void is the last class's colour, so that only legal colours occur."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(patient.palette)] = patient.palette
    table[255] = patient.palette[0] if not patient.binary else (255, 255, 255)
    return table[labels]


def in_colours(patient: Patient) -> None:
    """All masks in RGB, declared in classes.csv."""
    for _, mask in patient.every():
        Image.fromarray(colours(raw(mask), patient)).save(mask)
    (patient.root / "classes.txt").unlink(missing_ok=True)
    rows = [f"{name},{r},{g},{b}" for name, (r, g, b) in zip(patient.names, patient.palette, strict=True)]
    (patient.root / "classes.csv").write_text("\n".join(rows) + "\n")


def undeclared(patient: Patient) -> None:
    (patient.root / "classes.txt").unlink(missing_ok=True)


def edit_masks(pairs: Iterable[tuple[Path, Path]], patient: Patient, change: Callable[[Array], Array]) -> Planted:
    done = []
    for _, mask in pairs:
        save_mask(mask, change(raw(mask)), patient)
        done.append(mask)
    return done


# files -------------------------------------------------------------------------------------------------------------


def no_image(p: Patient, mild: bool) -> Planted:
    return [mask for image, mask in p.some(mild) if image.unlink() is None]


def no_mask(p: Patient, mild: bool) -> Planted:
    return [image for image, mask in p.some(mild) if mask.unlink() is None]


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: max(1, int(len(data) * share))])
    return path


def image_truncated(p: Patient, mild: bool) -> Planted:
    return [_cut(image, 0.95 if mild else 0.4) for image, _ in p.some(mild)]


def mask_truncated(p: Patient, mild: bool) -> Planted:
    return [_cut(mask, 0.9 if mild else 0.4) for _, mask in p.some(mild)]


def image_empty(p: Patient, mild: bool) -> Planted:
    done = [image for image, _ in p.some(mild)]
    for path in done:
        path.write_bytes(b"")
    return done


def image_text(p: Patient, mild: bool) -> Planted:
    done = [image for image, _ in p.some(mild)]
    for path in done:
        path.write_text("<html>404 not found</html>")
    return done


def image_twice_named(p: Patient, mild: bool) -> Planted:
    done = []
    for image, _ in p.some(mild):
        Image.open(image).save(image.with_suffix(".png"))
        done.append(image.with_suffix(".png"))
    return done


def mask_twice_named(p: Patient, mild: bool) -> Planted:
    return [Path(shutil.copy(mask, mask.with_name(f"{mask.stem}_mask.png"))) for _, mask in p.some(mild)]


def link_broken(p: Patient, mild: bool) -> Planted:
    done = []
    for image, _ in p.some(mild):
        image.unlink()
        image.symlink_to("gone.jpg")
        done.append(image)
    return done


def link_loop(p: Patient, mild: bool) -> Planted:
    path = p.root / "images/train" / ("again" if mild else "again.jpg")
    path.symlink_to("." if mild else path.name)
    return [path]


def name_bytes(p: Patient, mild: bool) -> Planted:
    done = []
    for image, mask in p.some(mild):
        new = os.fsdecode(b"caf\xe9" + os.fsencode(image.stem))
        image.rename(image.with_name(new + image.suffix))
        mask.rename(mask.with_name(new + ".png"))
        done.append(image.with_name(new + image.suffix))
    return done


def other_files(p: Patient, mild: bool) -> Planted:
    done = [p.root / "masks/train" / f"{name}" for name in (("Thumbs.db",) if mild else ("a.txt", "b.json", "c.xml"))]
    for path in done:
        path.write_text("x")
    return done


def subfolder(p: Patient, mild: bool) -> Planted:
    folder = p.root / "images/train/more"
    folder.mkdir()
    for image, _ in p.some(mild):
        shutil.copy(image, folder)
    return [folder]


def two_layouts(p: Patient, mild: bool) -> Planted:
    for name, source in (("train", "images"), ("trainannot", "masks")):
        (p.root / name).mkdir()
        for path in sorted((p.root / source / "train").iterdir())[: 3 if mild else 10]:
            shutil.copy(path, p.root / name)
    for path in (p.root / "trainannot").iterdir():
        save_mask(path, np.minimum(raw(path), 10), p)
    return []


def split_twice(p: Patient, mild: bool) -> Planted:
    for side in ("images", "masks"):
        (p.root / side / "validation").mkdir()
    for image, mask in p.pairs("val")[: 1 if mild else 4]:
        shutil.move(image, p.root / "images/validation")
        shutil.move(mask, p.root / "masks/validation")
    return []


def split_unmasked(p: Patient, mild: bool) -> Planted:
    shutil.rmtree(p.root / "masks/test")
    return []


def split_unpaired(p: Patient, mild: bool) -> Planted:
    for _, mask in p.pairs("test"):
        mask.rename(mask.with_name(f"other{mask.name}"))
    return []


def classes_malformed(p: Patient, mild: bool) -> Planted:
    path = p.root / "classes.json"
    text = "[\n" + ",\n".join(f'  {{"name": "{name}"}}' for name in p.names) + (",\n]" if mild else "\n  {{{\n")
    path.write_text(text)
    (p.root / "classes.txt").unlink(missing_ok=True)
    return [path]


def classes_contradict(p: Patient, mild: bool) -> Planted:
    names = [*p.names[:-2], p.names[-1], p.names[-2]] if mild else [f"other {name}" for name in p.names]
    path = p.root / "classes.csv"
    path.write_text("\n".join(names) + "\n")
    return [path]


def classes_without_colours(p: Patient, mild: bool) -> Planted:
    for _, mask in p.every():
        Image.fromarray(colours(raw(mask), p)).save(mask)
    return []


# images ------------------------------------------------------------------------------------------------------------


def _resave(p: Patient, mild: bool, change: Callable[[Image.Image, Path], Path]) -> Planted:
    done = []
    for image, _ in p.some(mild):
        picture = Image.open(image).convert("RGB")
        image.unlink()
        done.append(change(picture, image))
    return done


def _saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


def suffix_wrong(p: Patient, mild: bool) -> Planted:
    return _resave(p, mild, lambda picture, path: _saved(picture, path, format="PNG"))


def frames(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        more = [picture.rotate(180) for _ in range(1 if mild else 4)]
        return _saved(picture, path.with_suffix(".tif"), save_all=True, append_images=more)

    return _resave(p, mild, change)


def transparent(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        alpha = np.full((picture.height, picture.width), 255, np.uint8)
        alpha[:20, : 20 if mild else None] = 0
        picture.putalpha(Image.fromarray(alpha))
        return _saved(picture, path.with_suffix(".png"))

    return _resave(p, mild, change)


def cmyk(p: Patient, mild: bool) -> Planted:
    return _resave(p, mild, lambda picture, path: _saved(picture.convert("CMYK"), path, quality=95))


def deep(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(
            Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257), path.with_suffix(".png")
        )

    return _resave(p, mild, change)


def floats(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(picture.convert("F"), path.with_suffix(".tif"))

    return _resave(p, mild, change)


def grey(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(picture.convert("L").convert("RGB"), path.with_suffix(".png" if mild else ".jpg"))

    return _resave(p, mild, change)


def blank_image(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(Image.new("RGB", picture.size, (90, 120, 60) if mild else (0, 0, 0)), path)

    return _resave(p, mild, change)


def _scaled(p: Patient, mild: bool, factor: float) -> Planted:
    done = []
    for image, mask in p.some(mild, 3):
        for path, way in ((image, Image.Resampling.BICUBIC), (mask, Image.Resampling.NEAREST)):
            picture = Image.open(path)
            picture.resize((round(picture.width * factor), round(picture.height * factor)), way).save(path)
        done.append(image)
    return done


def tiny(p: Patient, mild: bool) -> Planted:
    return _scaled(p, mild, 0.2 if mild else 0.06)


def huge(p: Patient, mild: bool) -> Planted:
    return _scaled(p, mild, 5.0 if mild else 9.0)


def image_is_mask(p: Patient, mild: bool) -> Planted:
    done = []
    for image, mask in p.some(mild):
        picture = colours(raw(mask), p)
        image.unlink()
        done.append(_saved(Image.fromarray(picture), image.with_suffix(".png")))
    return done


def copied_image(p: Patient, mild: bool) -> Planted:
    return _copies(p, mild, "train", lambda picture: picture)


def leaked_image(p: Patient, mild: bool) -> Planted:
    return _copies(p, mild, "test", lambda picture: picture)


def near_leak(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image) -> Image.Image:
        small = picture.resize((round(picture.width * 0.8), round(picture.height * 0.8)), Image.Resampling.BICUBIC)
        return small if mild else Image.eval(small, lambda value: min(255, int(value * 1.15 + 8)))

    return _copies(p, mild, "test", change, quality=60)


def near_copy(p: Patient, mild: bool) -> Planted:
    def change(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        edge = 0 if mild else 0.01
        return picture.crop((int(width * edge), int(height * edge), int(width * (1 - edge)), int(height * (1 - edge))))

    return _copies(p, mild, "train", change, quality=70)


def _copies(
    p: Patient, mild: bool, split: str, change: Callable[[Image.Image], Image.Image], quality: int = 0
) -> Planted:
    done = []
    for image, mask in p.some(mild):
        path = p.root / "images" / split / f"copy{image.name}"
        target = p.root / "masks" / split / f"copy{mask.name}"
        if quality:
            picture = change(Image.open(image))
            picture.save(path, quality=quality)
            Image.open(mask).resize(picture.size, Image.Resampling.NEAREST).save(target)
        else:
            shutil.copy(image, path)
            shutil.copy(mask, target)
        done += [path, image]
    return done


# image and mask ----------------------------------------------------------------------------------------------------


def smaller_mask(p: Patient, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        return labels[:-1, :-1] if mild else labels[::2, ::2]

    return edit_masks(p.some(mild), p, change)


def cropped_mask(p: Patient, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, lambda labels: labels[:, : -len(labels[0]) // (10 if mild else 3)])


def lying_mask(p: Patient, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        return np.ascontiguousarray(labels.T if mild else np.rot90(labels))

    return edit_masks(p.some(mild), p, change)


def exif_image(p: Patient, mild: bool) -> Planted:
    """The image is stored turned with a tag; its mask was drawn on the stored pixels. Mild: turned by 180 degrees."""
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


def exif_both(p: Patient, mild: bool) -> Planted:
    """The image is stored turned with a tag and its mask is upright: all is well, but other programs may stumble."""
    done = []
    for image, _ in p.some(mild):
        exif = Image.Exif()
        exif[0x0112] = 3 if mild else 6
        Image.open(image).rotate(180 if mild else 90, expand=True).save(image, exif=exif, quality=92)
        done.append(image)
    return done


def exif_mask(p: Patient, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        exif = Image.Exif()
        exif[0x0112] = 8 if mild else 6
        Image.open(mask).save(mask, exif=exif)
        done.append(mask)
    return done


def _moved(labels: Array, down: int, right: int) -> Array:
    """Shifted; what comes in at the border repeats the border."""
    height, width = labels.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return labels[rows][:, columns]


def shifted(p: Patient, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        side = max(labels.shape)
        return _moved(labels, 0 if mild else side // 25, side // (40 if mild else 20))

    return edit_masks(p.some(False, 6), p, change)


def all_shifted(p: Patient, mild: bool) -> Planted:
    edit_masks(p.every(), p, lambda labels: _moved(labels, 0, max(labels.shape) // (100 if mild else 40)))
    return []


def mirrored(p: Patient, mild: bool) -> Planted:
    return edit_masks(p.some(False, 3 if mild else 6), p, lambda labels: np.ascontiguousarray(labels[:, ::-1]))


def upside_down(p: Patient, mild: bool) -> Planted:
    return edit_masks(p.some(False, 3 if mild else 6), p, lambda labels: np.ascontiguousarray(labels[::-1]))


def all_mirrored(p: Patient, mild: bool) -> Planted:
    split = p.pairs("train") + p.pairs("val") if mild else p.every()
    edit_masks(split, p, lambda labels: np.ascontiguousarray(labels[:, ::-1]))
    return []


def _exchange(p: Patient, masks: list[Path], step: int) -> Planted:
    """Each mask takes the place of that `step` further on, made to its size."""
    held = [(raw(mask), size_of(mask)) for mask in masks]
    for at, mask in enumerate(masks):
        labels = Image.fromarray(held[(at + step) % len(masks)][0]).resize(held[at][1], Image.Resampling.NEAREST)
        save_mask(mask, np.asarray(labels), p)
    return masks


def exchanged(p: Patient, mild: bool) -> Planted:
    return _exchange(p, [mask for _, mask in p.some(False, 4 if mild else 8)], 2)


def off_by_one(p: Patient, mild: bool) -> Planted:
    masks = [mask for _, mask in p.every()]
    _exchange(p, masks[: len(masks) * 3 // 4] if mild else masks, len(masks) // 3)
    return []


# masks -------------------------------------------------------------------------------------------------------------


def jpeg_masks(p: Patient, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        labels = raw(mask)
        mask.unlink()
        done.append(mask.with_suffix(".jpg"))
        Image.fromarray(colours(labels, p)).save(done[-1], quality=95 if mild else 60)
    return done


def jpeg_as_png(p: Patient, mild: bool) -> Planted:
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


def smooth(p: Patient, mild: bool) -> Planted:
    """Masks of 0/255 or of colours, resized there and back with bilinear weights."""
    if not p.binary:
        in_colours(p)
    done = []
    for _, mask in p.some(mild):
        picture = Image.open(mask).convert("L" if p.binary else "RGB")
        factor = 0.9 if mild else 0.5
        small = picture.resize(
            (round(picture.width * factor), round(picture.height * factor)), Image.Resampling.BILINEAR
        )
        small.resize(picture.size, Image.Resampling.BILINEAR).save(mask)
        done.append(mask)
    return done


def smooth_ids(p: Patient, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        factor = 0.9 if mild else 0.5
        picture = Image.fromarray(labels)
        small = picture.resize(
            (round(picture.width * factor), round(picture.height * factor)), Image.Resampling.BILINEAR
        )
        return np.asarray(small.resize(picture.size, Image.Resampling.BILINEAR))

    return edit_masks(p.some(mild), p, change)


def stray_colour(p: Patient, mild: bool) -> Planted:
    in_colours(p)
    done = []
    for _, mask in p.some(mild):
        pixels = rgb(mask).copy()
        pixels[40 : 41 if mild else 50, 50 : 51 if mild else 60] = (13, 201, 77)
        Image.fromarray(pixels).save(mask)
        done.append(mask)
    return done


def _patch(value: int, mild: bool) -> Callable[[Array], Array]:
    def change(labels: Array) -> Array:
        changed = labels.copy()
        changed[30 : 31 if mild else 40, 40 : 41 if mild else 60] = value
        return changed

    return change


def foreign_value(p: Patient, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, _patch(len(p.names), mild))


def foreign_value_undeclared(p: Patient, mild: bool) -> Planted:
    undeclared(p)
    return edit_masks(p.some(True), p, _patch(60 if mild else 200, mild))


def ones_among_255(p: Patient, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, lambda labels: (labels > 0).astype(np.uint8))


def full_among_ones(p: Patient, mild: bool) -> Planted:
    edit_masks(p.every(), p, lambda labels: (labels > 0).astype(np.uint8))
    return edit_masks(p.some(mild), p, lambda labels: (labels > 0).astype(np.uint8) * 255)


def colour_among_ids(p: Patient, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        Image.fromarray(colours(raw(mask), p)).save(mask)
        done.append(mask)
    return done


def ids_among_colour(p: Patient, mild: bool) -> Planted:
    held = {mask: raw(mask) for _, mask in p.some(mild)}
    in_colours(p)
    for mask, labels in held.items():
        save_mask(mask, np.where(labels == 255, 0, labels), p)
    return list(held)


def other_palette(p: Patient, mild: bool) -> Planted:
    """Ids given anew by order of appearance, as a program does that counts colours in each file."""
    done = []
    for _, mask in p.some(mild):
        labels = raw(mask)
        seen = np.unique(labels)[::-1]
        image = Image.fromarray(np.searchsorted(seen[::-1], labels).astype(np.uint8))
        flat = [channel for value in seen[::-1] for channel in p.palette[min(int(value), len(p.palette) - 1)]]
        image.putpalette(flat)
        image.save(mask)
        done.append(mask)
    return done


def in_alpha(p: Patient, mild: bool) -> Planted:
    done = []
    for _, mask in p.some(mild):
        labels = raw(mask)
        image = Image.new("RGBA", (labels.shape[1], labels.shape[0]), (255, 255, 255, 0))
        image.putalpha(Image.fromarray(labels.astype(np.uint8)))
        image.save(mask)
        done.append(mask)
    return done


def from_one(p: Patient, mild: bool) -> Planted:
    undeclared(p)
    edit_masks(p.every(), p, lambda labels: np.where(labels == 255, 255, labels + (1 if mild else 2)).astype(np.uint8))
    return []


def inverted(p: Patient, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, lambda labels: 255 - labels)


def all_inverted(p: Patient, mild: bool) -> Planted:
    pairs = p.every()
    edit_masks(pairs[: len(pairs) * 2 // 3] if mild else pairs, p, lambda labels: 255 - labels)
    return []


def blank_mask(p: Patient, mild: bool) -> Planted:
    return edit_masks(p.some(mild), p, np.zeros_like)


def void_mask(p: Patient, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        changed = np.full_like(labels, 255)
        changed[: len(labels) // 30 if mild else 0] = 1
        return changed

    return edit_masks(p.some(mild), p, change)


def much_void(p: Patient, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        changed = labels.copy()
        changed[: int(len(labels) * (0.6 if mild else 0.9))] = 255
        return changed

    edit_masks(p.every(), p, change)
    return []


def same_mask(p: Patient, mild: bool) -> Planted:
    """One mask in the place of others of its size, which is the commonest."""
    by_size: dict[tuple[int, int], list[Path]] = {}
    for image, mask in p.pairs():
        by_size.setdefault(size_of(image), []).append(mask)
    like = max(by_size.values(), key=len)[: 2 if mild else 6]
    for mask in like[1:]:
        shutil.copy(like[0], mask)
    return like[1:]


def mask_is_photo(p: Patient, mild: bool) -> Planted:
    done = []
    for image, mask in p.some(mild):
        picture = Image.open(image)
        (picture.convert("L") if mild else picture).save(mask)
        done.append(mask)
    return done


def one_class(p: Patient, mild: bool) -> Planted:
    def change(labels: Array) -> Array:
        changed = np.ones_like(labels)
        changed[:5] = 255 if mild else 1
        return changed

    edit_masks(p.every(), p, change)
    return []


def absent_class(p: Patient, mild: bool) -> Planted:
    gone = 3 if mild else 1
    edit_masks(p.every(), p, lambda labels: np.where(labels == gone, 255, labels).astype(np.uint8))
    return []


def class_only_in_test(p: Patient, mild: bool) -> Planted:
    gone = 8 if mild else 1
    edit_masks(p.pairs("train"), p, lambda labels: np.where(labels == gone, 255, labels).astype(np.uint8))
    for split in ("val", "test"):
        edit_masks(p.pairs(split)[:2], p, _patch(gone, False))
    return []


def tiny_class(p: Patient, mild: bool) -> Planted:
    rare = len(p.names) - 1
    edit_masks(p.every(), p, lambda labels: np.where(labels == rare, 0, labels).astype(np.uint8))
    edit_masks(p.some(False, 3), p, _patch(rare, mild))
    return []


def rare_class(p: Patient, mild: bool) -> Planted:
    rare = len(p.names) - 1
    edit_masks(p.every(), p, lambda labels: np.where(labels == rare, 0, labels).astype(np.uint8))
    edit_masks(p.some(mild, 3), p, lambda labels: np.where(np.arange(len(labels))[:, None] < 200, rare, labels))
    return []


def layers(p: Patient, mild: bool) -> Planted:
    """One file a class, in folders by class, or (mild) beside each other; two of them overlap."""
    for split in ("train", "val", "test"):
        for _, mask in p.pairs(split):
            labels = raw(mask)
            mask.unlink()
            for label in np.unique(labels[labels < len(p.names)]):
                name = p.names[label].replace(" ", "")
                drawn = labels == label
                if label == 2:
                    drawn = _moved(drawn, 3, 3) | drawn
                path = mask.parent / f"{mask.stem}_{name}.png" if mild else mask.parent / name / mask.name
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(drawn.astype(np.uint8) * 255).save(path)
    return []


def small_split(p: Patient, mild: bool) -> Planted:
    for image, mask in p.pairs("val")[9 if mild else 1 :]:
        image.unlink()
        mask.unlink()
    return []


# other layouts -----------------------------------------------------------------------------------------------------


def as_voc(p: Patient) -> None:
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


def list_missing(p: Patient, mild: bool) -> Planted:
    as_voc(p)
    path = p.root / "ImageSets/Segmentation/train.txt"
    path.write_text(path.read_text() + ("ghost\n" if mild else "ghost\nspook\n1999_000001\n"))
    return [path]


def list_twice(p: Patient, mild: bool) -> Planted:
    as_voc(p)
    path = p.root / "ImageSets/Segmentation/val.txt"
    names = (p.root / "ImageSets/Segmentation/train.txt").read_text().split()
    path.write_text(path.read_text() + "\n".join(names[: 1 if mild else 5]) + "\n")
    return [path]


def not_listed(p: Patient, mild: bool) -> Planted:
    as_voc(p)
    path = p.root / "ImageSets/Segmentation/train.txt"
    names = path.read_text().split()
    path.write_text("\n".join(names[1 if mild else 5 :]) + "\n")
    return [p.root / "SegmentationClass" / f"{names[0]}.png"]


def as_matte(p: Patient) -> None:
    for split, name in (("train", "training"), ("test", "testing")):
        (p.root / name).mkdir()
        for image, mask in p.pairs(split):
            shutil.move(image, p.root / name)
            shutil.move(mask, p.root / name / f"{mask.stem}_matte.png")
    for name in ("images", "masks"):
        shutil.rmtree(p.root / name)


def faint_matte(p: Patient, mild: bool) -> Planted:
    chosen = [mask.name for _, mask in p.some(mild)]
    as_matte(p)
    done = [p.root / "training" / name.replace(".png", "_matte.png") for name in chosen]
    for path in done:
        Image.fromarray((raw(path) >= 128).astype(np.uint8)).save(path)
    return done


def coloured_matte(p: Patient, mild: bool) -> Planted:
    chosen = [mask.name for _, mask in p.some(mild)]
    as_matte(p)
    done = [p.root / "training" / name.replace(".png", "_matte.png") for name in chosen]
    for path in done:
        pixels = np.repeat(raw(path)[:, :, None], 3, axis=2) * np.array([1, 0 if not mild else 1, 1], np.uint8)
        pixels[0, 0] = (9, 0, 0)
        Image.fromarray(pixels).save(path)
    return done


@dataclass(frozen=True)
class Fault:
    """What is planted, the kinds that name it rightly, the sets it is planted in, and the one function."""

    plant: Callable[[Patient, bool], Planted]
    kinds: tuple[str, ...]
    sets: tuple[str, ...] = ("street",)

    @property
    def name(self) -> str:
        return self.plant.__name__.replace("_", " ")


_ALL = ("street", "animals", "people")
FAULTS = (
    Fault(no_image, ("mask-without-image",)),
    Fault(no_mask, ("image-without-mask",)),
    Fault(image_truncated, ("image-unreadable",), _ALL),
    Fault(mask_truncated, ("mask-unreadable",), _ALL),
    Fault(image_empty, ("image-unreadable",)),
    Fault(image_text, ("image-unreadable",)),
    Fault(floats, ("image-unreadable",)),
    Fault(image_twice_named, ("image-name-twice",)),
    Fault(mask_twice_named, ("mask-name-twice",)),
    Fault(link_broken, ("link-broken",)),
    Fault(link_loop, ("link-loop",)),
    Fault(name_bytes, ("name-not-utf8",)),
    Fault(other_files, ("file-ignored",)),
    Fault(subfolder, ("subfolder-ignored",)),
    Fault(two_layouts, ("layouts-mixed",)),
    Fault(split_twice, ("split-twice",)),
    Fault(split_unmasked, ("split-without-masks",)),
    Fault(split_unpaired, ("split-empty",)),
    Fault(small_split, ("split-small",)),
    Fault(classes_malformed, ("classes-malformed",)),
    Fault(classes_contradict, ("classes-contradict",)),
    Fault(classes_without_colours, ("classes-misfit",)),
    Fault(list_missing, ("list-entry-missing",), ("animals",)),
    Fault(list_twice, ("list-entry-twice",), ("animals",)),
    Fault(not_listed, ("picture-not-listed",), ("animals",)),
    Fault(suffix_wrong, ("suffix-wrong",)),
    Fault(frames, ("image-frames",)),
    Fault(transparent, ("image-transparent",)),
    Fault(cmyk, ("image-cmyk",)),
    Fault(deep, ("image-deep",)),
    Fault(grey, ("image-grey",), _ALL),
    Fault(blank_image, ("image-blank",)),
    Fault(tiny, ("image-tiny",), ("street", "people")),
    Fault(huge, ("image-huge",)),
    Fault(image_is_mask, ("image-is-mask",), _ALL),
    Fault(copied_image, ("image-twice",), _ALL),
    Fault(leaked_image, ("image-leak",), _ALL),
    Fault(near_leak, ("image-near-leak",), _ALL),
    Fault(near_copy, ("image-near",), _ALL),
    Fault(smaller_mask, ("size-mismatch",), _ALL),
    Fault(cropped_mask, ("size-mismatch",), _ALL),
    Fault(lying_mask, ("size-transposed",), _ALL),
    Fault(exif_image, ("orientation-mismatch",), _ALL),
    Fault(exif_both, ("orientation-tag",)),
    Fault(exif_mask, ("orientation-mismatch",), _ALL),
    Fault(shifted, ("mask-shifted",), _ALL),
    Fault(all_shifted, ("masks-shifted",), _ALL),
    Fault(mirrored, ("mask-mirrored",), _ALL),
    Fault(upside_down, ("mask-mirrored",), _ALL),
    Fault(all_mirrored, ("masks-mirrored",), _ALL),
    Fault(exchanged, ("mask-misfit",), _ALL),
    Fault(off_by_one, ("masks-misfit",), _ALL),
    Fault(jpeg_masks, ("mask-lossy",), _ALL),
    Fault(jpeg_as_png, ("mask-lossy",), _ALL),
    Fault(smooth, ("mask-resampled",), _ALL),
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
    Fault(inverted, ("mask-inverted",), ("people",)),
    Fault(all_inverted, ("masks-inverted",), ("people",)),
    Fault(blank_mask, ("mask-blank",), _ALL),
    Fault(void_mask, ("mask-void",), ("street", "animals")),
    Fault(much_void, ("void-much",), ("street", "animals")),
    Fault(same_mask, ("mask-identical",), _ALL),
    Fault(mask_is_photo, ("mask-is-photo",), _ALL),
    Fault(one_class, ("class-alone",), ("street",)),
    Fault(absent_class, ("class-absent",)),
    Fault(class_only_in_test, ("class-only-scored",)),
    Fault(tiny_class, ("class-tiny",)),
    Fault(rare_class, ("class-rare",)),
    Fault(layers, ("layout-layers",)),
    Fault(faint_matte, ("matte-faint",), ("people",)),
    Fault(coloured_matte, ("encodings-mixed",), ("people",)),
)
