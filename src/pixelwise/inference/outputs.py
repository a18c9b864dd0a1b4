"""The results of images in the output folder: what would clash, and what exists already.

Images are paths or URIs; the folder is known by the names in it alone, so that it may lie in any
store.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pixelwise.errors import ConfigError
from pixelwise.inference.backends.autotune import model_key
from pixelwise.inference.result_names import IsLarge
from pixelwise.models.checkpoint import find_models, model_path
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
    def of(
        cls,
        model: str | Path | Sequence[str | Path],
        *,
        overwrite: bool,
        **options: object,
    ) -> "Recipe":
        """That of a run folder or model file, or of several, and JSON-like options."""
        paths = [path if is_exported(path) else model_path(path) for path in find_models(model)]
        keys = "+".join(map(model_key, paths))
        return cls({"model": keys, **json.loads(json.dumps(options))}, overwrite)

    def as_json(self) -> str:
        """What is written into RECIPE."""
        return json.dumps(self.made_with, indent=2, sort_keys=True) + "\n"


def check_clashes(
    results: Mapping[str, Sequence[Sequence[str]]],
    out: object,
    *,
    inputs: AbstractSet[str],
    is_large: IsLarge,
) -> None:
    """Raises ConfigError where two images would give files of one name, or a result would replace
    an input.

    results: the names of each image's results, in each way in which it may be read. inputs: names
    of the images that lie in `out` themselves.
    """
    by_name = dict[str, str]()
    for image, kinds in results.items():
        for name in chain(*kinds):
            first_image = by_name.setdefault(name, image)
            if first_image != image:
                raise ConfigError(
                    f"{first_image} and {image} would both be written as {name}; rename one, or "
                    "predict them into two folders"
                )
        for name in filter(inputs.__contains__, chain(*kinds)):
            # of an image whose header is read for no other reason
            if name.endswith(".tif") and is_large(image) is False:
                continue
            raise ConfigError(
                f"{name}, a result of {image}, would overwrite an input image; choose "
                f"another --out than {out}"
            )


def find_finished(
    results: Mapping[str, Sequence[Sequence[str]]],
    out: object,
    *,
    times: Mapping[str, int],
    inputs: AbstractSet[str],
    is_same_recipe: bool,
) -> dict[str, str]:
    """The images whose results are all in `out`, made by the same recipe, with their masks'
    names. Raises ConfigError where there is a mask by another, whatever else is or is not beside
    it.

    results, inputs: as in `check_clashes`. times: the files in `out` with the times they were
    written, in nanoseconds. Results older than RECIPE were there before its recipe: a call with
    --overwrite was stopped before it came to them.
    """
    complete = dict[str, Sequence[str]]()
    mask_count = 0
    for image, all_kinds in results.items():
        # an image is no mask, though it may have a mask's name
        kinds = [names for names in all_kinds if names[0] not in inputs and names[0] in times]
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
