"""Faults that turn a right set into one that must be refused, or read with a word."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

Files = dict[str, tuple[Path, Path | None]]
"""Picture and mask of each scene, by its name."""

Plant = Callable[[Path, Files], list[str]]
"""Plants a fault in the set at a root; the words of which one tells a user of it."""


@dataclass(frozen=True)
class Fault:
    """A fault; `needs_masks` where it concerns mask files."""

    plant: Plant
    needs_masks: bool = True


def _first_pair(files: Files) -> tuple[Path, Path]:
    image, mask = next(iter(files.values()))
    assert mask is not None
    return image, mask


def _mode(mask: Path) -> str:
    with Image.open(mask) as image:
        return image.mode


def _resave(mask: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    image = Image.open(mask)
    image.load()
    palette = image.getpalette()
    changed = Image.fromarray(change(np.asarray(image).copy()))
    if palette and changed.mode == "L":
        changed.putpalette(palette)
    changed.save(mask)


def stray_value(_: Path, files: Files) -> list[str]:
    """One patch of a value that no other mask has."""
    mask = _first_pair(files)[1]

    def change(values: np.ndarray) -> np.ndarray:
        values[1, 1] = 77 if values.ndim == 2 else values[1, 1] // 2 + 77
        return values

    if _mode(mask) in ("1", "F") or mask.suffix == ".jpg":
        return []
    _resave(mask, change)
    return [mask.name]


def missing_mask(_: Path, files: Files) -> list[str]:
    image, mask = _first_pair(files)
    mask.unlink()
    return [image.name, mask.name]


def missing_image(_: Path, files: Files) -> list[str]:
    image = next(iter(files.values()))[0]
    image.unlink()
    return [image.stem]


def cut_mask(_: Path, files: Files) -> list[str]:
    mask = _first_pair(files)[1]
    mask.write_bytes(mask.read_bytes()[: mask.stat().st_size // 2])
    return [mask.name]


def cut_image(_: Path, files: Files) -> list[str]:
    image = next(iter(files.values()))[0]
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    return [image.name]


def empty_mask(_: Path, files: Files) -> list[str]:
    mask = _first_pair(files)[1]
    mask.write_bytes(b"")
    return [mask.name]


def other_size(_: Path, files: Files) -> list[str]:
    mask = _first_pair(files)[1]
    _resave(mask, lambda values: values[:-6])
    return [mask.name]


def second_masks(root: Path, files: Files) -> list[str]:
    """A second folder of pictures with the same names, with other contents."""
    mask = _first_pair(files)[1]
    folder = mask.parent.with_name("1st_manual")
    folder.mkdir()
    for _, path in files.values():
        assert path is not None
        if path.parent != mask.parent:
            continue
        try:
            flipped = np.asarray(Image.open(path).convert("L"))[::-1, ::-1]
        except OSError:
            continue
        Image.fromarray(np.ascontiguousarray(flipped)).save(folder / f"{path.stem}.png")
    return ["1st_manual"]


def mask_twice(_: Path, files: Files) -> list[str]:
    mask = _first_pair(files)[1]
    copy = mask.with_suffix(".gif" if mask.suffix != ".gif" else ".png")
    Image.open(mask).convert("L").save(copy)
    return [mask.stem]


def folders_swapped(_: Path, files: Files) -> list[str]:
    """Pictures where masks belong and the other way round."""
    moves = []
    for image, mask in files.values():
        assert mask is not None
        moves.append((image, mask, image.read_bytes(), mask.read_bytes()))
    for image, mask, image_bytes, mask_bytes in moves:
        image.unlink()
        mask.unlink()
        (image.parent / f"{image.stem}{mask.suffix}").write_bytes(mask_bytes)
        (mask.parent / f"{mask.stem}{image.suffix}").write_bytes(image_bytes)
    return ["mixed up", "colours", "class ids"]


def half_in_ones(_: Path, files: Files) -> list[str]:
    """Half of the masks of 0 and 255 saved as 0 and 1."""
    masks = [mask for _, mask in files.values() if mask]
    changed = []
    for mask in masks[: len(masks) // 2]:
        values = np.asarray(Image.open(mask))
        if values.dtype != np.uint8 or set(np.unique(values).tolist()) != {0, 255}:
            return []
        if mask.suffix == ".jpg":
            return []
        Image.fromarray((values > 0).astype(np.uint8)).save(mask)
        changed.append(mask.name)
    return changed


def palette_renumbered(_: Path, files: Files) -> list[str]:
    """One palette mask with its indices and colours swapped: the same picture to the eye."""
    mask = _first_pair(files)[1]
    if _mode(mask) != "P":
        return []
    image = Image.open(mask)
    values = np.asarray(image)
    colours = np.array(image.getpalette("RGB")).reshape(-1, 3)
    swapped = np.where(values == 0, 1, np.where(values == 1, 0, values)).astype(np.uint8)
    colours[[0, 1]] = colours[[1, 0]]
    other = Image.fromarray(swapped)
    other.putpalette(colours.ravel().tolist())
    other.save(mask)
    return [mask.name, "palette"]


def pictures_below(_: Path, files: Files) -> list[str]:
    """A pair in a folder below that no layout reads."""
    image, mask = _first_pair(files)
    for path in (image, mask):
        folder = path.parent / "more"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / f"extra{path.suffix}")
    return ["more", "subfolder", "folders that are not read"]


def film_beside(_: Path, files: Files) -> list[str]:
    image = next(iter(files.values()))[0]
    (image.parent / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(60))
    return ["clip.mp4", ".mp4", "no picture"]


def fewer_names(root: Path, files: Files) -> list[str]:
    """A classes file that names one class less than the masks hold."""
    lists = [*root.glob("class*.*"), *root.glob("labelmap.txt"), *root.glob("_classes.csv")]
    text_files = [path for path in lists if path.suffix in (".txt", ".csv")]
    if not text_files:
        return []
    path = text_files[0]
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    lines = data.decode(encoding).strip().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    return [path.name]


FAULTS: dict[str, Fault] = {
    "stray value": Fault(stray_value),
    "missing mask": Fault(missing_mask),
    "missing image": Fault(missing_image, needs_masks=False),
    "cut mask": Fault(cut_mask),
    "cut image": Fault(cut_image, needs_masks=False),
    "empty mask": Fault(empty_mask),
    "mask of another size": Fault(other_size),
    "second folder of masks": Fault(second_masks),
    "two masks of an image": Fault(mask_twice),
    "folders swapped": Fault(folders_swapped),
    "half in 0 and 1": Fault(half_in_ones),
    "palette renumbered": Fault(palette_renumbered),
    "pictures in a folder below": Fault(pictures_below),
    "a film beside": Fault(film_beside, needs_masks=False),
    "a name too few": Fault(fewer_names),
}
