"""The folder that results go to: which images are done there, by which recipe, and whose each mask
is.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.errors import ConfigError, OutputError
from pixelwise.inference.areas import remove_areas, write_areas
from pixelwise.inference.manifest import (
    DONE,
    FOLDER,
    Fingerprint,
    Manifest,
    fingerprint_of,
    read_manifest,
)
from pixelwise.inference.outputs import (
    RECIPE,
    Recipe,
    check_clashes,
    find_finished,
    result_names,
)
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.atomic import remove_stale_temp_files
from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.shards import parse_slot
from pixelwise.io.storage import Store, is_uri, resolve_uri, strip_query

AREAS = "areas.csv"

# Seconds after which a temporary file that has not changed is one of a command that was killed.
STALE_AFTER_S = 3600.0


class OutputFolder:
    """What one call does in `store` for its images, which are paths and URIs.

    inputs: names of the images that lie in the folder themselves. Without a `recipe` nothing is
    looked up and nothing is recorded: all masks are made again. A call may end a job that another
    one began, on one machine or on many: they share the recipe and the manifest.
    """

    def __init__(
        self,
        store: Store,
        images: Sequence[str],
        options: PredictOptions,
        recipe: Recipe | None = None,
    ) -> None:
        self.store = store
        self.inputs = names_in_folder(images, store)
        self._images = images
        self._options = options
        self._recipe = recipe
        self._manifest = Manifest(store)
        self._unrecorded = dict[str, str]()
        # as they are when the call begins: an image that changes later gets no mask of its own
        self._fingerprints = {image: _fingerprint(image) for image in (images if recipe else ())}

    def check(self, *, is_large: Callable[[str], bool]) -> None:
        """Raises ConfigError where the folder is named like a picture and where results would clash
        with each other or with an input, OutputError where the folder is a file. is_large: whether
        an image is read by window.
        """
        local = self.store.local
        _check_is_folder(self.store)
        if "areas" in self._options.extras and local is None:
            raise ConfigError(
                "areas: the table is made of masks on disk; leave it out, or give a folder as --out"
            )
        check_clashes(
            self._images,
            self.store.root,
            self._options,
            inputs=self.inputs,
            is_large=is_large,
        )
        if local is not None and local.exists() and not local.is_dir():
            raise OutputError(f"output folder {local} is a file; choose another --out")

    def find_finished(self) -> dict[str, str]:
        """The images that need no work, with their masks' names. Raises ConfigError where the
        masks were made by another recipe, or one is of another image.
        """
        if self._recipe is None or self._recipe.overwrite:
            return {}
        times = self.store.times()
        masks = find_finished(
            self._images,
            self.store.root,
            self._options,
            times=times,
            inputs=self.inputs,
            is_same_recipe=self._made_with() == self._recipe.made_with,
        )
        rows = read_manifest(self.store, since=times.get(RECIPE, 0)) if masks else {}
        records = {row["mask"]: row for row in rows.values() if row["state"] == DONE}
        finished = {
            image: mask
            for image, mask in masks.items()
            if self._is_of(image, mask, records.get(mask), times[mask])
        }
        self._unrecorded = {i: mask for i, mask in finished.items() if mask not in records}
        return finished

    def begin(self) -> None:
        """Write what the masks are made with, where it is not written yet, and remove what killed
        commands left. Raises OutputError where nothing can be written.
        """
        recipe = self._recipe
        local = self.store.local
        if recipe is not None:
            if recipe.overwrite and "areas" not in self._options.extras and local is not None:
                remove_areas(local / AREAS)  # it would speak of masks that are no more
            if recipe.overwrite or self._made_with() != recipe.made_with:
                self.store.write(RECIPE, recipe.as_json())
        if local is not None:
            names = result_file_names(self._images, self._options)
            remove_stale_temp_files(local, names=names, older=STALE_AFTER_S)

    def record(self, row: Mapping[str, Any]) -> None:
        """Write down what became of an image. Raises OutputError."""
        if self._recipe is None:
            return
        fingerprint = self._fingerprints.get(row["image"])
        known = {} if fingerprint is None else fingerprint._asdict()
        # a URI keeps its query here, for the manifest to take out of the reason too
        image = row["image"] if is_uri(row["image"]) else name_of(row["image"])
        self._manifest.add({**row, **known, "image": image})

    def record_earlier(self, pixels: Mapping[str, int | None]) -> None:
        """Write down the masks that exist but stand in no manifest: a command was killed before
        it came to that. Of which state of their images they are is not known.
        """
        for image, mask in self._unrecorded.items():
            row = {"image": name_of(image), "state": DONE, "mask": mask, "pixels": pixels[image]}
            self._manifest.add(row)

    def write_areas(self, masks: Iterable[str], names: tuple[str, ...]) -> None:
        """Write the table of areas, if it is asked for."""
        local = self.store.local
        if "areas" in self._options.extras and local is not None:
            write_areas(local / AREAS, [local / mask for mask in masks], names)

    def close(self) -> None:
        """No more records."""
        self._manifest.close()

    def _made_with(self) -> object:
        """What the folder's masks were made with, as far as it says."""
        try:
            return json.loads(self.store.text(RECIPE) or "null")
        except (OSError, ValueError):
            return None

    def _is_of(self, image: str, mask: str, record: Mapping[str, str] | None, time: int) -> bool:
        """Whether a mask written at `time` is of the image as it is now. Raises ConfigError where
        it is of another one.
        """
        current = self._fingerprints[image]
        if current is None and is_on_disk(image):
            return False  # reading it will say what is wrong
        recorded = None if record is None else fingerprint_of(record)
        if recorded is not None and recorded == current:  # the same file, maybe moved
            return True
        if record is None or record["image"] == name_of(image):
            if current is None:
                return True
            return recorded is None and current.modified <= time
        raise ConfigError(
            f"{self.store.root} has a mask {mask} of {record['image']}, another image than "
            f"{strip_query(image)}; give --overwrite to make it again, or another --out; if it is "
            f"the same that was moved, remove {self.store.at(FOLDER)}"
        )


