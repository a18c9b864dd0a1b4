"""Pictures to try on the page, each for the models that know what it shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.datasets.run_images import validation_pairs
from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.datasets.synthetic import CLASSES, draw_scene
from pixelwise.errors import PixelwiseError
from pixelwise.inference.predictor import Predictor
from pixelwise.io.channels import TO_SHOW
from pixelwise.io.images import encode_image, pixel_count, read_rgb

# Of a model's own validation images.
MAX_OWN = 3
# Larger images would hold up the start of the server and of the page.
MAX_OWN_PIXELS = 4_000_000
_TITLES = {"cat": "Cat", "person": "Portrait of Grace Hopper"}


@dataclass(frozen=True)
class Example:
    """A JPEG file, and the names of the models that it is for."""

    title: str
    jpeg: bytes
    models: list[str]


def find_examples(predictors: Mapping[str, Predictor], *, own_images: bool) -> list[Example]:
    """Photographs that show a class of the model, drawn shapes where it knows these, and else, with
    `own_images`, some validation images of its run.
    """
    examples = list(_shared_examples(predictors))
    with_any = {model for example in examples for model in example.models}
    for model, predictor in predictors.items():
        if own_images and model not in with_any:
            examples += _own_examples(model, predictor)
    return examples


def _shared_examples(predictors: Mapping[str, Predictor]) -> Iterator[Example]:
    classes = {model: set(predictor.classes.names) for model, predictor in predictors.items()}
    shapes = [model for model, names in classes.items() if names.issuperset(CLASSES.names[1:])]
    if shapes:
        rng = np.random.default_rng(4)
        for number in (1, 2):
            rgb, _ = draw_scene(rng, (360, 480), 7)
            yield Example(f"Shapes {number}", encode_image(rgb, "JPEG"), shapes)
    for shown, photo in sample_photos().items():
        models = [model for model, names in classes.items() if shown in names]
        if models:
            yield Example(_TITLES[shown], encode_image(read_rgb(photo, TO_SHOW), "JPEG"), models)


def _own_examples(model: str, predictor: Predictor) -> Iterator[Example]:
    pairs = validation_pairs(Path(predictor.name))
    step = max(1, len(pairs) // MAX_OWN)
    for pair in pairs[::step][:MAX_OWN]:
        if (pixel_count(pair.image) or 0) > MAX_OWN_PIXELS:
            continue
        try:
            rgb = read_rgb(pair.image, predictor.rule)
        except PixelwiseError:
            continue  # an example less
        yield Example(pair.name, encode_image(rgb, "JPEG"), [model])
