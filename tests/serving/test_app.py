"""What POST /v1/segment and its neighbours answer; the truth is Predictor.predict on the same
pixels.
"""

import io
import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pycocotools import mask as coco

from pixelwise.errors import ConfigError
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.serving import Settings, create_app
from pixelwise.serving.responses import run_lengths

from .conftest import NAMES, client_of, file_of, pixels, post, predictor_of


def opened(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_mask_is_that_of_predict(client: TestClient, rgb: np.ndarray, kind: str) -> None:
    data = file_of(rgb, kind)
    answer = post(client, data)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    image = Image.open(io.BytesIO(answer.content))
    truth = predictor_of().predict(data)
    assert image.mode == "P"
    assert (np.asarray(image) == truth.labels).all()
    assert tuple(image.getpalette()[3:6]) == truth.palette[1]


def test_a_picture_in_tiles_is_labelled_as_predict_does(client: TestClient) -> None:
    rgb = pixels(90, 100)
    answer = post(client, file_of(rgb), model="again")
    assert (opened(answer.content) == predictor_of(tile=32).predict(rgb).labels).all()


def test_overlay_and_confidence_are_those_of_the_result(
    client: TestClient, rgb: np.ndarray
) -> None:
    truth = predictor_of().predict(rgb)
    answer = post(client, file_of(rgb), format="confidence")
    assert (opened(answer.content) == np.rint(truth.confidence * 255)).all()
    answer = post(client, file_of(rgb), format="overlay", opacity=0)
    assert answer.headers["content-type"] == "image/jpeg"
    assert opened(answer.content).shape == rgb.shape


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # pycocotools' own
def test_json_has_shares_and_run_lengths_that_coco_reads(
    client: TestClient, rgb: np.ndarray
) -> None:
    answer = post(client, file_of(rgb), format="json").json()
    truth = predictor_of().predict(rgb).labels
    assert (answer["model"], answer["height"], answer["width"]) == ("animals", *truth.shape)
    assert sum(entry["pixels"] for entry in answer["classes"]) == truth.size
    for entry in answer["classes"]:
        assert entry["name"] == NAMES[entry["id"]]
        assert entry["pixels"] == (truth == entry["id"]).sum()
        packed = coco.frPyObjects(
            {"size": list(truth.shape), "counts": entry["runs"]}, *truth.shape
        )
        assert (coco.decode(packed) == (truth == entry["id"])).all()


@pytest.mark.parametrize(
    ("rows", "counts"), [([[0, 1], [1, 1]], [1, 3]), ([[1, 0]], [0, 1, 1]), ([[0, 0]], [2])]
)
def test_run_lengths_by_hand(rows: list[list[int]], counts: list[int]) -> None:
    assert run_lengths(np.array(rows, bool)) == counts


def test_polygons_enclose_what_they_say(client: TestClient) -> None:
    rgb = np.zeros((12, 10, 3), np.uint8)
    rgb[2:8, 3:9] = 255
    rgb[4:6, 5:7] = 0
    answer = post(client, file_of(rgb), format="json", regions="polygons", classes="bird").json()
    bird = next(entry for entry in answer["classes"] if entry["name"] == "bird")
    (rings,) = bird["polygons"]
    corners = [{tuple(corner) for corner in ring} for ring in rings]
    assert corners == [{(3, 2), (9, 2), (9, 8), (3, 8)}, {(5, 4), (7, 4), (7, 6), (5, 6)}]
    assert bird["pixels"] == 6 * 6 - 2 * 2
    assert not any("polygons" in entry for entry in answer["classes"] if entry["name"] == "void")


def test_threshold_and_classes_leave_void(client: TestClient, rgb: np.ndarray) -> None:
    truth = predictor_of().predict(rgb)
    labels = opened(post(client, file_of(rgb), threshold=0.9, classes=["cat", "bird"]).content)
    visible = (truth.confidence >= 0.9) & np.isin(truth.labels, [1, 3])
    assert 0 < visible.sum() < visible.size
    assert (labels == np.where(visible, truth.labels, 255)).all()


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("*/*", 200, "image/png"),
        ("image/jpeg;q=0.5, application/json", 200, "application/json"),
        ("image/*", 200, "image/png"),
        ("text/html, image/jpeg;q=0.1", 200, "image/jpeg"),
        ("text/html", 406, "application/json"),
        ("image/png;q=0", 406, "application/json"),
        ("image/png;q=x", 406, "application/json"),
    ],
)
def test_accept_decides_where_no_format_is_given(
    client: TestClient, rgb, accept: str, status: int, kind: str
) -> None:
    answer = client.post("/v1/segment", files={"image": file_of(rgb)}, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)