def _check_is_folder(store: Store) -> None:
    """Raises ConfigError for a name of a picture: whoever gives one wants a file of that name."""
    name = PurePosixPath(store.root)
    exists = store.local is not None and store.local.exists()
    if name.suffix.lower() in IMAGE_SUFFIXES and not exists:
        raise ConfigError(
            f"--out {store.root}: --out is a folder, in which each mask takes its image's name "
            f"(photo.jpg becomes photo.png); name the folder, such as {name.with_suffix('')}"
        )


def names_in_folder(images: Iterable[str], store: Store) -> frozenset[str]:
    """Names of the images that lie in a store: the files themselves, and the links to them."""
    if store.local is not None:
        return _names_on_disk([Path(image) for image in images if is_on_disk(image)], store.local)
    place = resolve_uri(store.root)
    images = list(images)
    folders = {image.rpartition("/")[0] for image in images}
    same = {folder for folder in folders if is_uri(folder) and resolve_uri(folder) == place}
    return frozenset(
        PurePosixPath(image).name for image in images if image.rpartition("/")[0] in same
    )


def _names_on_disk(images: Collection[Path], folder: Path) -> frozenset[str]:
    parents = {parent: parent.resolve() for parent in {image.parent for image in images}}
    place = folder.resolve()
    files = {image.resolve() for image in images}
    links = {parents[image.parent] / image.name for image in images}
    return frozenset(path.name for path in files | links if path.parent == place)


def is_on_disk(image: str) -> bool:
    """Whether it is a file of its own on a disk, not an object and not part of a shard."""
    return not is_uri(image) and parse_slot(image) is None


def name_of(image: str) -> str:
    """How the manifest calls an image: an absolute path, or a URI without its query."""
    return strip_query(image) if is_uri(image) else str(Path(image).absolute())


def result_file_names(images: Iterable[str], options: PredictOptions) -> Iterable[str]:
    """All names that the images' results may have."""
    return (name for image in images for name in chain(*result_names(image, options)))


def _fingerprint(image: str) -> Fingerprint | None:
    """That of a file on disk; None of one that does not exist, and of what lies elsewhere."""
    if not is_on_disk(image):
        return None
    try:
        status = Path(image).stat()
    except (OSError, ValueError):
        return None
    return Fingerprint(status.st_size, status.st_mtime_ns)
