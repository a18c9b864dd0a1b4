"""Answers of a model of overlapping classes; the truth is predict_layers on the same pixels."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.tta import Pixels
from pixelwise.serving import create_app

from .conftest import client_of, file_of, pixels, post

CLASSES = Classes(("red", "blue"), ((255, 0, 0), (0, 0, 255)))


def by_channel(rgb: Pixels) -> np.ndarray:
    """Logits that are the higher the more red, and the more blue."""
    return (rgb[:, [0, 2]].astype(np.float32) - 100) / 40


MODEL = LayerPredictor(by_channel, CLASSES, thresholds=(0.3, 0.8), tile=(64, 64))
RGB = pixels()
TRUTH = MODEL.predict_layers(RGB)


@pytest.fixture(scope="module")
def client() -> TestClient:
    return client_of(create_app({"layers": MODEL}))


def test_json_holds_all_layers(client: TestClient) -> None:
    answer = post(client, file_of(RGB))
    assert answer.headers["content-type"] == "application/json"
    for number, entry in enumerate(answer.json()["classes"]):
        layer = TRUTH.layers[number]
        assert (entry["id"], entry["name"]) == (number, CLASSES.names[number])
        assert entry["pixels"] == layer.sum()
        values = np.arange(len(entry["runs"])) % 2  # runs of 0 and 1 in turn, down the columns
        drawn = np.repeat(values, entry["runs"]).reshape(layer.shape, order="F")
        assert (drawn == layer).all()
    assert sum(entry["share"] for entry in answer.json()["classes"]) > 1
    assert client.get("/v1/models").json()["models"][0]["overlapping"] is True


def test_a_picture_holds_the_one_class_that_is_named(client: TestClient) -> None:
    mask = post(client, file_of(RGB), classes="blue").content
    assert (np.asarray(Image.open(io.BytesIO(mask))) == 255 * TRUTH.layers[1]).all()
    scores = post(client, file_of(RGB), classes="blue", format="confidence").content
    off = np.asarray(Image.open(io.BytesIO(scores))) / 255 - TRUTH.scores[1].astype(float)
    assert np.abs(off).max() < 0.003
    refused = post(client, file_of(RGB), format="mask")
    assert refused.status_code == 422
    assert "name it, as in classes=red (of red, blue)" in refused.json()["error"]["message"]
    overlay = post(client, file_of(RGB), format="overlay")
    assert overlay.headers["content-type"] == "image/jpeg"


def test_a_threshold_takes_the_place_of_the_models(client: TestClient) -> None:
    answer = post(client, file_of(RGB), threshold=0.6, regions="none")
    counts = [entry["pixels"] for entry in answer.json()["classes"]]
    assert counts == (TRUTH.scores >= 0.6).sum((1, 2)).tolist()
