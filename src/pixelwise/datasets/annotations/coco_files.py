"""The JSON files of COCO in a folder: which there are, of which kind, and which split each serves.

Source: Lin et al., Microsoft COCO, 2014, and its data format.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.datasets.annotations.image_annotations import list_annotation_folders, load_json
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.splits import SPLITS
from pixelwise.errors import DataError
from pixelwise.io.text import list_files, read_head

# The lists by which COCO is known, wherever they stand in the file.
_LISTS = frozenset({"images", "annotations", "categories"})
# What other formats have in their outermost object.
_OTHER_LISTS = frozenset({"shapes", "objects"})
# Possessive, as a string that the end of the text cuts off would else be tried at each length.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
# A file whose first part shows no list of COCO is read whole up to this size.
_MAX_PARSED = 16 << 20
# Of a folder's files, so many of the largest are looked at: where each image has a file of its own,
# there are thousands, and COCO's would be larger than these.
_MAX_FILES = 50
MASKS = "masks"
KEYPOINTS = "keypoints"
PANOPTIC = "panoptic segments"
CAPTIONS = "captions"
# Annotations of a kind have this key; those of keypoints have segmentations as well.
_KINDS = {"segments_info": PANOPTIC, "caption": CAPTIONS, "keypoints": KEYPOINTS}


@dataclass(frozen=True)
class CocoFile:
    """An annotation file, its contents, and the split that it or its folder is named as, if any."""

    path: Path
    split: str | None
    content: Any


def find_coco_files(root: Path) -> dict[str | None, list[Path]]:
    """Files with lists of images and annotations by split, in the root, annotations/ and folders
    of splits.
    """
    by_split: dict[str | None, list[Path]] = defaultdict(list)
    for folder in list_annotation_folders(root):
        for path in _largest_json(folder):
            if _is_coco(path):
                by_split[_split_of(path, root)].append(path)
    return dict(by_split)


def _largest_json(folder: Path) -> list[Path]:
    files = list_files(folder, (".json",))
    if len(files) > _MAX_FILES:
        files = sorted(files, key=lambda path: path.stat().st_size)[-_MAX_FILES:]
    return sorted(files)


def _is_coco(path: Path) -> bool:
    """Whether a file has, or begins as if it had, lists of images and of annotations or
    categories.
    """
    head = read_head(path)
    lists, is_whole = _outer_lists(head)
    if lists & _OTHER_LISTS or not head.lstrip("\ufeff \t\r\n").startswith("{"):
        return False
    if is_whole or (not lists & _LISTS and path.stat().st_size <= _MAX_PARSED):
        if not is_whole:
            lists = _parsed_lists(path)
        return "images" in lists and len(lists & _LISTS) > 1
    return bool(lists & _LISTS)


def _outer_lists(text: str) -> tuple[set[str], bool]:
    """The keys of the outermost object that hold lists, and whether its end is in `text`."""
    keys: set[str] = set()
    depth = 0
    last = ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] == '"':
            last = token if depth == 1 else last
        elif token in "[{":
            if depth == 1 and token == "[":
                keys.add(last.strip('"'))
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return keys, True
    return keys, False


def _parsed_lists(path: Path) -> set[str]:
    try:
        content = load_json(path)
    except DataError:
        return set()
    return {key for key, value in content.items() if isinstance(value, list)}


def _split_of(path: Path, root: Path) -> str | None:
    """The split that a file or a folder around it is named as."""
    words = re.split(r"[^a-z]+", path.stem.lower())
    words += [name.lower() for name in reversed(path.relative_to(root).parts[:-1])]
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def choose_file(paths: list[Path], split: str | None) -> tuple[CocoFile, list[Issue]]:
    """The one of several files of a split that holds masks: that called instances, else that whose
    annotations have segmentations. Issues name the others, and files that hold masks as well.

    Raises DataError for malformed JSON.
    """
    named = [path for path in paths if "instances" in path.stem.lower()]
    rivals = named if len(named) == 1 else paths
    if len(rivals) > 1:
        rivals = _files_of_masks(rivals)
    chosen = rivals[0]
    issues = []
    if len(rivals) > 1:
        text = f"both {chosen.name} and {rivals[1].name} are {split or 'train'}"
        refusal = f"{chosen.parent}: {text}; keep one of them"
        issues.append(Issue("split-twice", rivals[1], text, refusal=refusal))
    for path in paths:
        if path not in rivals:
            text = f"the masks are taken from {chosen.name}"
            issues.append(Issue("annotations-unread", path, text))
    return CocoFile(chosen, split, load_json(chosen)), issues


def _files_of_masks(paths: list[Path]) -> list[Path]:
    """Those of masks, else those of panoptic segments, else those of keypoints, which have
    segmentations, else all.
    """
    # One at a time: files of COCO are hundreds of megabytes.
    kinds = {path: kind_of(load_json(path)) for path in paths}
    for kind in (MASKS, PANOPTIC, KEYPOINTS):
        of_kind = [path for path in paths if kinds[path] == kind]
        if of_kind:
            return of_kind
    return paths


def kind_of(content: Any) -> str:
    """What the annotations of a file are."""
    annotations = content.get("annotations") if isinstance(content, dict) else None
    keys: set[str] = set()
    for annotation in annotations or []:
        keys |= annotation.keys() if isinstance(annotation, dict) else set()
    return next((kind for key, kind in _KINDS.items() if key in keys), MASKS)


def describe_results(root: Path) -> str:
    """Why a list of results is no data set; empty where there is none here."""
    for folder in list_annotation_folders(root):
        for path in _largest_json(folder):
            head = read_head(path)
            is_list = head.lstrip("\ufeff \t\r\n").startswith("[")
            if is_list and '"image_id"' in head and '"category_id"' in head:
                return (
                    f"{path}: is a list of COCO results (image_id, category_id, segmentation), "
                    "which names no images and classes; put the annotation file beside it that "
                    "has the lists images, annotations and categories"
                )
    return ""
