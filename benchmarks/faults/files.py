"""Faults of files, folders and lists of classes."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from .sample_set import EVERY, Fault, Planted, SampleSet, colours, raw, save_mask


def no_image(p: SampleSet, mild: bool) -> Planted:
    return [mask for image, mask in p.some(mild) if image.unlink() is None]


def no_mask(p: SampleSet, mild: bool) -> Planted:
    return [image for image, mask in p.some(mild) if mask.unlink() is None]


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: max(1, int(len(data) * share))])
    return path


def image_truncated(p: SampleSet, mild: bool) -> Planted:
    return [_cut(image, 0.95 if mild else 0.4) for image, _ in p.some(mild)]


def mask_truncated(p: SampleSet, mild: bool) -> Planted:
    return [_cut(mask, 0.9 if mild else 0.4) for _, mask in p.some(mild)]


def image_empty(p: SampleSet, mild: bool) -> Planted:
    done = [image for image, _ in p.some(mild)]
    for path in done:
        path.write_bytes(b"")
    return done


def image_text(p: SampleSet, mild: bool) -> Planted:
    done = [image for image, _ in p.some(mild)]
    for path in done:
        path.write_text("<html>404 not found</html>")
    return done


def image_twice_named(p: SampleSet, mild: bool) -> Planted:
    done = []
    for image, _ in p.some(mild):
        Image.open(image).save(image.with_suffix(".png"))
        done.append(image.with_suffix(".png"))
    return done


def mask_twice_named(p: SampleSet, mild: bool) -> Planted:
    return [
        Path(shutil.copy(mask, mask.with_name(f"{mask.stem}_mask.png"))) for _, mask in p.some(mild)
    ]


def link_broken(p: SampleSet, mild: bool) -> Planted:
    done = []
    for image, _ in p.some(mild):
        image.unlink()
        image.symlink_to("gone.jpg")
        done.append(image)
    return done


def link_loop(p: SampleSet, mild: bool) -> Planted:
    path = p.root / "images/train" / ("again" if mild else "again.jpg")
    path.symlink_to("." if mild else path.name)
    return [path]


def name_bytes(p: SampleSet, mild: bool) -> Planted:
    done = []
    for image, mask in p.some(mild):
        new = os.fsdecode(b"caf\xe9" + os.fsencode(image.stem))
        image.rename(image.with_name(new + image.suffix))
        mask.rename(mask.with_name(new + ".png"))
        done.append(image.with_name(new + image.suffix))
    return done


def other_files(p: SampleSet, mild: bool) -> Planted:
    done = [
        p.root / "masks/train" / f"{name}"
        for name in (("notes.txt",) if mild else ("a.txt", "b.json", "c.xml"))
    ]
    for path in done:
        path.write_text("x")
    return done


def subfolder(p: SampleSet, mild: bool) -> Planted:
    folder = p.root / "images/train/more"
    folder.mkdir()
    for image, _ in p.some(mild):
        shutil.copy(image, folder)
    return [folder]


def two_layouts(p: SampleSet, mild: bool) -> Planted:
    for name, source in (("train", "images"), ("trainannot", "masks")):
        (p.root / name).mkdir()
        for path in sorted((p.root / source / "train").iterdir())[: 3 if mild else 10]:
            shutil.copy(path, p.root / name)
    for path in (p.root / "trainannot").iterdir():
        save_mask(path, np.minimum(raw(path), 10), p)
    return []


def split_twice(p: SampleSet, mild: bool) -> Planted:
    for side in ("images", "masks"):
        (p.root / side / "validation").mkdir()
    for image, mask in p.pairs("val")[: 1 if mild else 4]:
        shutil.move(image, p.root / "images/validation")
        shutil.move(mask, p.root / "masks/validation")
    return []


def split_unmasked(p: SampleSet, mild: bool) -> Planted:
    shutil.rmtree(p.root / "masks/test")
    return []


def split_unpaired(p: SampleSet, mild: bool) -> Planted:
    for _, mask in p.pairs("test"):
        mask.rename(mask.with_name(f"other{mask.name}"))
    return []


def tree_malformed(p: SampleSet, mild: bool) -> Planted:
    """A tree with a circle, or (mild) with a name that no class has."""
    rows = [{"id": label, "name": name} for label, name in enumerate(p.names)]
    tree = {"some": [p.names[1], "nobody"]} if mild else {"one": ["other"], "other": ["one"]}
    path = p.root / "classes.json"
    path.write_text(json.dumps({"classes": rows, "tree": tree}))
    (p.root / "classes.txt").unlink(missing_ok=True)
    return [path]


def classes_malformed(p: SampleSet, mild: bool) -> Planted:
    path = p.root / "classes.json"
    text = (
        "[\n"
        + ",\n".join(f'  {{"name": "{name}"}}' for name in p.names)
        + (",\n]" if mild else "\n  {{{\n")
    )
    path.write_text(text)
    (p.root / "classes.txt").unlink(missing_ok=True)
    return [path]


def classes_contradict(p: SampleSet, mild: bool) -> Planted:
    names = (
        [*p.names[:-2], p.names[-1], p.names[-2]] if mild else [f"other {name}" for name in p.names]
    )
    path = p.root / "classes.csv"
    path.write_text("\n".join(names) + "\n")
    return [path]


def classes_without_colours(p: SampleSet, mild: bool) -> Planted:
    for _, mask in p.every():
        Image.fromarray(colours(raw(mask), p)).save(mask)
    return []


def other_masks(p: SampleSet, mild: bool) -> Planted:
    """A second folder of pictures with the images' names, which may be the truth as well."""
    folder = p.root / "1st_manual"
    for split in ("train", "val", "test"):
        if (p.root / "masks" / split).is_dir():
            shutil.copytree(p.root / "masks" / split, folder / split)
    if mild:
        for path in sorted(folder.rglob("*.png"))[::2]:
            path.unlink()
    return []


