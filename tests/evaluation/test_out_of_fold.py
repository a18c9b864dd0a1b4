from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.datasets.types import ALL, DataSet
from pixelwise.evaluation.out_of_fold import OutOfFold, describe_ensemble, hold_out_images
from pixelwise.inference.ensemble import Ensemble, join_models
from pixelwise.inference.predictor import Predictor

CLASSES = Classes.named(("background", "circle", "square", "triangle"))


def model_of(label: int, *val_images: str, classes: Classes = CLASSES) -> Predictor:
    """A model that sees one class everywhere, and held these images out."""

    def run(rgb: np.ndarray) -> np.ndarray:
        logits = np.zeros((len(rgb), len(classes), *rgb.shape[2:]), np.float32)
        logits[:, label] = 10 + label  # the surer one decides the average
        return logits

    model = Predictor(run, classes)
    model.reading = {"val_images": list(val_images), "seed": 0} if val_images else {"seed": label}
    return model


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    write_shapes(tmp_path, train=2, val=1, test=1, size=(32, 40))
    return open_dataset(tmp_path)


def test_an_image_is_labelled_by_the_models_that_held_it_out_and_others_by_all(
    data: DataSet,
) -> None:
    turned = Classes.named(CLASSES.names[::-1])
    members = [
        model_of(1, "images/train/000.jpg"),
        # class 3 of its own order is the background
        model_of(3, "images/train/001.jpg", "images/val/000.jpg", classes=turned),
        model_of(2, "images/val/000.jpg"),
    ]
    models = hold_out_images(join_models(members), data)
    assert isinstance(models, OutOfFold)
    labels = {pair.name: models.predict(pair.image).labels.max() for pair in data.pairs(ALL)}
    assert labels["train/000"] == 1
    assert labels["001"] == 0
    assert labels["val/000"] in (0, 2)
    whole = Ensemble(members).predict(data.pairs("test")[0].image).labels.max()
    assert labels["test/000"] == whole
    assert describe_ensemble(models, data.pairs(ALL)) == [
        "3 images by the model of the folds that has not seen them; the others by the average of "
        "all"
    ]
    assert describe_ensemble(models, data.pairs("test")) == []


def test_models_of_no_folds_stay_what_they_are(data: DataSet) -> None:
    alone = model_of(1, "images/train/000.jpg")
    assert hold_out_images(alone, data) is alone
    others = join_models([model_of(1), model_of(2)])
    assert hold_out_images(others, data) is others
    (note,) = describe_ensemble(others, data.pairs("val"))
    assert "the models were trained on other splits (seed differ)" in note
    elsewhere = join_models([model_of(1, "a.jpg"), model_of(2, "b.jpg")])
    assert hold_out_images(elsewhere, data) is elsewhere
