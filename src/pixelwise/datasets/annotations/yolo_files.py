"""Which images and label files a YOLO set has, by split: as data.yaml lists them, or as folders are
usually called.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.annotations.labelstudio_tasks import UPLOAD_PREFIX
from pixelwise.datasets.annotations.match_images import by_name_issue, list_unlisted
from pixelwise.datasets.annotations.picture_files import find_inside, list_pictures, name_key
from pixelwise.datasets.annotations.yolo_labels import holds_labels
from pixelwise.datasets.annotations.yolo_names import is_name_list
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.splits import SPLITS, named_splits
from pixelwise.errors import DataError
from pixelwise.io.text import list_files, read_text


@dataclass
class YoloFiles:
    """Images by split, the label file of each that has one, label files without image, other text
    files among them, and issues.
    """

    images: dict[str, list[Path]] = field(default_factory=dict)
    labels: dict[Path, Path] = field(default_factory=dict)
    without_image: list[Path] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def find_files(root: Path, source: Path, content: Mapping[str, Any]) -> YoloFiles:
    """The files of the set at `root`; `content` is that of data.yaml, the file `source`."""
    files = YoloFiles()
    entries = _list_entries(content)
    finder = ImageFinder(root, (root,))
    unresolved: list[tuple[str, str]] = []
    for split, name in entries:
        images = _resolve_entry(root, content, name, finder, files, source)
        if images is None:
            unresolved.append((split, name))
        else:
            files.images.setdefault(split, []).extend(images)
            if not images and not files.issues:
                text = f"{split} is '{name}', which names no image"
                files.issues.append(Issue("split-missing", source, text))
    _add_usual_folders(root, files)
    for split, name in unresolved:
        if split not in files.images:
            text = f"{split} is '{name}', which is not here"
            files.issues.append(Issue("split-missing", source, text))
    files.images = {
        split: sorted(dict.fromkeys(images)) for split, images in files.images.items() if images
    }
    if finder.by_name_alone:
        files.issues.append(by_name_issue(finder.by_name_alone, source))
    listed = {image: split for split, images in files.images.items() for image in images}
    files.issues += list_unlisted(listed, {image.parent for image in listed})
    _match_labels(root, files)
    return files


def _list_entries(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(split, folder or list of images) of data.yaml."""
    entries = []
    for key, value in content.items():
        split = SPLITS.get(str(key).lower())
        if split is None:
            continue
        names = value if isinstance(value, list) else [value]
        entries += [(split, name) for name in names if isinstance(name, str) and name.strip()]
    return entries


def _resolve_entry(
    root: Path,
    content: Mapping[str, Any],
    name: str,
    finder: ImageFinder,
    files: YoloFiles,
    source: Path,
) -> list[Path] | None:
    """The images of a folder or of a list; None where it is not here."""
    base = content.get("path")
    bases = [root]
    if isinstance(base, str):
        inner = find_inside(root, base)
        bases = [inner, root] if inner is not None and inner.is_dir() else bases
    for folder in bases:
        path = find_inside(folder, name)
        if path is None:
            continue
        if path.is_dir():
            return list_pictures(path)
        if path.suffix.lower() == ".txt":
            return _read_image_list(path, root, finder, files)
    return None


def _read_image_list(path: Path, root: Path, finder: ImageFinder, files: YoloFiles) -> list[Path]:
    """The images that a text file lists, one a line."""
    try:
        lines = [line.strip() for line in read_text(path).splitlines()]
    except DataError as error:
        refusal = str(error)
        files.issues.append(Issue("annotation-malformed", path, error.reason, refusal=refusal))
        return []
    images = []
    for number, name in enumerate(lines, 1):
        if not name or name.startswith("#"):
            continue
        image = find_inside(root, name)
        if image is None or not image.is_file():
            image = finder.find(name)
        if image is None:
            text = f"line {number}: '{name}' is not here"
            refusal = f"{path}: {text}; add the image, or shorten the list"
            issue = Issue("list-entry-missing", path, text, (number, 1), refusal=refusal)
            files.issues.append(issue)
        else:
            images.append(image)
    return images


def _add_usual_folders(root: Path, files: YoloFiles) -> None:
    """images/train, train/images or images/, where data.yaml does not say otherwise."""
    images = _subfolder(root, "images")
    if images.is_dir():
        named, issues = named_splits(images)
        if not named and not files.images:
            named = [("train", images)]
    else:
        named, issues = named_splits(root)
        named = [(split, _subfolder(folder, "images")) for split, folder in named]
    files.issues += issues
    listed = {path for paths in files.images.values() for path in paths}
    for split, folder in [row for row in named if row[0] not in files.images]:
        pictures = [path for path in list_pictures(folder) if path not in listed]
        files.images.setdefault(split, []).extend(pictures)


