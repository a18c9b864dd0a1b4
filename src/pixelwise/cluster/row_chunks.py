"""Pictures too large for one worker: into how many bands they go, and the parts that lie in the
store until they are joined.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelwise.cluster.temp_files import DRAFT
from pixelwise.inference.batching import count_row_chunks
from pixelwise.inference.options import PredictOptions
from pixelwise.inference.outputs import result_names, strip_query
from pixelwise.inference.tiling import RowChunk, TilePlan
from pixelwise.io.images import MAX_PIXELS
from pixelwise.io.storage import Store, fetch, filesystem, is_uri, modified_ns

MIN_DIVIDED_PIXELS = MAX_PIXELS
"""Pixels above which an image may go to several workers: these are labelled by window wherever they
are labelled.
"""

FOLDER = ".bands"
"""In the output folder: for an image STEM.json, which says into how many bands it goes, and
STEM.NUMBER-OF.tif.
"""

_OF_AN_IMAGE = re.compile(r"(.+)\.(?:json|\d+-\d+(?:_\w+)?\.tif)", re.DOTALL)


@dataclass(frozen=True)
class ChunkStore:
    """What is labelled of an image that goes in so many bands, in the store of its results."""

    store: Store
    image: str
    of: int
    choices: PredictOptions

    @property
    def place(self) -> Store:
        """Where they lie."""
        return Store(self.store.at(FOLDER))

    def names(self, number: int) -> list[str]:
        """The files of a band, its labels first."""
        labels = RowChunk(number, self.of).name(_stem(self.image))
        return [name for name in result_names(labels, self.choices)[1] if name.endswith(".tif")]

    def has(self, number: int) -> bool:
        """Whether a band is there, made since the image was divided as it is."""
        plan, *names = _plan(self.image), *self.names(number)
        times = self.place.times([plan, *names])
        return all(times.get(name, -1) >= times.get(plan, 0) for name in names)

    def at_hand(self, folder: Path) -> list[Path]:
        """The labels of all bands as files: themselves, or copies in `folder`. Raises
        ImageError.
        """
        names = [self.names(number) for number in range(self.of)]
        here = self.place.local or folder
        if self.place.local is None:
            for name in (name for band in names for name in band):
                fetch(self.place.at(name), folder)
        return [here / labels for labels, *_ in names]


def divide_images(
    store: Store,
    plans: Mapping[str, TilePlan],
    made_with: Mapping[str, object],
    *,
    total: int,
    workers: int,
    anew: bool,
) -> tuple[dict[str, int], dict[str, str]]:
    """Into how many bands images go, those alone that go into some; and of those that are not
    divided like that yet what `begin` writes down, for a later call to go on with.

    plans: the tiles of the images above LARGE. made_with: what parts must have in common, as JSON
    values. total: pixels of the job. anew: parts that are there do not count.
    """
    place = Store(store.at(FOLDER))
    found = dict[str, int]()
    new = dict[str, str]()
    there = {} if anew else place.times()
    for image, plan in plans.items():
        made = {**made_with, **_picture(image), "height": plan.height, "width": plan.width}
        before = json.loads((place.text(_plan(image)) if _plan(image) in there else None) or "{}")
        if before.get("made_with") == made:
            found[image] = before["bands"]
        elif (
            of := count_row_chunks(
                plan.height * plan.width, len(plan.rows), total=total, workers=workers
            )
        ) > 1:
            found[image] = of
            new[image] = json.dumps({"bands": of, "made_with": made})
    return found, new


def start_chunks(
    store: Store, images: Collection[str], found: Mapping[str, int], new: Mapping[str, str]
) -> None:
    """Write down what `divide` found of `images`, and remove the parts that do not count."""
    remove_chunks(store, [image for image in images if image in new or image not in found])
    for image, text in new.items():
        Store(store.at(FOLDER)).write(_plan(image), text)


def remove_chunks(store: Store, images: Collection[str]) -> None:
    """Remove what is there of these images, drafts too."""
    place = Store(store.at(FOLDER))
    stems = {_stem(image) for image in images}
    names = place.times() if stems else {}
    place.remove([name for name in names if _of(DRAFT.sub(r"\1\2", name)) in stems])


def _of(name: str) -> str | None:
    """The stem of the image that a file is of, if it is of one."""
    found = _OF_AN_IMAGE.fullmatch(name)
    return found[1] if found else None


def _stem(image: str) -> str:
    return Path(strip_query(image)).stem


def _picture(image: str) -> dict[str, object]:
    """By what a picture is told from another one of its name."""
    if is_uri(image):
        try:
            info = filesystem(image).info(image)
        except (
            Exception
        ):  # what stores raise has no base class but Exception; fetching it will say what is wrong
            info = {}
        return {
            "image": strip_query(image),
            "bytes": info.get("size"),
            "changed": str(info.get("ETag") or modified_ns(info)),
        }
    found = Path(image).stat()
    return {"image": image, "bytes": found.st_size, "changed": found.st_mtime_ns}


def _plan(image: str) -> str:
    return f"{_stem(image)}.json"
