"""What lies beside the files that a reader took: class names, lists, pictures that are not used."""

from collections.abc import Iterator
from pathlib import Path

from pixelwise.datasets.class_files import find_class_files
from pixelwise.datasets.folder_names import parse_folder_name
from pixelwise.datasets.groups import GROUPS_FILE
from pixelwise.datasets.index import Index
from pixelwise.datasets.issue_types import Severity
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.name_hints import describe_other_formats
from pixelwise.datasets.readers.lists import find_lists
from pixelwise.datasets.readers.truth_folders import list_subfolders
from pixelwise.datasets.splits import split_of
from pixelwise.datasets.types import first, images_in, pictures_in
from pixelwise.io.image_formats import list_left_aside
from pixelwise.io.text import is_side_file

# Files that may say something of the data; what only describes it in words is no matter.
_TELLING = frozenset(
    [
        ".txt",
        ".csv",
        ".tsv",
        ".json",
        ".xml",
        ".yaml",
        ".yml",
        ".lst",
        ".names",
        ".npy",
        ".npz",
        ".mat",
        ".xlsx",
        ".h5",
        ".hdf5",
        ".pkl",
        ".pbtxt",
        ".clr",
        ".qml",
        ".lut",
        ".rtf",
        ".docx",
        ".xls",
        ".ods",
    ]
)
_WORDY = ("readme", "license", "licence", "changelog", "requirements", "citation", "data_license")
# Formats whose reader reads every list there is.
_LISTED = ("lists", "voc")
# The folders of whole data sets whose reader knows what it leaves.
_KNOWN = {"voc": ("SegmentationObject", "Annotations", "ImageSets", "SegmentationClass")}


def find_unused(index: Index) -> Iterator[Issue]:
    """An issue for each kind of thing beside the files of a set of pictures and masks."""
    if not index.folders:
        yield from _find_drawn_masks(index)
        return
    class_files = find_class_files(index.root, index.folders)
    yield from _find_class_files(index, class_files)
    lists = list(find_lists(index.root).values())
    if lists and index.format not in _LISTED:
        text = f"{_names(lists)} not read: the splits are those of the folders"
        yield Issue("beside-unused", index.root, text, count=len(lists))
    known = {*class_files, *lists, *index.sources, index.root / GROUPS_FILE}
    other_files = _list_other_files(index.root, known)
    if other_files:
        text = f"{_names(other_files)} not read"
        yield Issue("beside-unused", index.root, text, count=len(other_files))
    yield from _find_folders(index)
    yield from _find_subfolders(index)
    for folder in index.folders:
        if folder != index.root:
            yield from _find_other_endings(folder, {*class_files, *index.sources})


def _find_drawn_masks(index: Index) -> Iterator[Issue]:
    """Folders of masks beside annotation files, which say the labels themselves."""
    pairs = [pair for _, pair in index.pairs()]
    used = {path.parent for pair in pairs for path in (pair.image, pair.mask)}
    entered = {parent for path in used for parent in (path, *path.parents)}
    bases = {index.root, *(path.parent for path in used if path != index.root)}
    for base in sorted(bases):
        unread = [
            f"{folder.name}/ ({count} pictures)"
            for folder in list_subfolders(base)
            if folder not in entered and parse_folder_name(folder.name).role == "masks"
            if (count := _count_pictures(folder))
        ]
        if unread:
            verb = "are" if len(unread) > 1 else "is"
            text = f"{first(unread)} {verb} not read: the labels are those of the annotation files"
            yield Issue("beside-unused", base, text)


def find_above(root: Path, index: Index) -> Iterator[Issue]:
    """Names and lists in `root`, in which the folder of the data set lies; training refuses names
    there where the set has none itself.
    """
    class_files = find_class_files(root)
    if class_files:
        text = f"{_names(class_files)} not read"
        refusal = ""
        if index.classes is None and not index.declared.source:
            refusal = (
                f"{root}: {text}, as the data is that of {index.root.name}/; move it in there, or "
                f"give {index.root} for the data"
            )
        severity: Severity | None = "error" if refusal else None
        yield Issue("beside-unused", root, text, severity=severity, refusal=refusal)
    lists = [*find_lists(root).values()]
    others = [*lists, *_list_other_files(root, {*class_files, *lists})]
    if others:
        text = f"{_names(others)} not read"
        yield Issue("beside-unused", root, text, count=len(others))


