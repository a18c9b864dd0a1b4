"""What an image becomes in the output folder, by name: what would clash, and what is there already.

Images are paths or addresses; the folder is known by the names in it alone, so that it may lie in
any store.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pixelwise.errors import ConfigError
from pixelwise.inference.backends.autotune import model_key
from pixelwise.inference.load import EXPORTED
from pixelwise.inference.options import PredictOptions
from pixelwise.io.storage import strip_query
from pixelwise.models.checkpoint import model_path

Name = TypeVar("Name", Path, str)

RECIPE = ".pixelwise.json"
"""In the output folder: what the masks there were made with, so that a second call knows which it
can leave.
"""


@dataclass(frozen=True)
class Recipe:
    """What masks are made with: the model's content and the options that change them. `overwrite`:
    make all anew.
    """

    made_with: dict[str, Any]
    overwrite: bool = False

    @classmethod
    def of(cls, model: Path, *, overwrite: bool, **options: object) -> "Recipe":
        """That of a run folder or model file and JSON-like options."""
        path = model if model.suffix in EXPORTED else model_path(model)
        return cls({"model": model_key(path), **json.loads(json.dumps(options))}, overwrite)

    def as_json(self) -> str:
        """What is written into RECIPE."""
        return json.dumps(self.made_with, indent=2, sort_keys=True) + "\n"


def result_names(image: Path | str, choices: PredictOptions) -> tuple[list[str], list[str]]:
    """The files that an image becomes, the mask first: where it is read at once, and where by
    window.
    """
    stem = Path(strip_query(image)).stem
    names = [*["confidence"] * choices.confidence, *[choices.scores] * bool(choices.scores)]
    plain = [".png", *["_overlay.jpg"] * choices.overlay]
    plain += [f"_{name}.png" if name == "confidence" else f"_{name}.npz" for name in names]
    raster = [
        ".tif",
        *(f"_{name}.tif" for name in names),
        *[".geojson"] * ("polygons" in choices.extras),
    ]
    return [f"{stem}{end}" for end in plain], [f"{stem}{end}" for end in raster]


def check_clashes(
    images: Sequence[Name],
    out: object,
    choices: PredictOptions,
    *,
    beside: AbstractSet[str],
    is_large: Callable[[Name], bool],
) -> None:
    """Raises ConfigError where two images would give files of one name, or a result would replace
    an input.

    beside: names of the images that lie in `out` themselves. is_large: whether an image is read by
    window.
    """
    by_name = dict[str, Name]()
    for image in images:
        names = result_names(image, choices)
        for name in chain(*names):
            other = by_name.setdefault(name, image)
            if other != image:
                raise ConfigError(
                    f"{other} and {image} would both be written as {name}; predict them into "
                    "two folders"
                )
        lost = [name for name in names[0] if name in beside]
        lost += [name for name in names[1] if name in beside and is_large(image)]
        if lost:
            raise ConfigError(
                f"{lost[0]}, a result of {image}, would overwrite an input image; choose "
                f"another --out than {out}"
            )


def find_finished(
    images: Sequence[Name],
    out: object,
    choices: PredictOptions,
    *,
    there: Mapping[str, int],
    beside: AbstractSet[str],
    same: bool,
) -> dict[Name, str]:
    """The images whose results are all in `out`, made by the `same` recipe, with their masks'
    names. Raises ConfigError where there is a mask by another, whatever else is or is not beside
    it.

    there: the files in `out` with the times they were written, in nanoseconds. Results older than
    RECIPE were there before its recipe: a call with --overwrite was stopped before it came to them.
    """
    whole = dict[Name, list[str]]()
    masks = 0
    for image in images:
        kinds = [
            names for names in result_names(image, choices) if names[0] not in beside
        ]  # an image is no mask
        kinds = [names for names in kinds if names[0] in there]
        masks += bool(kinds)
        found = next((names for names in kinds if all(name in there for name in names)), None)
        if found:
            whole[image] = found
    if masks and not same:
        raise ConfigError(
            f"{out} has masks of {masks} of these images, made with another model or other "
            "options; give "
            "--overwrite to make them anew, or another --out"
        )
    since = there.get(RECIPE, 0)
    return {
        i: names[0] for i, names in whole.items() if min(there[name] for name in names) >= since
    }
