"""Lists of images and masks, as PaddleSeg and others write them: train.txt and val.txt with
`images/a.jpg annotations/a.png` a line, or with the images alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.class_files import find_declared_classes
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.list_rows import id_of_row, read_rows, split_row
from pixelwise.datasets.readers.folder import pair_places
from pixelwise.datasets.readers.layout import FLAT, find_layout
from pixelwise.datasets.splits import SPLIT_ORDER, split_of
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first, images_in
from pixelwise.errors import DataError
from pixelwise.io.text import list_files

LAYOUT = (
    "train.txt and val.txt with IMAGE MASK a line (PaddleSeg), or with the images of images/ and "
    "masks/"
)
SUFFIXES = (".txt", ".lst", ".csv")

_PLACES = ("", "ImageSets", "ImageSets/Segmentation", "splits", "split", "lists", "list")
_TRAINVAL = "trainval"
_HEADERS = (
    "image,mask",
    "image,label",
    "images,masks",
    "image",
    "images",
    "filename",
    "file_name",
    "file",
    "name",
    "id",
    "image_id",
)
# Rows that show what a list is.
_SAMPLE = 8


def matches(root: Path) -> bool:
    """Whether the first rows of a list name images and masks that are here."""
    if any(_names_pairs(root, path) for path in find_lists(root).values()):
        return True
    return bool(find_lists(root)) and _lists_flat_images(root)


def find_lists(root: Path) -> dict[str, Path]:
    """The lists by split, from the first place that has any."""
    for place in _PLACES:
        lists: dict[str, Path] = {}
        for path in list_files(root / place, SUFFIXES):
            stem = path.stem.lower().removesuffix("_list").removesuffix("_files")
            split = stem if stem == _TRAINVAL else split_of(stem)
            if split:
                lists.setdefault(split, path)
        if lists:
            return lists
    return {}


def _names_pairs(root: Path, path: Path) -> bool:
    rows = _read_rows(path)[:_SAMPLE]
    return any(_find_pair(root, path, row, None) for row in rows)


def _lists_flat_images(root: Path) -> bool:
    """Whether every list names images of a folder that is not split itself."""
    layout = find_layout(root)
    if [place.split for place in layout.places] != [FLAT]:
        return False
    stems = _stems(layout.places[0].images)
    samples = [_read_rows(path)[:_SAMPLE] for path in find_lists(root).values()]
    return all(any(id_of_row(row, stems) in stems for row in rows) for rows in samples)


def _stems(folder: Path) -> frozenset[str]:
    return frozenset(path.stem for path in folder.iterdir())


def _read_rows(path: Path) -> list[str]:
    try:
        return read_rows(path)
    except DataError:
        return []


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a listed set. Raises DataError for another layout and, unless `skip_unpaired`, for rows
    of which a file is missing.
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The listed files. Raises DataError where no list names files that are here."""
    lists = find_lists(root)
    if not lists:
        raise DataError(f"{root}: no lists of images; it needs {LAYOUT}")
    issues: list[Issue] = []
    if any(_names_pairs(root, path) for path in lists.values()):
        rows = {split: list(_read_pairs(root, path)) for split, path in lists.items()}
    else:
        layout = find_layout(root, options.mask_folder or "")
        contents = pair_places(root, layout, options)
        issues += [*layout.issues, *contents.issues]
        pairs = {pair.name: pair for of_split in contents.splits.values() for pair in of_split}
        rows = {split: list(_select(path, pairs)) for split, path in lists.items()}
    splits: dict[str, tuple[Pair, ...]] = {}
    notes = [f"format lists: {', '.join(path.name for path in lists.values())}"]
    for split, entries in _deal_trainval(rows).items():
        path = lists.get(split) or lists[_TRAINVAL]
        splits[split] = tuple(pair for _, pair in entries if pair)
        issues += _list_missing(path, entries, options)
    if not any(splits.values()):
        issues.append(Issue("split-empty", root, "no listed file is here"))
    issues += _find_unlisted(splits)
    declared, class_issues = find_declared_classes(root)
    folders = {folder for pairs in splits.values() for p in pairs for folder in _folders(p)}
    return Index(
        "lists",
        root,
        splits,
        (*issues, *class_issues),
        tuple(notes),
        declared=declared,
        folders=tuple(sorted(folders)),
    )


def _find_unlisted(splits: Mapping[str, tuple[Pair, ...]]) -> Iterator[Issue]:
    """The pictures beside listed images that no list has."""
    pairs = [pair for of_split in splits.values() for pair in of_split]
    listed = {path for pair in pairs for path in (pair.image, pair.mask)}
    for folder in sorted({pair.image.parent for pair in pairs}):
        rest = [path for path in images_in(folder) if path not in listed]
        if rest:
            text = f"{len(rest)} pictures are in no list, such as {rest[0].name}"
            yield Issue("picture-not-listed", folder, text, count=len(rest))


Row = tuple[str, Pair | None]
"""A row of a list, and the pair that it means where both files are here."""


def _folders(pair: Pair) -> tuple[Path, Path]:
    return pair.image.parent, pair.mask.parent


def _read_pairs(root: Path, path: Path) -> Iterator[Row]:
    finder = ImageFinder(root, (root, path.parent))
    for row in dict.fromkeys(read_rows(path)):
        if not _is_header(row):
            yield row, _find_pair(root, path, row, finder)


def _is_header(row: str) -> bool:
    return row.lower().replace(" ", "") in _HEADERS


def _find_pair(
    root: Path,
    path: Path,
    row: str,
    finder: ImageFinder | None,
) -> Pair | None:
    """The pair of a row; with `finder`, by the names that files have on another machine too."""
    folders = (root, path.parent)
    for image_name, mask_name in split_row(row):
        image = _existing(folders, image_name)
        mask = _existing(folders, mask_name)
        if finder is not None and (image is None or mask is None):
            image = finder.find(image_name)
            mask = finder.find(mask_name)
        # Of an image that is missing, the one file of that name is its mask.
        if image and mask and image != mask:
            return Pair(image.stem, image, mask)
    return None


def _existing(folders: tuple[Path, ...], name: str) -> Path | None:
    paths = (folder / name.replace("\\", "/") for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def _select(path: Path, pairs: Mapping[str, Pair]) -> Iterator[Row]:
    for row in dict.fromkeys(read_rows(path)):
        name = id_of_row(row, pairs)
        if name in pairs or not _is_header(row):
            yield row, pairs.get(name)


def _deal_trainval(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Rows by split; what trainval has and train and val have not is train's, or val's where train
    has a list.
    """
    rest = rows.pop(_TRAINVAL, [])
    used = {row for entries in rows.values() for row, _ in entries}
    rest = [entry for entry in rest if entry[0] not in used]
    if rest:
        absent = "val" if "train" in rows else "train"
        rows.setdefault(absent, []).extend(rest)
    return {split: rows[split] for split in SPLIT_ORDER if split in rows}


def _list_missing(path: Path, entries: list[Row], options: DataOptions) -> Iterator[Issue]:
    missing = [row for row, pair in entries if pair is None]
    if not missing:
        return
    text = f"{len(missing)} of {len(entries)} rows name files that are not here: {first(missing)}"
    refusal = f"{path}: {text}; add them, or leave them out with --skip-unpaired"
    if options.skip_unpaired:
        refusal = ""
    yield Issue("list-entry-missing", path, text, count=len(missing), refusal=refusal)