def _names(paths: list[Path]) -> str:
    verb = "are" if len(paths) > 1 else "is"
    return f"{first(path.name for path in paths)} {verb}"


def _find_other_endings(folder: Path, known: set[Path]) -> Iterator[Issue]:
    """Files among pictures that are called otherwise."""
    try:
        paths = list_left_aside(folder)
    except OSError:
        return  # an issue of the index already
    for path in paths:
        if path not in known:
            yield Issue("file-ignored", path, "is no picture by its name")


def _find_class_files(index: Index, files: list[Path]) -> Iterator[Issue]:
    """Classes files of a format that has its classes from elsewhere."""
    if index.classes is None:
        return  # each was read, and said where it disagrees
    if index.format == "voc":
        files = [path for path in files if path.name.lower() != "labelmap.txt"]
    if files:
        text = f"{_names(files)} not read: the classes are those of the format"
        if index.format == "layers":
            text = f"{_names(files)} not read: the classes are those of the masks' names"
        yield Issue("beside-unused", index.root, text, count=len(files))


def _list_other_files(root: Path, known: set[Path]) -> list[Path]:
    """Files in `root` that are none of the known kinds, but may say something of the data."""
    return sorted(
        path
        for path in root.iterdir()
        if path.suffix.lower() in _TELLING
        and path not in known
        and not is_side_file(path)
        and not path.name.lower().startswith(_WORDY)
        and path.is_file()
    )


def _find_folders(index: Index) -> Iterator[Issue]:
    """Folders with pictures beside those that are read."""
    named = {issue.file for issue in index.issues if issue.type == "split-without-masks"}
    used = {*index.folders, *(path.parent for path in index.sources)}
    entered = {parent for path in used for parent in (path, *path.parents)}
    known = _KNOWN.get(index.format, ())
    images = [pair.image for _, pair in index.pairs()]
    bases = {index.root, *(path.parent for path in used if path != index.root)}
    for base in sorted(bases):
        unread = []
        for folder in list_subfolders(base):
            inside = [path for path in named if path and path.is_relative_to(folder)]
            if folder in entered or inside or folder.name in known:
                continue
            count = _count_pictures(folder)
            other_formats = "" if count else describe_other_formats(folder, images)
            if count:
                unread.append(f"{folder.name}/ ({count} pictures)")
            if other_formats:
                yield Issue("masks-other-format", folder, other_formats)
        if unread and not any(issue.type == "masks-doubtful" for issue in index.issues):
            verb = "are" if len(unread) > 1 else "is"
            yield Issue("beside-unused", base, f"{first(unread)} {verb} not read")
    loose = pictures_in(index.root) if index.root not in used else []
    if loose:
        text = f"{len(loose)} pictures beside the folders, such as {loose[0].name}, are not read"
        yield Issue("beside-unused", index.root, text, count=len(loose))


def _count_pictures(folder: Path) -> int:
    """Pictures in a folder and in the folders of it."""
    try:
        return sum(len(pictures_in(path)) for path in (folder, *list_subfolders(folder)))
    except OSError:
        return 0


def _find_subfolders(index: Index) -> Iterator[Issue]:
    """Pictures in folders of those that are read, which no reader enters."""
    if index.format == "layers":
        return
    for folder in index.folders:
        if folder == index.root:
            continue  # its folders are those beside
        for path in list_subfolders(folder):
            if split_of(path.name) or path in index.folders or path.is_symlink():
                continue
            pictures = images_in(path)
            if pictures:
                text = f"{len(pictures)} pictures, such as {pictures[0].name}"
                yield Issue("subfolder-ignored", path, text, count=len(pictures))
