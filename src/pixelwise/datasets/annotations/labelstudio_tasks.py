"""The tasks of Label Studio's JSON exports: which annotation counts, and its regions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import read_head

# Keys that a list of tasks has, with regions or without; a single task has one of the first three.
_TASK_KEYS = re.compile(r'"(from_name|original_width|was_cancelled)"\s*:')
_LIST_KEYS = re.compile(r'"(annotation_id|total_annotations|completed_by|lead_time)"\s*:')
# What Label Studio puts before the names of uploaded files.
UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
_SHAPE_TYPES = frozenset({"brush", "polygon", "rectangle", "ellipse", "keypoint", "vector"})


def holds_tasks(path: Path) -> bool:
    """Whether a JSON file looks like an export of Label Studio by its contents."""
    text = read_head(path).lstrip()
    listed = text.startswith("[") and bool(_LIST_KEYS.search(text))
    return text[:1] in ("[", "{") and (listed or bool(_TASK_KEYS.search(text)))


@dataclass(frozen=True)
class Region:
    """A shape: label, kind (polygon, rectangle, ellipse, brush, keypoint, or what is not read), its
    numbers, and the size (height, width) of the image and the angle by which that was turned.
    """

    label: str
    kind: str
    numbers: list[Any]
    size: tuple[int, int]
    turned: float = 0.0


@dataclass
class Task:
    """An image and its annotation: names that its file may have, regions (None where nobody has
    annotated it), when it was changed, and what was noted on the way.
    """

    id: str
    names: list[str]
    regions: list[Region] | None
    changed: str = ""
    annotations: int = 0
    unlabelled: int = 0
    several_labels: list[str] = field(default_factory=list)


def read_task(task: Mapping[str, Any]) -> Task:
    """One task of a JSON or a JSON-MIN export.

    Of several annotations, those marked as ground truth count before others, and then the latest;
    skipped ones count for nothing.
    """
    identity = str(task.get("id", "?"))
    data = task.get("data")
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None and isinstance(data, dict):
        annotations = []  # a task as it is imported, with predictions at most
    if not isinstance(annotations, list):
        names = _list_names(task, task)
        entries = [entry for value in task.values() for entry in _region_entries(value)]
        result = Task(identity, names, [], str(task.get("updated_at", "")), 1)
        _add_regions(result, entries)
        return result
    names = _list_names(data if isinstance(data, dict) else {}, task)
    valid = [entry for entry in annotations if isinstance(entry, dict)]
    valid = [entry for entry in valid if not entry.get("was_cancelled")]
    chosen = [entry for entry in valid if entry.get("ground_truth")] or valid
    if not chosen:
        return Task(identity, names, None)
    latest = max(chosen, key=_changed)
    result = Task(identity, names, [], _changed(latest), len(chosen))
    _add_regions(result, list(_region_entries(latest.get("result"))))
    return result


def _changed(annotation: Mapping[str, Any]) -> str:
    """When it was changed; these texts sort as their times."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _region_entries(value: Any) -> Iterator[Mapping[str, Any]]:
    """The entries of a list that stand on an image; a JSON-MIN has their values one level up."""
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, dict):
            inner = entry.get("value")
            flat = {**entry, **inner} if isinstance(inner, dict) else entry
            if "original_width" in flat and "original_height" in flat:
                yield flat


def _add_regions(task: Task, entries: Sequence[Mapping[str, Any]]) -> None:
    """Shapes with a label. A shape may stand there twice, without its label and with it."""
    labelled = {entry.get("id") for entry in entries if _labels_of(entry)}
    regions = []
    for entry in entries:
        labels = _labels_of(entry)
        kind, numbers = _read_shape(entry)
        if not labels:
            is_shape = str(entry.get("type", "")).lower() in _SHAPE_TYPES
            task.unlabelled += is_shape and entry.get("id") not in labelled
            continue
        if len(labels) > 1:
            task.several_labels.append("/".join(labels))
        size = (int(entry["original_height"]), int(entry["original_width"]))
        turned = float(entry.get("image_rotation") or 0)
        regions.append(Region(labels[0], kind, numbers, size, turned))
    task.regions = regions


def _labels_of(entry: Mapping[str, Any]) -> list[str]:
    """The labels of a region: those of polygonlabels, brushlabels, labels and so on."""
    for key, value in entry.items():
        if key.endswith("labels") and isinstance(value, list):
            return [label.strip() for label in map(str, value) if label.strip()]
    return []


def _read_shape(entry: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Kind and numbers of a region, in per cent of width and height; kinds that are not read have
    no numbers.
    """
    if "rle" in entry:
        return "brush", entry["rle"]
    if "points" in entry:
        return "polygon", entry["points"]
    rotation = entry.get("rotation") or 0
    if "radiusX" in entry:
        keys = ("x", "y", "radiusX", "radiusY")
        return "ellipse", [*(entry[key] for key in keys), rotation]
    if "x" in entry and "height" in entry:
        return "rectangle", [*(entry[key] for key in ("x", "y", "width", "height")), rotation]
    if "x" in entry and "y" in entry:
        return "keypoint", []
    return str(entry.get("type", "unknown")), []


def _list_names(data: Mapping[str, Any], task: Mapping[str, Any]) -> list[str]:
    """Names that the image's file may have, likeliest first: paths and addresses as imported, the
    name of the upload, and the names of all of them without the prefix of uploads.
    """
    texts = [str(value) for key, value in data.items() if key == "image" and value]
    texts += [value for value in data.values() if isinstance(value, str) and _is_picture(value)]
    texts += [str(task[key]) for key in ("file_upload",) if task.get(key)]
    originals = [UPLOAD_PREFIX.sub("", _file_name(text)) for text in texts]
    return list(dict.fromkeys((*texts, *originals)))


def _file_name(text: str) -> str:
    """The last part of a path or an address; local files stand in the query."""
    path = text.partition("?d=")[2] or text.partition("?")[0]
    return unquote(PurePosixPath(path.replace("\\", "/")).name)


def _is_picture(text: str) -> bool:
    return PurePosixPath(_file_name(text)).suffix.lower() in IMAGE_SUFFIXES
