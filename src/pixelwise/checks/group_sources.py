"""What tells which images belong together, beside names: cameras and times, places, copies."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pixelwise.checks.duplicates import find_copies
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.io.capture import Bounds, Capture, read_bounds, read_capture

# Photos of one camera, one after another, belong to one session up to such a pause.
SESSION_PAUSE = 30 * 60
NEAR_COPIES = "near copies"
# Rasters are neighbours up to a gap of such a share of their sides.
_GAP = 0.01


@dataclass(frozen=True)
class GroupProposal:
    """Groups that may be kept together: the group of images by their path, and what that is by.

    rule: what a user gives or reads. by_looks: whether it counts only where images of a group look
    alike, as it may mean nothing.
    """

    rule: str
    by_image: Mapping[Path, str]
    by_looks: bool = False
    pattern: str = ""
    """For --group, where names tell."""


def group_by_capture(pairs: Sequence[PairStats]) -> GroupProposal:
    """Sessions: photos of one camera without a long pause, by EXIF."""
    by_camera: dict[str, list[tuple[float, Path]]] = {}
    for path in _images(pairs):
        capture = read_capture(path)
        if isinstance(capture, Capture):
            by_camera.setdefault(capture.camera, []).append((capture.seconds, path))
    by_image = {}
    for camera, photos in by_camera.items():
        before = -np.inf
        name = ""
        for seconds, path in sorted(photos):
            if seconds - before > SESSION_PAUSE:
                name = f"{camera} {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
            by_image[path] = name
            before = seconds
    return GroupProposal("camera and time (EXIF)", by_image, by_looks=True)


def group_by_place(pairs: Sequence[PairStats]) -> GroupProposal:
    """Rasters that touch or overlap, and all that hang together so."""
    places = [(path, bounds) for path in _images(pairs) if (bounds := read_bounds(path))]
    numbers = connect(len(places), _neighbours([bounds for _, bounds in places]))
    by_image = {
        path: f"place {number + 1}" for (path, _), number in zip(places, numbers, strict=True)
    }
    return GroupProposal("places that touch (georeferences)", by_image)


def group_by_looks(pairs: Sequence[PairStats]) -> GroupProposal:
    """Images that are nearly the same, and all that hang together so."""
    places = {id(stats): place for place, stats in enumerate(pairs)}
    links = [(places[id(one)], places[id(other)]) for one, other, _ in find_copies(pairs)]
    numbers = connect(len(pairs), links)
    names: dict[int, str] = {}
    by_image = {}
    for stats, number in zip(pairs, numbers, strict=True):
        by_image[stats.pair.image] = names.setdefault(number, stats.pair.name)
    return GroupProposal(NEAR_COPIES, by_image)


def connect(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """The number of the group of each of `count` items: all that hang together by `links`."""
    ends = np.array(list(links), np.int32).reshape(-1, 2)
    ones = np.ones(len(ends), np.int8)
    graph = coo_array((ones, (ends[:, 0], ends[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    numbers: list[int] = labels.tolist()
    return numbers


def _images(pairs: Sequence[PairStats]) -> list[Path]:
    return list(dict.fromkeys(stats.pair.image for stats in pairs))


def _neighbours(places: Sequence[Bounds]) -> Iterator[tuple[int, int]]:
    """Two and two that touch or overlap."""
    bounds = np.array(places, np.float64).reshape(-1, 4)
    low = bounds[:, :2]
    high = bounds[:, 2:]
    gaps = _GAP * (high - low)
    for place in range(len(bounds)):
        near = (low <= high[place] + gaps[place]) & (high >= low[place] - gaps[place])
        for other in np.flatnonzero(near.all(1)).tolist():
            if other > place:
                yield place, other
