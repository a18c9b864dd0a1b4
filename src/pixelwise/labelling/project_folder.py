"""From what the user gives to an open project: photos, an existing data set, or a project of
before.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pixelwise.classes import Classes
from pixelwise.datasets.class_files import CLASS_FILES, read_class_file
from pixelwise.datasets.open_dataset import matching_formats, open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.inference.sources import find_images
from pixelwise.io.atomic import lock_folder
from pixelwise.labelling.class_list import ClassList, first_classes
from pixelwise.labelling.journal import FILE_NAME, Journal
from pixelwise.labelling.large_pictures import cut_large
from pixelwise.labelling.photos import Photos, name_photos
from pixelwise.labelling.project import Project
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import UNLABELLED, Patch, Stroke
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

# The folder of a project with the parts of pictures that are too large to be painted on.
PARTS = "parts"


@dataclass(frozen=True)
class Origin:
    """Where a project's photos come from: files, or the images of a data set with its masks."""

    paths: dict[str, Path]
    source: Mapping[str, object] = field(default_factory=dict)
    dataset: DataSet | None = None

    @classmethod
    def of_files(cls, photos: Sequence[Path], folder: Path, progress: Progress) -> "Origin":
        """Of files, folders and patterns; those that are too large to be painted on come in parts,
        which lie in the project's `folder`. Raises DataError where there is no image.
        """
        source = {"photos": [str(path.resolve()) for path in photos]}
        pictures = name_photos(find_images(photos)).items()
        return cls(name_photos(cut_large(pictures, folder / PARTS, progress)), source)

    @classmethod
    def of_dataset(cls, root: Path) -> "Origin":
        """Of a data set; the names of its photos begin with their split where it has several."""
        dataset = open_dataset(root, DataOptions(hold_out=False, skip_unpaired=True))
        paths = dict[str, Path]()
        for split, pairs in dataset.splits.items():
            folder = f"{split}/" if len(dataset.splits) > 1 else ""
            paths |= {f"{folder}{pair.image.name}": pair.image for pair in pairs}
        return cls(paths, {"dataset": str(root.resolve())}, dataset)


@contextmanager
def open_project(
    photos: Sequence[Path],
    *,
    classes: str | None,
    model_classes: Classes | None = None,
    out: Path | None = None,
    copy: bool = False,
    progress: Progress | None = None,
) -> Iterator[Session]:
    """Hold the project of `photos` in `out`, for the block alone, begun where there is none yet.

    classes: names with commas between them, or a classes file; else those of the data set or of
    the model. Raises DataError and ConfigError for what cannot be, OutputError where another
    process has the folder, and where it cannot be written.
    """
    _check_exist(photos)
    folder = out or default_folder(photos)
    with lock_folder(folder):
        progress = progress or default_progress()
        origin = _find_origin(photos, folder, progress)
        session_photos = Photos(origin.paths)
        session = Session(folder, session_photos, copy=copy)
        try:
            if not session.version:
                names = choose_classes(classes, origin.dataset, model_classes)
                session.begin(names, origin.source)
                if origin.dataset is not None:
                    _import_masks(session, origin.dataset, progress)
            elif classes is not None:
                _check_same_classes(session, classes)
            yield session
        finally:
            session.journal.close()


def _check_exist(photos: Sequence[Path]) -> None:
    """Raises DataError for a path that is not there and no pattern either."""
    for path in photos:
        is_pattern = any(letter in str(path) for letter in "*?[")
        if not is_pattern and not path.exists():
            raise DataError(f"{path}: no such file or folder; give photos or a folder of them")


def default_folder(photos: Sequence[Path]) -> Path:
    """Where a project goes that is told nothing: the folder itself if it is one, else beside the
    photos.
    """
    first = photos[0]
    if (first / FILE_NAME).is_file():
        return first
    base = first if first.is_dir() else first.parent
    return base.resolve().with_name(f"{base.resolve().name}-labels")