def masks_as_arrays(p: SampleSet, mild: bool) -> Planted:
    """Masks once more in files that are no pictures."""
    folder = p.root / "arrays"
    folder.mkdir()
    for image, mask in p.some(mild):
        np.save(folder / f"{image.stem}.npy", raw(mask))
    return [folder]


def list_beside(p: SampleSet, mild: bool) -> Planted:
    """A list that is not read, as the folders say what is in a split."""
    path = p.root / "names_of_all.txt"
    count = 1 if mild else None
    path.write_text("\n".join(image.stem for image, _ in p.pairs()[:count]) + "\n")
    return []


FAULTS = (
    Fault(no_image, ("mask-without-image",)),
    Fault(no_mask, ("image-without-mask",)),
    Fault(image_truncated, ("image-unreadable",), EVERY),
    Fault(mask_truncated, ("mask-unreadable",), EVERY),
    Fault(image_empty, ("image-unreadable",)),
    Fault(image_text, ("image-unreadable",)),
    Fault(image_twice_named, ("image-name-twice",)),
    Fault(mask_twice_named, ("mask-name-twice",)),
    Fault(link_broken, ("link-broken",)),
    Fault(link_loop, ("link-loop",)),
    Fault(name_bytes, ("name-not-utf8",)),
    Fault(other_files, ("file-ignored",)),
    Fault(other_masks, ("masks-doubtful", "beside-unused")),
    Fault(masks_as_arrays, ("masks-other-format",)),
    Fault(list_beside, ("beside-unused",)),
    Fault(subfolder, ("subfolder-ignored",)),
    Fault(two_layouts, ("layouts-mixed",)),
    Fault(split_twice, ("split-twice",)),
    Fault(split_unmasked, ("split-without-masks",)),
    Fault(split_unpaired, ("split-empty",)),
    Fault(tree_malformed, ("tree-malformed",)),
    Fault(classes_malformed, ("classes-malformed",)),
    Fault(classes_contradict, ("classes-contradict",)),
    Fault(classes_without_colours, ("classes-misfit",)),
)
