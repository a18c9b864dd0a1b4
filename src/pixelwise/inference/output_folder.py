"""The folder that results go to: which images are done there, by which recipe, and whose each mask
is.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.errors import ConfigError, OutputError
from pixelwise.inference.areas import COLUMNS as AREA_COLUMNS
from pixelwise.inference.areas import remove_table, write_areas
from pixelwise.inference.count_scores import read_count_intervals
from pixelwise.inference.manifest import (
    DONE,
    FOLDER,
    Fingerprint,
    Manifest,
    fingerprint_of,
    read_manifest,
)
from pixelwise.inference.object_masks import map_path
from pixelwise.inference.objects import COLUMNS as OBJECT_COLUMNS
from pixelwise.inference.objects import (
    COUNT_COLUMNS,
    COUNT_TABLE,
    PIXELS,
    TABLE,
    ObjectRules,
    write_objects,
)
from pixelwise.inference.outputs import (
    RECIPE,
    Recipe,
    check_clashes,
    find_finished,
)
from pixelwise.inference.pixel_size import PixelSize
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.result_names import IsLarge, find_root, possible_results
from pixelwise.io.atomic import remove_stale_temp_files
from pixelwise.io.frames import file_of
from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.shards import parse_slot
from pixelwise.io.storage import Store, is_uri, resolve_uri, strip_query
from pixelwise.progress import Progress

# Tables of all masks, made when these are done, by the extra that asks for them.
TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "areas": {"areas.csv": AREA_COLUMNS},
    "objects": {TABLE: OBJECT_COLUMNS, COUNT_TABLE: COUNT_COLUMNS},
}

# Seconds after which a temporary file that has not changed is one of a command that was killed.
STALE_AFTER_S = 3600.0


class OutputFolder:
    """What one call does in `store` for its images, which are paths and URIs.

    root: the folder beneath which those of images are mirrored, as some share their names; None
    where none do. results: the names of each image's results, in each way in which it may be
    read. inputs: names of the images that lie in the folder themselves. is_large: whether an image
    is read by window. Without a `recipe` nothing is looked up and nothing is recorded: all masks
    are made again. A call may end a job that another one began, on one machine or on many: they
    share the recipe and the manifest.
    """

    def __init__(
        self,
        store: Store,
        images: Sequence[str],
        options: PredictOptions,
        recipe: Recipe | None = None,
        *,
        is_large: IsLarge = lambda _: None,
    ) -> None:
        self.store = store
        self.root = find_root(images, options, is_large)
        self.inputs = names_in_folder(images, store, beneath=self.root is not None)
        self.results = possible_results(images, options, is_large, self.root)
        self._is_large = is_large
        self._options = options
        self._recipe = recipe
        self._manifest = Manifest(store)
        self._unrecorded = dict[str, str]()
        # as they are when the call begins: an image that changes later gets no mask of its own
        self._fingerprints = {image: _fingerprint(image) for image in (images if recipe else ())}

    def check(self, progress: Progress) -> None:
        """Raises ConfigError where the folder is named like a picture and where results would clash
        with each other or with an input, OutputError where the folder is a file. Logs where results
        lie in folders of their own.
        """
        local = self.store.local
        _check_is_folder(self.store)
        for table in TABLES:
            if table in self._options.extras and local is None:
                raise ConfigError(
                    f"{table}: the table is made of masks on disk; leave it out, or give a folder "
                    "as --out"
                )
        self._check_maps()
        check_clashes(self.results, self.store.root, inputs=self.inputs, is_large=self._is_large)
        if local is not None and local.exists() and not local.is_dir():
            raise OutputError(f"output folder {local} is a file; choose another --out")
        if self.root is not None:
            progress.log(
                f"images of several folders share names: {self.store.root} gets folders as "
                f"beneath {self.root or '/'}"
            )

    def is_free(self) -> bool:
        """Whether this call may use the folder unasked: it is new or empty, or all in it is of the
        same recipe and no image. To overwrite, masks of any recipe are enough.
        """
        local = self.store.local
        if local is None or not local.exists():
            return True
        if not local.is_dir():
            return False
        return not any(local.iterdir()) or self._is_own()

    def _is_own(self) -> bool:
        """Whether the folder holds masks that this call would go on with or may replace."""
        recipe = self._recipe
        made_with = self._made_with()
        if recipe is None or made_with is None:
            return False
        if recipe.overwrite:
            return True
        try:
            self.find_finished()
        except ConfigError:
            return False
        return made_with == recipe.made_with

    def find_finished(self) -> dict[str, str]:
        """The images that need no work, with their masks' names. Raises ConfigError where the
        masks were made by another recipe, or one is of another image.
        """
        if self._recipe is None or self._recipe.overwrite:
            return {}
        times = self.store.times()
        for folder in self.names_by_folder().keys() - {""}:
            in_folder = self.store.subfolder(folder).times()
            times |= {f"{folder}/{name}": time for name, time in in_folder.items()}
        masks = find_finished(
            self.results,
            self.store.root,
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

    def names_by_folder(self) -> dict[str, list[str]]:
        """All names that results may have, by their folder in the store, which is empty for its
        own.
        """
        names = defaultdict[str, list[str]](list)
        for name in chain.from_iterable(chain(*self.results.values())):
            folder, _, last = name.rpartition("/")
            names[folder].append(last)
        return names

    def begin(self) -> None:
        """Write what the masks are made with, where it is not written yet, and remove what killed
        commands left. Raises OutputError where nothing can be written.
        """
        recipe = self._recipe
        local = self.store.local
        if recipe is not None:
            for extra, tables in TABLES.items():
                if recipe.overwrite and extra not in self._options.extras and local is not None:
                    for name, columns in tables.items():  # they would speak of masks that are gone
                        remove_table(local / name, columns)
            if recipe.overwrite or self._made_with() != recipe.made_with:
                self.store.write(RECIPE, recipe.as_json())
        if local is not None:
            for folder, names in self.names_by_folder().items():
                remove_stale_temp_files(local / folder, names=names, older=STALE_AFTER_S)

    def record(self, row: Mapping[str, Any]) -> None:
        """Write down what became of an image. Raises OutputError."""
        if self._recipe is None:
            return
        image = row["image"]
        known_before = image in self._fingerprints  # not a frame of a film
        fingerprint = self._fingerprints[image] if known_before else _fingerprint(image)
        known = {} if fingerprint is None else fingerprint._asdict()
        # a URI keeps its query here, for the manifest to take out of the reason too
        name = image if is_uri(image) else name_of(image)
        self._manifest.add({**row, **known, "image": name})

    def record_earlier(self, pixels: Mapping[str, int | None]) -> None:
        """Write down the masks that exist but stand in no manifest: a command was killed before
        it came to that. Of which state of their images they are is not known.
        """
        for image, mask in self._unrecorded.items():
            row = {"image": name_of(image), "state": DONE, "mask": mask, "pixels": pixels[image]}
            self._manifest.add(row)

    def write_tables(
        self, masks: Iterable[str], names: tuple[str, ...], log: Callable[[str], None]
    ) -> str:
        """Write the tables that are asked for; returns how many objects there are, as a line."""
        local = self.store.local
        options = self._options
        if local is None:
            return ""
        paths = [local / mask for mask in masks]
        if "areas" in options.extras:
            write_areas(local / "areas.csv", paths, names)
        if "objects" not in options.extras:
            return ""
        rules = ObjectRules(
            PixelSize.parse(options.pixel_size) if options.pixel_size else PIXELS,
            options.split_touching,
            options.thin,
            read_count_intervals(Path(options.object_scores), split=options.split_touching)
            if options.object_scores
            else {},
        )
        return write_objects(local, paths, names, rules, log=log)

    def _check_maps(self) -> None:
        """Raises ConfigError where a map of objects would replace a result or an input."""
        if "objects" not in self._options.extras:
            return
        taken = {name for kinds in self.results.values() for name in chain(*kinds)} | self.inputs
        for image, kinds in self.results.items():
            for mask, *_ in kinds:
                maps = {map_path(Path(mask), suffix).as_posix() for suffix in ("", ".tif")}
                for name in sorted(maps & taken):
                    raise ConfigError(
                        f"{name}, the map of the objects in {image}, would be written over another "
                        "image or result of that name; rename it, or choose another --out"
                    )

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


def names_in_folder(
    images: Iterable[str], store: Store, *, beneath: bool = False
) -> frozenset[str]:
    """Names of the images that lie in a store, the files themselves and the links to them;
    `beneath` it too, as paths from there, where results are mirrored.
    """
    names = _names_beneath(images, store)
    return names if beneath else frozenset(name for name in names if "/" not in name)


def _names_beneath(images: Iterable[str], store: Store) -> frozenset[str]:
    if store.local is not None:
        return _names_on_disk(
            [file_of(image) for image in images if is_on_disk(image)], store.local
        )
    kind, place = resolve_uri(store.root)
    images = [image for image in images if is_uri(image)]
    folders = {folder: resolve_uri(folder) for folder in {i.rpartition("/")[0] for i in images}}
    names = set[str]()
    for image in images:
        folder, _, name = image.rpartition("/")
        image_kind, image_folder = folders[folder]
        if image_kind == kind and f"{image_folder}/".startswith(f"{place}/"):
            names.add(f"{image_folder}/{name}".removeprefix(f"{place}/"))
    return frozenset(names)


def _names_on_disk(images: Collection[Path], folder: Path) -> frozenset[str]:
    parents = {parent: parent.resolve() for parent in {image.parent for image in images}}
    place = folder.resolve()
    files = {image.resolve() for image in images}
    links = {parents[image.parent] / image.name for image in images}
    beneath = (path for path in files | links if path.is_relative_to(place))
    return frozenset(path.relative_to(place).as_posix() for path in beneath)


def is_on_disk(image: str) -> bool:
    """Whether it is a file of its own on a disk, not an object and not part of a shard."""
    return not is_uri(image) and parse_slot(image) is None


def name_of(image: str) -> str:
    """How the manifest calls an image: an absolute path, or a URI without its query."""
    return strip_query(image) if is_uri(image) else str(Path(image).absolute())


def _fingerprint(image: str) -> Fingerprint | None:
    """That of a file on disk; None of one that does not exist, and of what lies elsewhere."""
    if not is_on_disk(image):
        return None
    try:
        status = file_of(image).stat()
    except (OSError, ValueError):
        return None
    return Fingerprint(status.st_size, status.st_mtime_ns)
