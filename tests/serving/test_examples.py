"""Pictures to try, by what the models know."""

import json
from dataclasses import asdict
from pathlib import Path

from pixelwise.classes import Classes
from pixelwise.datasets.synthetic import CLASSES, write_shapes
from pixelwise.datasets.types import DataOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.serving.examples import find_examples

from .conftest import by_brightness


def predictor_of(*names: str) -> Predictor:
    return Predictor(by_brightness, Classes.named(names))


def test_photographs_and_shapes_go_to_the_models_that_know_them_alone() -> None:
    predictors = {
        "pets": predictor_of("ground", "cat", "person"),
        "people": predictor_of("ground", "person"),
        "shapes": predictor_of(*CLASSES.names),
        "roads": predictor_of("ground", "road"),
    }
    examples = find_examples(predictors, own_images=True)
    assert {example.title: example.models for example in examples} == {
        "Shapes 1": ["shapes"],
        "Shapes 2": ["shapes"],
        "Cat": ["pets"],
        "Portrait of Grace Hopper": ["pets", "people"],
    }


def test_a_run_of_other_classes_shows_its_validation_images_to_this_machine_alone(
    tmp_path: Path,
) -> None:
    write_shapes(tmp_path / "data", train=1, val=7, test=1, size=(24, 32))
    record = {"data": {"root": str(tmp_path / "data")}, "reading": asdict(DataOptions())}
    (tmp_path / "run.json").write_text(json.dumps(record))
    predictor = predictor_of("ground", "road")
    predictor.name = str(tmp_path)
    examples = find_examples({"roads": predictor}, own_images=True)
    assert [example.models for example in examples] == [["roads"]] * 3
    names = [path.stem for path in sorted((tmp_path / "data/images/val").iterdir())]
    assert [example.title for example in examples] == names[0:6:2]
    assert find_examples({"roads": predictor}, own_images=False) == []
