"""Pictures too large for one worker: into how many row chunks they go, and the files of these that
lie in the store until they are joined.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pixelwise.inference.batching import count_row_chunks
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.result_names import result_names, result_stem
from pixelwise.inference.tiling import RowChunk, TilePlan
from pixelwise.io.atomic import final_name
from pixelwise.io.images import MAX_PIXELS
from pixelwise.io.storage import Store, fetch, filesystem, is_uri, modified_ns, strip_query

# Pixels above which an image may go to several workers: these are labelled by window wherever they
# are labelled.
MIN_DIVIDED_PIXELS = MAX_PIXELS

# In the output folder: for an image STEM.json, which says into how many row chunks it goes, and
# STEM.NUMBER-OF.tif. The names on disk are those of the first version, which called them bands.
FOLDER = ".bands"
_COUNT_KEY = "bands"

_RESULT_NAME = re.compile(r"(.+)\.(?:json|\d+-\d+(?:_\w+)?\.tif)", re.DOTALL)


@dataclass(frozen=True)
class ChunkStore:
    """The row chunks of an image that goes in so many, in the store of its results. root: as in
    `result_stem`.
    """

    store: Store
    image: str
    of: int
    choices: PredictOptions
    root: str | None = None

    @property
    def folder(self) -> Store:
        """Where they lie."""
        return self.store.subfolder(FOLDER)

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return _stem(self.image, self.root)

    def names(self, number: int) -> list[str]:
        """The files of a chunk, its labels first."""
        labels = RowChunk(number, self.of).name(self.stem)
        return [name for name in result_names(labels, self.choices)[1] if name.endswith(".tif")]

    def has(self, number: int) -> bool:
        """Whether a chunk exists, made since the image was divided as it is."""
        plan = f"{self.stem}.json"
        names = self.names(number)
        times = self.folder.times([plan, *names])
        return all(times.get(name, -1) >= times.get(plan, 0) for name in names)

    def localize(self, temp_folder: Path) -> list[Path]:
        """The labels of all chunks as files: themselves, or copies in `temp_folder`. Raises
        ImageError.
        """
        names = [self.names(number) for number in range(self.of)]
        local = self.folder.local
        if local is None:
            for name in chain(*names):
                fetch(self.folder.at(name), temp_folder)
        return [(local or temp_folder) / labels for labels, *_ in names]


def divide_images(
    store: Store,
    plans: Mapping[str, TilePlan],
    made_with: Mapping[str, object],
    *,
    total: int,
    workers: int,
    overwrite: bool,
    root: str | None = None,
) -> tuple[dict[str, int], dict[str, str]]:
    """Into how many row chunks images go, those alone that go into some; and of those that are not
    divided like that yet what `start_chunks` writes down, for a later call to go on with.

    plans: the tiles of the images above MIN_DIVIDED_PIXELS. made_with: what chunks must have in
    common, as JSON values. total: pixels of the job. overwrite: chunks that exist do not count.
    root: as in `result_stem`.
    """
    folder = store.subfolder(FOLDER)
    counts = dict[str, int]()
    new_plans = dict[str, str]()
    existing = {} if overwrite else folder.times()
    for image, plan in plans.items():
        needed = {**made_with, **_fingerprint(image), "height": plan.height, "width": plan.width}
        earlier = _read_plan(folder, f"{_stem(image, root)}.json", existing)
        if earlier.get("made_with") == needed:
            counts[image] = earlier[_COUNT_KEY]
            continue
        pixels = plan.height * plan.width
        count = count_row_chunks(pixels, len(plan.rows), total=total, workers=workers)
        if count > 1:
            counts[image] = count
            new_plans[image] = json.dumps({_COUNT_KEY: count, "made_with": needed})
    return counts, new_plans


def _read_plan(folder: Store, name: str, existing: Collection[str]) -> dict[str, Any]:
    """What an earlier call wrote down; nothing where there is none, or another job removed it."""
    text = None
    if name in existing:
        text = folder.text(name)
    plan: dict[str, Any] = json.loads(text or "{}")
    return plan


def start_chunks(
    store: Store,
    images: Collection[str],
    counts: Mapping[str, int],
    new_plans: Mapping[str, str],
    root: str | None = None,
) -> None:
    """Write down what `divide_images` says of `images`, and remove chunks that do not count."""
    outdated = [image for image in images if image in new_plans or image not in counts]
    remove_chunks(store, outdated, root)
    for image, text in new_plans.items():
        store.subfolder(FOLDER).write(f"{_stem(image, root)}.json", text)


def remove_chunks(store: Store, images: Collection[str], root: str | None = None) -> None:
    """Remove what exists of these images, temporary files too."""
    folder = store.subfolder(FOLDER)
    stems = {_stem(image, root) for image in images}
    names = folder.times() if stems else {}
    folder.remove([name for name in names if _stem_of(final_name(name)) in stems])


def _stem_of(name: str) -> str | None:
    """The stem of the image that a file is of, if it is of one."""
    match = _RESULT_NAME.fullmatch(name)
    return match[1] if match else None


def _stem(image: str, root: str | None) -> str:
    """A name in one folder for images of all."""
    return result_stem(image, root).replace("/", "%2F")


def _fingerprint(image: str) -> dict[str, object]:
    """By what a picture is told from another one of its name."""
    if not is_uri(image):
        status = Path(image).stat()
        return {"image": image, "bytes": status.st_size, "changed": status.st_mtime_ns}
    try:
        info = filesystem(image).info(image)
    # what stores raise has no base class but Exception; fetching it will say what is wrong
    except Exception:
        info = {}
    return {
        "image": strip_query(image),
        "bytes": info.get("size"),
        "changed": str(info.get("ETag") or modified_ns(info)),
    }