def _subfolder(folder: Path, name: str) -> Path:
    """A folder in `folder` by its name, in whatever case that is written."""
    if (folder / name).is_dir() or not folder.is_dir():
        return folder / name
    alike = [path for path in folder.iterdir() if path.name.lower() == name and path.is_dir()]
    return alike[0] if alike else folder / name


def label_folders(root: Path, image_folder: Path) -> list[Path]:
    """Where the label files of images may lie: the last folder called images in their path becomes
    labels; else beside the images; else in labels/ at the top.
    """
    parts = image_folder.relative_to(root).parts if image_folder.is_relative_to(root) else ()
    candidates = []
    for index in reversed(range(len(parts))):
        if parts[index].lower() == "images":
            labels = _subfolder(root.joinpath(*parts[:index]), "labels")
            candidates += [labels.joinpath(*parts[index + 1 :]), labels]
    if image_folder != root:
        candidates.append(_subfolder(image_folder.parent, "labels") / image_folder.name)
        candidates.append(_subfolder(image_folder, "labels"))
    candidates += [image_folder, _subfolder(root, "labels")]
    return list(dict.fromkeys(candidates))


def _match_labels(root: Path, files: YoloFiles) -> None:
    """Give each image the label file of its name; what is left over has no image."""
    all_images = list(dict.fromkeys(path for paths in files.images.values() for path in paths))
    tables: dict[Path, dict[str, Path]] = {}
    chosen: dict[Path, dict[str, Path]] = {}
    owners: dict[Path, Path] = {}
    for image in all_images:
        if image.parent not in chosen:
            chosen[image.parent] = _choose_table(root, image.parent, tables)
        path = chosen[image.parent].get(name_key(image.stem))
        if path is None:
            continue
        owner = owners.setdefault(path, image)
        if owner is not image:
            files.issues.append(_two_images_issue(path, owner, image))
            _drop(files, image)
        else:
            files.labels[image] = path
    for folder in usual_label_folders(root):
        tables.setdefault(folder, _table_of(folder))
    used = {id(table): table for table in chosen.values()}
    used |= {id(tables[folder]): tables[folder] for folder in usual_label_folders(root)}
    left_over = [path for table in used.values() for path in table.values() if path not in owners]
    _match_uploads(files, [image for image in all_images if image not in files.labels], left_over)


def _choose_table(
    root: Path, image_folder: Path, tables: dict[Path, dict[str, Path]]
) -> dict[str, Path]:
    """Label files by name of the first folder that holds some."""
    for folder in label_folders(root, image_folder):
        if folder not in tables:
            tables[folder] = _table_of(folder)
        if any(may_hold_labels(path, root) for path in tables[folder].values()):
            return tables[folder]
    return {}


def _table_of(folder: Path) -> dict[str, Path]:
    return {name_key(path.stem): path for path in list_files(folder, (".txt",))}


def usual_label_folders(root: Path) -> list[Path]:
    """Folders whose text files are labels by their place, whether or not images are beside them."""
    labels = _subfolder(root, "labels")
    of_splits = [path for _, path in named_splits(labels)[0]] if labels.is_dir() else []
    in_splits = [_subfolder(path, "labels") for _, path in named_splits(root)[0]]
    return [labels, *of_splits, *in_splits]


def may_hold_labels(path: Path, root: Path) -> bool:
    """Whether a text file is one of labels by its place, or else by its contents."""
    if is_name_list(path):
        return False
    folders = path.parent.relative_to(root).parts
    in_labels = any(name.lower() == "labels" for name in folders)
    return in_labels or holds_labels(path) is not False


def _match_uploads(files: YoloFiles, unlabelled: list[Path], left_over: Iterable[Path]) -> None:
    """Label files that Label Studio named for an upload, and those that belong to no image."""
    images = {name_key(image.stem): image for image in unlabelled}
    for path in left_over:
        name, prefixed = UPLOAD_PREFIX.subn("", path.stem)
        image = images.pop(name_key(name), None) if prefixed else None
        if image is not None:
            files.labels[image] = path
        elif is_name_list(path):
            continue
        elif holds_labels(path) is False:
            files.ignored.append(path)
        else:
            files.without_image.append(path)


def _two_images_issue(label_file: Path, used: Path, image: Path) -> Issue:
    text = f"{used.name} has the label file {label_file.name} as well"
    refusal = f"{label_file}: is of two images, {used.name} and {image.name}; remove or rename one"
    return Issue("image-name-twice", image, text, refusal=refusal)


def _drop(files: YoloFiles, image: Path) -> None:
    for images in files.images.values():
        if image in images:
            images.remove(image)
