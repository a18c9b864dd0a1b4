"""What an image becomes in the output folder, by name: what would clash, and what exists already.

Images are paths or URIs; the folder is known by the names in it alone, so that it may lie in any
store.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.errors import ConfigError
from pixelwise.inference.backends.autotune import model_key
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.storage import strip_query
from pixelwise.models.checkpoint import model_path
from pixelwise.models.file_kinds import is_exported

# In the output folder: what the masks there were made with, so that a second call knows which it
# can leave.
RECIPE = ".pixelwise.json"


@dataclass(frozen=True)
class Recipe:
    """What masks are made with: the model's content and the options that change them. `overwrite`:
    replace all.
    """

    made_with: dict[str, Any]
    overwrite: bool = False

    @classmethod
    def of(cls, model: Path, *, overwrite: bool, **options: object) -> "Recipe":
        """That of a run folder or model file and JSON-like options."""
        path = model if is_exported(model) else model_path(model)
        return cls({"model": model_key(path), **json.loads(json.dumps(options))}, overwrite)

    def as_json(self) -> str:
        """What is written into RECIPE."""
        return json.dumps(self.made_with, indent=2, sort_keys=True) + "\n"


def result_names(image: Path | str, choices: PredictOptions) -> tuple[list[str], list[str]]:
    """The files that an image becomes, the mask first: where it is read at once, and where by
    window.
    """
    stem = Path(strip_query(image)).stem
    plain = [f"{stem}.png"]
    raster = [f"{stem}.tif"]
    if choices.overlay:
        plain.append(f"{stem}_overlay.jpg")
    if choices.confidence:
        plain.append(f"{stem}_confidence.png")
        raster.append(f"{stem}_confidence.tif")
    if choices.scores:
        plain.append(f"{stem}_{choices.scores}.npz")
        raster.append(f"{stem}_{choices.scores}.tif")
    if "polygons" in choices.extras:
        raster.append(f"{stem}.geojson")
    return plain, raster


def check_clashes(
    images: Sequence[str],
    out: object,
    choices: PredictOptions,
    *,
    inputs: AbstractSet[str],
    is_large: Callable[[str], bool],
) -> None:
    """Raises ConfigError where two images would give files of one name, or a result would replace
    an input.

    inputs: names of the images that lie in `out` themselves. is_large: whether an image is read by
    window.
    """
    by_name = dict[str, str]()
    for image in images:
        plain, raster = result_names(image, choices)
        for name in (*plain, *raster):
            first_image = by_name.setdefault(name, image)
            if first_image != image:
                raise ConfigError(
                    f"{first_image} and {image} would both be written as {name}; predict them into "
                    "two folders"
                )
        overwritten = [name for name in plain if name in inputs]
        overwritten += [name for name in raster if name in inputs and is_large(image)]
        if overwritten:
            raise ConfigError(
                f"{overwritten[0]}, a result of {image}, would overwrite an input image; choose "
                f"another --out than {out}"
            )


def find_finished(
    images: Sequence[str],
    out: object,
    choices: PredictOptions,
    *,
    times: Mapping[str, int],
    inputs: AbstractSet[str],
    is_same_recipe: bool,
) -> dict[str, str]:
    """The images whose results are all in `out`, made by the same recipe, with their masks'
    names. Raises ConfigError where there is a mask by another, whatever else is or is not beside
    it.

    times: the files in `out` with the times they were written, in nanoseconds. inputs: names of
    the images that lie in `out` themselves. Results older than RECIPE were there before its
    recipe: a call with --overwrite was stopped before it came to them.
    """
    complete = dict[str, list[str]]()
    mask_count = 0
    for image in images:
        # an image is no mask, though it may have a mask's name
        kinds = [names for names in result_names(image, choices) if names[0] not in inputs]
        kinds = [names for names in kinds if names[0] in times]
        mask_count += bool(kinds)
        for names in kinds:
            if all(name in times for name in names):
                complete[image] = names
                break
    if mask_count and not is_same_recipe:
        raise ConfigError(
            f"{out} has masks of {mask_count} of these images, made with another model or other "
            "options; give --overwrite to replace them, or another --out"
        )
    since = times.get(RECIPE, 0)
    return {
        image: names[0]
        for image, names in complete.items()
        if min(times[name] for name in names) >= since
    }