@pytest.mark.parametrize(
    ("params", "status", "code", "message"),
    [
        ({"model": "cats"}, 404, "unknown_model", "animals, again"),
        ({"classes": "bidr"}, 422, "impossible", "did you mean 'bird'"),
        ({"threshold": 2}, 422, "invalid_parameter", "threshold"),
        ({"threshold": "nan"}, 422, "invalid_parameter", "threshold"),
        ({"format": "pdf"}, 422, "invalid_parameter", "format: is 'pdf', and must be 'mask'"),
        ({"colour": "red"}, 422, "invalid_parameter", "colour: there is no such parameter"),
        ({"format": ["json", "mask"]}, 422, "invalid_parameter", "'json' and 'mask'; give it once"),
    ],
)
def test_a_wrong_parameter_is_named(
    client: TestClient, rgb, params: dict, status: int, code: str, message: str
) -> None:
    answer = post(client, file_of(rgb), **params)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert message in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/segment?url=http://a/b.jpg", 405, "GET is not allowed here: use POST"),
        ("GET", "/v1/segment?url=http://a/b.jpg", 405, "addresses (url=) are not fetched"),
        ("DELETE", "/v1/models", 405, "DELETE is not allowed here: use GET"),
        ("GET", "/predict", 404, "POST /v1/segment labels an image"),
        ("POST", "/v1/segment/", 404, "POST /v1/segment labels an image"),
    ],
)
def test_a_wrong_way_in_is_answered_with_the_right_one(
    client: TestClient, method: str, path: str, status: int, message: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_health_answers_to_head_as_balancers_ask() -> None:
    with client_of(create_app({"a": predictor_of()})) as client:
        assert client.head("/healthz").status_code == client.head("/readyz").status_code == 200


def test_models_health_metrics_and_description(client: TestClient, rgb: np.ndarray) -> None:
    models = client.get("/v1/models").json()["models"]
    assert [(model["name"], tuple(model["classes"])) for model in models] == [
        ("animals", NAMES),
        ("again", NAMES),
    ]
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    before = _pixels(client)
    post(client, file_of(rgb))
    assert _pixels(client) == before + rgb.shape[0] * rgb.shape[1]
    assert set(client.get("/openapi.json").json()["paths"]) >= {
        "/v1/segment",
        "/v1/models",
        "/metrics",
    }
    # would load scripts from elsewhere
    assert client.get("/redoc").json()["error"]["code"] == "not_found"


def _pixels(client: TestClient) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(
        next(
            (line for line in lines if line.startswith('pixelwise_pixels_total{model="animals"}')),
            "0",
        ).split()[-1]
    )


def test_without_a_model_there_is_nothing_to_serve() -> None:
    with pytest.raises(ConfigError, match="no model"):
        create_app({})


def test_a_fault_of_the_server_shows_no_traceback(
    caplog: pytest.LogCaptureFixture, rgb: np.ndarray
) -> None:
    def broken(_: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("secret")

    with client_of(create_app({"a": predictor_of(broken)})) as client:
        answer = post(client, file_of(rgb))
    assert answer.status_code == 500
    assert json.loads(answer.content)["error"]["code"] == "internal"
    assert b"secret" not in answer.content
    assert "secret" in caplog.text


def test_what_reading_did_stands_in_a_header_and_in_json(client: TestClient) -> None:
    rgb = pixels(20, 30)
    seen = rgb.copy()
    seen[:, :10] = 255
    alpha = np.where(np.arange(30) < 10, 0, 255).astype(np.uint8)
    cutout = np.dstack([rgb, np.broadcast_to(alpha, (20, 30))])
    answer = post(client, file_of(cutout))
    assert answer.headers["pixelwise-notes"] == "with transparent parts, put on white"
    assert (opened(answer.content) == predictor_of().predict(seen).labels).all()
    described = post(client, file_of(cutout), format="json").json()
    assert described["notes"] == ["with transparent parts, put on white"]
    plain = post(client, file_of(rgb), format="json")
    assert "pixelwise-notes" not in plain.headers
    assert plain.json()["notes"] == []


def test_a_page_in_the_place_of_a_picture_is_called_so(client: TestClient) -> None:
    answer = post(client, b"<!DOCTYPE html><html>404</html>")
    assert answer.status_code == 415
    assert answer.json()["error"]["message"] == (
        "the file is an HTML page and not of JPEG, PNG, WEBP"
    )


def test_a_photo_far_larger_than_the_trainings_is_seen_at_their_size_and_that_is_said() -> None:
    predictor = predictor_of(tile=32)
    predictor.sizes = PictureSizes(side=30, smallest=20, largest=50, framed=True)
    rgb = np.full((150, 200, 3), 96, np.uint8)
    rgb[:, 100:] = 160
    with client_of(create_app({"a": predictor}, Settings(max_bytes=200_000))) as client:
        answer = post(client, file_of(rgb), format="json").json()
        shares = {entry["name"]: entry["share"] for entry in answer["classes"]}
        assert shares["cat"] == pytest.approx(0.5, abs=0.05)
        assert shares["dog"] == pytest.approx(0.5, abs=0.05)
        assert (answer["height"], answer["width"]) == (150, 200)
        (note,) = answer["notes"]
    assert note.startswith("much larger than the training's pictures, seen at the training's size")
