from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI

from pixelwise.serving import Settings, create_app
from pixelwise.serving.client import Client, ServerError

from .conftest import NAMES, file_of, predictor_of, run_server


def test_the_client_brings_masks_descriptions_and_models(
    app: FastAPI, rgb: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(file_of(rgb))
    truth = predictor_of().predict(rgb).labels
    with run_server(app) as port:
        client = Client(f"http://127.0.0.1:{port}/")
        for image in (rgb, path, str(path), path.read_bytes()):
            assert (client.labels(image) == truth).all()
        assert (client.labels(rgb, classes=["cat", "dog"], model="again") == 1).sum() == (
            truth == 1
        ).sum()
        description = client.describe(rgb, regions="none")
        assert {entry["name"]: entry["pixels"] for entry in description["classes"]} == {
            name: (truth == label).sum() for label, name in enumerate(NAMES)
        }
        assert client.segment(rgb, format="overlay")[:2] == b"\xff\xd8"
        assert [model["name"] for model in client.models()] == ["animals", "again"]


def test_the_client_tells_what_the_server_refused(rgb: np.ndarray) -> None:
    token = "a-token-of-some-length"
    with run_server(create_app({"a": predictor_of()}, Settings(token=token))) as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(ServerError, match="Authorization") as refused:
            Client(url).models()
        assert (refused.value.status, refused.value.code) == (401, "no_token")
        with pytest.raises(ServerError, match="damaged or of another format"):
            Client(url, token=token).labels(b"nothing")
    with pytest.raises(ServerError, match="is pixelwise serve running there") as gone:
        Client(url).models()
    assert gone.value.status == 0
