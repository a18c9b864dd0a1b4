"""Which files belong together, found without stopping at the first that does not fit."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelwise.checks.findings import Hit
from pixelwise.classes import Classes
from pixelwise.datasets.annotations.mask_per_class import ClassMasks, find_class_masks
from pixelwise.datasets.readers import camvid, folder, matte, voc
from pixelwise.datasets.registry import DATASETS, MATCHES, open_dataset
from pixelwise.datasets.types import SPLITS, DataOptions, image_name
from pixelwise.errors import DataError, unknown_choice_error
from pixelwise.io.images import Array, list_images

SPLIT_ORDER = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Couple:
    """An image with its mask: one file, or a file a class (`layers`, name and path), or what `read`
    makes of it.
    """

    split: str
    name: str
    image: Path
    mask: Path
    layers: ClassMasks = ()
    read: Callable[[Path], Array] | None = None


@dataclass(frozen=True)
class Inventory:
    """A data set's files: its format, pairs, what was wrong so far, and its classes where the
    format brings them.
    """

    format: str
    root: Path
    couples: tuple[Couple, ...]
    hits: tuple[Hit, ...]
    lone: tuple[Path, ...] = ()
    classes: Classes | None = None

    def splits(self) -> dict[str, int]:
        """Pairs by split."""
        counts = dict.fromkeys(SPLIT_ORDER, 0)
        for couple in self.couples:
            counts[couple.split] += 1
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True)
class _Side:
    """The folders of one split."""

    split: str
    images: Path
    masks: Path


def take_inventory(root: Path, format: str = "auto") -> Inventory:
    """Find the files of a data set. DataError when no layout is there, ConfigError for an unknown
    one.
    """
    if format not in ("auto", *DATASETS):
        raise unknown_choice_error("format", format, ("auto", *DATASETS))
    name = _first_match(MATCHES, root) if format == "auto" else format
    if name not in (*_MATCHES, "layers", "") or (name == "voc" and _own_classes(root)):
        return _translated(root, name)
    format = "folder" if format == "layers" else format
    names = [name for name, matches in _MATCHES.items() if _safely(matches, root)]
    if format == "auto" and not names:
        raise DataError(
            f"{root}: no known layout of images and masks here; what each needs: {_needs()}"
        )
    if format != "auto" and format not in names:
        raise DataError(f"{root}: not laid out as {format}, which needs {_LAYOUTS[format]}")
    chosen = names[0] if format == "auto" else format
    hits = list(_mixed(root, names, chosen))
    if chosen == "voc":
        couples, said = _voc(root)
        lone: tuple[Path, ...] = ()
    else:
        sides, more = _SIDES[chosen](root)
        hits += more
        sides.sort(key=lambda side: SPLIT_ORDER.index(side.split))
        couples, said, lone = _pair_sides(chosen, sides)
    return Inventory(chosen, root, tuple(couples), (*hits, *said), lone)


def _first_match(tests: Mapping[str, Callable[[Path], bool]], root: Path) -> str:
    return next((name for name, matches in tests.items() if _safely(matches, root)), "")


def _own_classes(root: Path) -> bool:
    base = voc.find(root)
    return base is not None and (base / "labelmap.txt").is_file()


def _translated(root: Path, format: str) -> Inventory:
    """Of a format whose labels its reader makes: what that leaves out becomes a hit, what it
    refuses is raised.
    """
    dataset = open_dataset(root, DataOptions(format=format, skip_unpaired=True, hold_out=False))
    hits = []
    for note in dataset.notes:
        if "left out" in note:
            kind = "list-entry-missing" if "are not here" in note else "image-without-mask"
            hits.append(
                Hit("split-without-masks" if note.startswith("test: ") else kind, root, note)
            )
    couples = [
        Couple(split, pair.name, pair.image, pair.mask, read=dataset.read_labels)
        for split, pairs in dataset.splits.items()
        for pair in pairs
    ]
    return Inventory(dataset.format, root, tuple(couples), tuple(hits), classes=dataset.classes)


def _needs() -> str:
    return "; ".join(f"{name}: {layout}" for name, layout in _LAYOUTS.items())


def _safely(matches: Callable[[Path], bool], root: Path) -> bool:
    """A reader's own test, where a doubled split or a folder that cannot be read does not end the
    search.
    """
    try:
        return matches(root)
    except DataError:
        return True  # it refuses what it has recognised
    except OSError:
        return False


def _mixed(root: Path, names: list[str], chosen: str) -> Iterator[Hit]:
    for other in names:
        if other != chosen:
            yield Hit(
                "layouts-mixed",
                root,
                f"read as {chosen}, but {other} is here as well ({_LAYOUTS[other]})",
            )


def _voc(root: Path) -> tuple[list[Couple], list[Hit]]:
    base = voc.find(root)
    if base is None:
        raise DataError(f"{root}: not Pascal VOC; it needs {voc.LAYOUT}")
    hits: list[Hit] = []
    images = _by_name(base / "JPEGImages", hits, "image")
    masks = _by_name(base / "SegmentationClass", hits, "mask")
    couples = []
    seen = dict[str, str]()
    for split, names in voc.lists(base).items():
        source = base / "ImageSets" / "Segmentation" / f"{split}.txt"
        if split == "test" and not any(name in masks for name in names):
            hits.append(
                Hit("split-without-masks", source, f"none of its {len(names)} images has a mask")
            )
            continue
        for name in names:
            lacking = [
                what for what, have in (("image", images), ("mask", masks)) if name not in have
            ]
            if lacking:
                hits.append(
                    Hit("list-entry-missing", source, f"'{name}' has no {' and no '.join(lacking)}")
                )
            else:
                couples.append(Couple(split, name, images[name], masks[name]))
            if name in seen and seen[name] != split:
                hits.append(
                    Hit("list-entry-twice", source, f"'{name}' is in {seen[name]}.txt as well")
                )
            seen[name] = split
    for name, path in masks.items():
        if name not in seen:
            hits.append(Hit("picture-not-listed", path, "is in no list of ImageSets/Segmentation"))
    hits += [hit for side in ("JPEGImages", "SegmentationClass") for hit in strangers(base / side)]
    return couples, hits


def _by_name(folder: Path, hits: list[Hit], what: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _listed(folder, hits):
        if path.stem in found:
            hits.append(Hit(f"{what}-name-twice", path, f"called as {found[path.stem].name}"))
        else:
            found[path.stem] = path
    return found


def _listed(folder: Path, hits: list[Hit]) -> list[Path]:
    try:
        return list_images(folder)
    except OSError as error:
        hits.append(Hit("folder-unreadable", folder, error.strerror or str(error)))
        return []


def _camvid(root: Path) -> tuple[list[_Side], list[Hit]]:
    sides = []
    hits = []
    for split in SPLIT_ORDER:
        pair = camvid.folders(root, split)
        if pair:
            sides.append(_Side(split, *pair))
        elif (root / split).is_dir():
            hits.append(Hit("split-without-masks", root / split, f"there is no {split}annot/"))
    return sides, hits


def _matte(root: Path) -> tuple[list[_Side], list[Hit]]:
    if matte.has_mattes(root):
        return [_Side("train", root, root)], []
    folders, hits = _splits(root)
    return [_Side(split, path, path) for split, path in folders if matte.has_mattes(path)], hits


def _folder(root: Path) -> tuple[list[_Side], list[Hit]]:
    both = folder.sides(root)
    if both is None:
        splits, hits = _splits(root)
        inside = [(split, folder.sides(path)) for split, path in splits]
        return [_Side(split, *pair) for split, pair in inside if pair], hits
    images, more = _splits(both[0])
    masks, _ = _splits(both[1])
    if not images and not masks:
        return [_Side("train", *both)], []
    sides = []
    hits = list(more)
    for split in dict.fromkeys(split for split, _ in (*images, *masks)):
        of_images = [path for name, path in images if name == split] or [both[0] / split]
        of_masks = [path for name, path in masks if name == split] or [both[1] / split]
        if not of_masks[0].is_dir():
            hits.append(
                Hit(
                    "split-without-masks",
                    of_images[0],
                    f"there is no {of_masks[0].name}/ beside the masks",
                )
            )
            continue
        sides += [
            _Side(split, image, mask) for image, mask in zip(of_images, of_masks, strict=False)
        ]
    return sides, hits


def _splits(root: Path) -> tuple[list[tuple[str, Path]], list[Hit]]:
    """Folders named as a split, and hits where two name the same."""
    found = [
        (SPLITS[path.name.lower()], path)
        for path in sorted(root.iterdir())
        if path.name.lower() in SPLITS
    ]
    found = [(split, path) for split, path in found if path.is_dir()]
    first = dict(reversed(found))
    hits = [
        Hit("split-twice", path, f"{first[split].name}/ is {split} as well")
        for split, path in found
        if path != first[split]
    ]
    return found, hits


def _pair_sides(
    format: str, sides: Iterable[_Side]
) -> tuple[list[Couple], list[Hit], tuple[Path, ...]]:
    couples: list[Couple] = []
    hits: list[Hit] = []
    lone: list[Path] = []
    for side in sides:
        images = _listed(side.images, hits)
        masks = [] if side.masks == side.images else _listed(side.masks, hits)
        if format == "matte":
            masks = [path for path in images if path.stem.endswith("_matte")]
            images = [path for path in images if not path.stem.endswith("_matte")]
        layers = _layers(side.masks, images, masks)
        found = (
            _layered(side, images, layers, hits)
            if layers
            else _pair(side, images, masks, hits, lone)
        )
        couples += found
        if not found:
            hits.append(Hit("split-empty", side.images, "no image has a mask here"))
        hits += [
            hit
            for path in dict.fromkeys((side.images, side.masks))
            for hit in strangers(path, deep=not layers)
        ]
    return couples, hits, tuple(lone)


def _layers(folder: Path, images: list[Path], masks: list[Path]) -> dict[str, ClassMasks]:
    try:
        return find_class_masks(folder, {path.stem for path in images}, masks)
    except OSError:
        return {}  # said already


def _layered(
    side: _Side, images: list[Path], layers: dict[str, ClassMasks], hits: list[Hit]
) -> list[Couple]:
    names = {name for layer in layers.values() for name, _ in layer}
    hits.append(
        Hit(
            "layout-layers",
            side.masks,
            f"{len(names)} classes: {', '.join(sorted(names)[:8])}",
            count=len(layers),
        )
    )
    hits += [
        Hit("image-without-mask", path, "no layer of it")
        for path in images
        if path.stem not in layers
    ]
    return [
        Couple(side.split, path.stem, path, layers[path.stem][0][1], layers[path.stem])
        for path in images
        if path.stem in layers
    ]


def _pair(
    side: _Side, images: list[Path], masks: list[Path], hits: list[Hit], lone: list[Path]
) -> list[Couple]:
    by_image: dict[str, Path] = {}
    for path in images:
        if path.stem in by_image:
            hits.append(Hit("image-name-twice", path, f"called as {by_image[path.stem].name}"))
        else:
            by_image[path.stem] = path
    by_mask: dict[str, Path] = {}
    for path in masks:
        name = image_name(path.stem, by_image)
        if name in by_mask:
            hits.append(
                Hit(
                    "mask-name-twice",
                    path,
                    f"{by_mask[name].name} is the mask of that image as well",
                )
            )
        else:
            by_mask[name] = path
    for name, path in by_image.items():
        if name not in by_mask:
            hits.append(
                Hit("image-without-mask", path, f"no mask called {name} in {side.masks.name}/")
            )
            lone.append(path)
    for name, path in by_mask.items():
        if name not in by_image:
            hits.append(
                Hit("mask-without-image", path, f"no image called {name} in {side.images.name}/")
            )
    return [
        Couple(side.split, name, by_image[name], by_mask[name])
        for name in by_image
        if name in by_mask
    ]


def strangers(folder: Path, *, deep: bool = True) -> Iterator[Hit]:
    """What lies in a folder of pictures and is none: links that lead nowhere, other files, folders
    with pictures.
    """
    try:
        entries = sorted(folder.iterdir())
        pictures = set(list_images(folder))
    except OSError:
        return  # said already
    for path in entries:
        if path.name != path.name.encode("utf-8", "replace").decode("utf-8"):
            yield Hit("name-not-utf8", path, "bytes that are not UTF-8")
        if path.is_symlink() and not path.exists():
            yield _dangling(path)
        elif path.is_dir():
            if path.is_symlink() and folder.resolve().is_relative_to(path.resolve()):
                yield Hit("link-loop", path, f"leads back to {path.resolve().name}/")
            elif deep:
                yield from _unread(path)
        elif path not in pictures and not path.name.startswith("."):
            yield Hit("file-ignored", path, "is no picture by its name")


def _dangling(path: Path) -> Hit:
    try:
        path.resolve(strict=True)
    except FileNotFoundError:
        return Hit("link-broken", path, f"leads to {path.readlink()}, which is not there")
    except (OSError, RuntimeError):
        pass
    return Hit("link-loop", path, "leads to itself")


def _unread(folder: Path) -> Iterator[Hit]:
    if folder.name.lower() in SPLITS:
        return
    try:
        inside = list_images(folder)
    except OSError as error:
        yield Hit("folder-unreadable", folder, error.strerror or str(error))
        return
    if inside:
        yield Hit(
            "subfolder-ignored",
            folder,
            f"{len(inside)} pictures, such as {inside[0].name}",
            count=len(inside),
        )


_MATCHES: dict[str, Callable[[Path], bool]] = {
    "voc": voc.matches,
    "camvid": camvid.matches,
    "matte": matte.matches,
    "folder": folder.matches,
}
_LAYOUTS = {
    "voc": voc.LAYOUT,
    "camvid": camvid.LAYOUT,
    "matte": matte.LAYOUT,
    "folder": folder.LAYOUT,
}
_SIDES: dict[str, Callable[[Path], tuple[list[_Side], list[Hit]]]] = {
    "camvid": _camvid,
    "matte": _matte,
    "folder": _folder,
}
