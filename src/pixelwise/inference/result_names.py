"""How the results of an image are called in the output folder, in which folders mirror those of the
images where names are shared.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from pixelwise.inference.layer_options import LayerOptions
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.frames import parse_frame
from pixelwise.io.read_film import is_film
from pixelwise.io.shards import parse_slot
from pixelwise.io.storage import is_uri, strip_query

# Whether an image is read by window; None where only reading it will tell.
IsLarge = Callable[[str], bool | None]


def result_stem(image: Path | str, root: str | None = None) -> str:
    """The name of an image's results without their endings: its own, or beneath `root` its whole
    path from there; of one of several frames with its number, from 0001, behind; of one of a film's
    its number alone, from 000001.
    """
    frame = parse_frame(str(image))
    if frame is not None and is_film(str(frame.path)):
        return f"{frame.number + 1:06}"
    if frame is not None:
        return f"{result_stem(frame.path, root)}_{frame.number + 1:04}"
    if root is None:
        return Path(strip_query(image)).stem
    path, _ = posixpath.splitext(_location(str(image)))
    return path.removeprefix(root).lstrip("/")


def layer_names(stem: str, classes: Sequence[str]) -> list[str]:
    """The files of an image's layers, one a class: with what file names may hold of their names."""
    words = [re.sub(r"[^\w.+-]+", "-", name).strip("-.") for name in classes]
    return [
        f"{stem}_{word}.png" if word and words.count(word) == 1 else f"{stem}_{word}-{number}.png"
        for number, word in enumerate(words, 1)
    ]


def result_names(
    image: Path | str, choices: PredictOptions, root: str | None = None
) -> tuple[list[str], list[str]]:
    """The files that an image becomes, the mask first: where it is read at once, and where by
    window. root: as in `result_stem`.
    """
    stem = result_stem(image, root)
    plain = [f"{stem}.png"]
    raster = [f"{stem}.tif"]
    if isinstance(choices, LayerOptions):
        plain = layer_names(stem, choices.layers)
    if choices.overlay:
        plain.append(f"{stem}_overlay.jpg")
    if choices.overlay and not isinstance(choices, LayerOptions):
        raster.append(f"{stem}_overlay.jpg")
    if choices.confidence:
        plain.append(f"{stem}_confidence.png")
        raster.append(f"{stem}_confidence.tif")
    if "cutouts" in choices.extras:
        plain.append(f"{stem}_cutout.png")
    if choices.scores:
        plain.append(f"{stem}_{choices.scores}.npz")
        raster.append(f"{stem}_{choices.scores}.tif")
    if "polygons" in choices.extras:
        raster.append(f"{stem}.geojson")
    return plain, raster


def find_root(images: Sequence[str], choices: PredictOptions, is_large: IsLarge) -> str | None:
    """The folder beneath which images of different folders are told apart by their paths; None
    where their names do that.
    """
    by_name = dict[str, str]()
    folders = {image: posixpath.dirname(_location(image)) for image in images}
    for image, kinds in possible_results(images, choices, is_large).items():
        for name in (name for names in kinds for name in names):
            if folders[by_name.setdefault(name, image)] != folders[image]:
                return _common_folder(folders.values())
    return None


def possible_results(
    images: Iterable[str], choices: PredictOptions, is_large: IsLarge, root: str | None = None
) -> dict[str, list[list[str]]]:
    """The names of the results of each image in the ways in which it may be read: one for those
    that share their stem with others, as an ortho.tif with its preview ortho.jpg.
    """
    images = list(images)
    by_stem = defaultdict[str, list[str]](list)
    for image in images:
        by_stem[result_stem(image, root)].append(image)
    results = dict[str, list[list[str]]]()
    for image in images:
        plain, raster = result_names(image, choices, root)
        is_shared = len(by_stem[result_stem(image, root)]) > 1
        large = is_large(image) if is_shared else None
        results[image] = [plain, raster] if large is None else [raster if large else plain]
    return results


def _location(image: str) -> str:
    """An absolute path or a URI, without steps up; of a shard's member as if it were unpacked."""
    slot = parse_slot(image)
    if slot is not None:
        folder = posixpath.dirname(_location(slot.shard))
        return folder + posixpath.normpath(f"/{slot.member}")
    if is_uri(image):
        return strip_query(image)
    return posixpath.normpath(Path(image).absolute().as_posix())


def _common_folder(folders: Iterable[str]) -> str | None:
    """The path that all begin with; None where they are of several stores or drives."""
    common: list[str] | None = None
    for parts in (folder.split("/") for folder in folders):
        pairs = zip(common or parts, parts, strict=False)
        common = [part for part, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    return "/".join(common) if common else None
