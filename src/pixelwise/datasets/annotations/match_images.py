"""The images that annotation files name, brought together with the files on disk."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.datasets.annotations.find_images import ImageFinder, names_other_folders
from pixelwise.datasets.annotations.image_annotations import list_missing_images, shorten
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.splits import SPLITS
from pixelwise.datasets.types import DataOptions, first
from pixelwise.io.images import list_images


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image as an annotation file names it.

    `source` is that file, `record` what it says of the image, packed. `split` is None where the
    file says nothing of it. `folders` are where to look first.
    """

    name: str
    source: Path
    record: bytes
    split: str | None = None
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class MatchedImages:
    """The images on disk: their records, their splits, and what is wrong with the rest."""

    records: dict[Path, bytes]
    splits: dict[str, list[Path]]
    issues: tuple[Issue, ...]


def match_images(
    images: Sequence[NamedImage], finder: ImageFinder, options: DataOptions
) -> MatchedImages:
    """Find the file of each image. What lies where its name says goes first: only files that are
    left can serve names whose folders are not here.

    Issues are images named twice, names that mean one file, images that are not here (which
    training refuses without `skip_unpaired`), images found by file name alone, and pictures beside
    them that no annotation file names.
    """
    matches: dict[Path, NamedImage] = {}
    issues: list[Issue] = []
    unmatched = []
    for image in images:
        path = finder.find_exact(image.name, image.folders)
        if path is None:
            unmatched.append(image)
        elif path in matches:
            issues.append(_double_issue(image, matches[path], path))
        else:
            matches[path] = image
    missing = []
    by_name_alone = []
    exact = frozenset(matches)
    for image in unmatched:
        path = finder.find_alike(image.name, image.folders)
        if path is None or path in exact:
            missing.append(image)
        elif path in matches:
            issues.append(_double_issue(image, matches[path], path))
        else:
            matches[path] = image
            if names_other_folders(image.name, path):
                by_name_alone.append(image)
    issues += _list_missing(missing, images, finder, options)
    issues += _list_by_name_alone(by_name_alone)
    beside = {folder for folder in finder.folders if folder != finder.root and folder.is_dir()}
    issues += list_unlisted(matches, beside | {path.parent for path in matches})
    records = {path: image.record for path, image in matches.items()}
    return MatchedImages(records, _split_images(matches, finder.root), tuple(issues))


def _double_issue(image: NamedImage, used: NamedImage, path: Path) -> Issue:
    name = shorten(image.name)
    if image.source != used.source and image.split != used.split:
        text = f"'{path.name}' is in another split as well"
        refusal = f"{image.source}: {text}; keep one of them"
        return Issue("list-entry-twice", image.source, text, refusal=refusal)
    text = f"'{name}' stands there twice"
    if image.name != used.name:
        text = f"'{shorten(used.name)}' and '{name}' both mean {path.name}"
    refusal = f"{image.source}: {text}; keep one of them"
    return Issue("annotations-twice", image.source, text, refusal=refusal)


def _list_missing(
    missing: Iterable[NamedImage],
    images: Iterable[NamedImage],
    finder: ImageFinder,
    options: DataOptions,
) -> Iterator[Issue]:
    totals = Counter(image.source for image in images)
    names: dict[Path, list[str]] = defaultdict(list)
    for image in missing:
        names[image.source].append(image.name)
    folders = [folder for folder in finder.folders if folder.is_dir() and folder != finder.root]
    places = [f"{folder.relative_to(finder.root).as_posix()}/" for folder in folders]
    searched = ", ".join((*places, f"{finder.root.name}/ and all folders beneath"))
    for source, of_source in names.items():
        yield from list_missing_images(
            of_source, totals[source], source, options, searched=searched
        )


def _list_by_name_alone(images: Iterable[NamedImage]) -> list[Issue]:
    names: dict[Path, list[str]] = defaultdict(list)
    for image in images:
        names[image.source].append(image.name)
    return [by_name_issue(of_source, source) for source, of_source in names.items()]


def by_name_issue(names: Sequence[str], source: Path) -> Issue:
    """The issue for images that were found by their file names alone, as `source` names folders
    that are not here.
    """
    text = (
        f"{len(names)} images, as it names folders that are not here, as in '{shorten(names[0])}'"
    )
    return Issue("image-by-name", source, text, count=len(names))


def list_unlisted(matches: Container[Path], folders: Iterable[Path]) -> Iterator[Issue]:
    """Pictures in the folders of images that no annotation file names."""
    for folder in sorted(folders):
        unlisted = [path.name for path in list_images(folder) if path not in matches]
        if unlisted:
            text = f"{len(unlisted)} that no annotation file names: {first(unlisted)}"
            yield Issue("picture-not-listed", folder, text, count=len(unlisted))


def _split_images(matches: Mapping[Path, NamedImage], root: Path) -> dict[str, list[Path]]:
    """Images by split: that of the annotation file, else that which their folder is named as.
    Folders alone are believed only where one of them is train.
    """
    by_folder = {
        path: split_of_folders(path.relative_to(root).parts[:-1])
        for path, image in matches.items()
        if image.split is None
    }
    if "train" not in by_folder.values():
        by_folder = {}
    splits: dict[str, list[Path]] = defaultdict(list)
    for path, image in matches.items():
        splits[image.split or by_folder.get(path) or "train"].append(path)
    return dict(splits)


def split_of_folders(names: Iterable[str]) -> str | None:
    """The split that the first such of some folders is named as."""
    return next((SPLITS[name.lower()] for name in names if name.lower() in SPLITS), None)
