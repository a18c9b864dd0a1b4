"""Pictures too large for one worker: into how many bands they go, and the parts that lie in the store until they are
joined.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelwise.cluster.store import Store, fetch
from pixelwise.cluster.units import bands
from pixelwise.images import MAX_PIXELS
from pixelwise.inference.choices import Choices
from pixelwise.inference.tiles import Band, TilePlan
from pixelwise.jobs.results import result_names

LARGE = MAX_PIXELS
"""Pixels above which an image may go to several workers: these are labelled by window wherever they are labelled."""

FOLDER = ".bands"
"""In the output folder: for an image STEM.json, which says into how many bands it goes, and STEM.NUMBER-OF.tif."""

_OF_AN_IMAGE = re.compile(r"(.+)\.(?:json|\d+-\d+(?:_\w+)?\.tif)", re.DOTALL)


@dataclass(frozen=True)
class Parts:
    """What is labelled of an image that goes in so many bands, in the store of its results."""

    store: Store
    image: str
    of: int
    choices: Choices

    @property
    def place(self) -> Store:
        """Where they lie."""
        return Store(self.store.at(FOLDER))

    def names(self, number: int) -> list[str]:
        """The files of a band, its labels first."""
        labels = Band(number, self.of).name(Path(self.image).stem)
        return [name for name in result_names(labels, self.choices)[1] if name.endswith(".tif")]

    def has(self, number: int) -> bool:
        """Whether a band is there, made since the image was divided as it is."""
        plan, *names = _plan(self.image), *self.names(number)
        times = self.place.times([plan, *names])
        return all(times.get(name, -1) >= times.get(plan, 0) for name in names)

    def at_hand(self, folder: Path) -> list[Path]:
        """The labels of all bands as files: themselves, or copies in `folder`. Raises ImageError."""
        names, here = [self.names(number) for number in range(self.of)], self.place.local or folder
        if self.place.local is None:
            for name in (name for band in names for name in band):
                fetch(self.place.at(name), folder)
        return [here / labels for labels, *_ in names]


def divide(
    store: Store,
    plans: Mapping[str, TilePlan],
    made_with: Mapping[str, object],
    *,
    total: int,
    workers: int,
    anew: bool,
) -> dict[str, int]:
    """Into how many bands images go, those alone that go into some; written down, for a later call to go on with.

    plans: the tiles of the images above LARGE. made_with: what parts must have in common, as JSON values. total: pixels
    of the job. anew: parts that are there do not count.
    """
    place, found, new = Store(store.at(FOLDER)), dict[str, int](), dict[str, str]()
    there = {} if anew else place.times()
    for image, plan in plans.items():
        made = {**made_with, "height": plan.height, "width": plan.width}
        before = json.loads((place.text(_plan(image)) if _plan(image) in there else None) or "{}")
        if before.get("made_with") == made:
            found[image] = before["bands"]
        elif (of := bands(plan.height * plan.width, len(plan.rows), total=total, workers=workers)) > 1:
            found[image] = of
            new[image] = json.dumps({"bands": of, "made_with": made})
    clear(store, [image for image in plans if image in new or image not in found])
    for image, text in new.items():
        place.write(_plan(image), text)
    return found


def clear(store: Store, images: Collection[str]) -> None:
    """Remove what is there of these images."""
    place, stems = Store(store.at(FOLDER)), {Path(image).stem for image in images}
    names = place.times() if stems else {}
    place.remove([name for name in names if (found := _OF_AN_IMAGE.fullmatch(name)) and found[1] in stems])


def _plan(image: str) -> str:
    return f"{Path(image).stem}.json"