def _find_origin(photos: Sequence[Path], folder: Path, progress: Progress) -> Origin:
    if len(photos) == 1 and (photos[0] / FILE_NAME).is_file():
        if photos[0].resolve() != folder.resolve():
            raise ConfigError(
                f"{photos[0]} is a labelling project: leave out --out to go on with it"
            )
        return _origin_of_project(folder, progress)
    if len(photos) == 1 and photos[0].is_dir() and matching_formats(photos[0]):
        return Origin.of_dataset(photos[0])
    return Origin.of_files(photos, folder, progress)


def _origin_of_project(folder: Path, progress: Progress) -> Origin:
    """The photos that the project began with, wherever it says they are."""
    journal = Journal(folder / FILE_NAME)
    journal.close()
    source = Project(journal.entries[:1]).source
    if "dataset" in source:
        return Origin.of_dataset(Path(str(source["dataset"])))
    named = source.get("photos", [])
    if not isinstance(named, list) or not named:
        raise DataError(f"{folder}: says of no photos; name them: pixelwise label PHOTOS --out ...")
    return Origin.of_files([Path(str(name)) for name in named], folder, progress)


def choose_classes(
    classes: str | None, dataset: DataSet | None, model_classes: Classes | None
) -> ClassList:
    """The classes that a project begins with. Raises ConfigError where nobody names them."""
    if dataset is not None:
        return first_classes(dataset.classes.names, dataset.classes.palette)
    if classes is not None:
        return first_classes(read_class_names(classes))
    if model_classes is not None:
        return first_classes(model_classes.names, model_classes.palette)
    raise ConfigError("there are no classes yet: give them, as in --classes road,car,sky")


def read_class_names(classes: str) -> list[str]:
    """The names in `classes`: with commas between them, or in a file of one of CLASS_FILES."""
    path = Path(classes)
    if path.name.lower() in CLASS_FILES and path.is_file():
        return [entry.name for entry in read_class_file(path) if entry.raw != 255]
    return [name.strip() for name in classes.split(",")]


def _check_same_classes(session: Session, classes: str) -> None:
    names = tuple(read_class_names(classes))
    current = session.classes.as_classes().names
    if names != current:
        raise ConfigError(
            f"the project in {session.folder} has the classes {', '.join(current)}: leave out "
            "--classes, and change them on the page"
        )


def _import_masks(session: Session, dataset: DataSet, progress: Progress) -> None:
    """Put the masks of a data set into the journal, each as one stroke."""
    pairs = [pair for pairs in dataset.splits.values() for pair in pairs]
    named = list(zip(session.photos.names, pairs, strict=True))
    for name, pair in progress.track(named, what="reading masks", total=len(named)):
        try:
            labels = dataset.read_labels(pair.mask)
            size = session.size(name)
            if labels.shape != size:
                raise ImageError(f"{pair.mask}: is of another size than its image")
        except ImageError as error:
            progress.log(f"left out: {error}")
            continue
        height, width = size
        unlabelled = np.where(labels == 255, UNLABELLED, labels).astype(np.uint8)
        patch = Patch(Box(0, 0, height, width), unlabelled)
        session.add(name, Stroke("import", UNLABELLED, patch=patch))
    session.write_masks()


def read_queue(path: Path, names: Sequence[str]) -> list[str]:
    """Names of photos in the order of the column `image` of a table, such as suspects.csv; each
    once. Raises DataError for a file that is none, and for one that names no photo here.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row.get("image") or "" for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read as a table ({error}); give suspects.csv"
        ) from error
    stems = {Path(name).stem: name for name in names}
    known = dict.fromkeys(names) | dict.fromkeys(stems)
    queue = [stems.get(Path(image).stem, image) for image in rows if Path(image).stem in known]
    if not queue:
        raise DataError(
            f"{path}: names none of these photos in a column `image`; give the suspects.csv of "
            "this data set"
        )
    return list(dict.fromkeys(queue))
