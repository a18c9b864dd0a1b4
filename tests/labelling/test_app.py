import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pixelwise.labelling.app import MAX_BODY, create_label_app
from pixelwise.labelling.desk import Desk
from pixelwise.serving.settings import Settings

WHOLE = {"level": 0, "top": 0, "left": 0, "height": 60, "width": 80}


@pytest.fixture
def desk(make_desk: Callable[[], Desk]) -> Desk:
    return make_desk()


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(create_label_app(desk), base_url="http://127.0.0.1:8000") as client:
        yield client


def stroke(desk: Desk, label: int, row: float) -> dict:
    points = [[10, row], [60, row]]
    return {"page": desk.page, "tool": "brush", "label": label, "radius": 3, "points": points}


def test_a_stroke_comes_back_as_labels_and_prediction(client: TestClient, desk: Desk) -> None:
    photo = client.get("/label/photos/0").json()
    assert (photo["size"], photo["levels"]) == ([60, 80], [[60, 80]])
    assert client.get("/label/photos/0/tiles/0/0/0").headers["content-type"] == "image/jpeg"
    for label, row in ((1, 10), (0, 50)):
        answer = client.post("/label/photos/0/strokes", json=stroke(desk, label, row)).json()
    assert answer["strokes"] == 2
    labels = client.get("/label/photos/0/labels", params=WHOLE).content
    assert np.frombuffer(labels, np.uint8).reshape(60, 80)[10, 20] == 1
    query = {**WHOLE, "version": answer["version"]}
    planes = client.get("/label/photos/0/prediction", params=query).content
    predicted, confidence = np.frombuffer(planes, np.uint8).reshape(2, 60, 80)
    assert (predicted[:26] == 1).mean() > 0.97
    assert confidence.max() > 130
    assert client.post("/label/photos/0/undo", json={"page": desk.page}).json()["redo"] == 1
    assert client.post("/label/photos/0/redo", json={"page": desk.page}).json()["redo"] == 0


def test_a_photo_of_more_than_100_megapixels_is_named_and_the_others_go_on(
    photos: Path, make_desk: Callable[[], Desk]
) -> None:
    Image.new("1", (10_001, 10_000)).save(photos / "b.png")
    desk = make_desk()
    with TestClient(create_label_app(desk), base_url="http://127.0.0.1:8000") as client:
        body = stroke(desk, 0, 10)
        for response in (
            client.get("/label/photos/1"),
            client.get("/label/photos/1/tiles/0/0/0"),
            client.post("/label/photos/1/strokes", json=body),
        ):
            assert 400 <= response.status_code < 500
            message = response.json()["error"]["message"]
            assert "b.png: has more than the 100 megapixels" in message
            assert "cut it into parts" in message
        row = dict(client.get("/label/state").json()["photos"])[1]
        assert row["error"].startswith("has more than the 100 megapixels")
        assert client.get("/label/next?order=name&after=0").json()["name"] == "c.jpg"
        assert client.post("/label/photos/0/strokes", json=body).json()["strokes"] == 1
    assert desk.session.version == 3  # the beginning, the photo, the stroke


def test_before_there_is_a_model_there_is_no_prediction(client: TestClient) -> None:
    assert client.get("/label/photos/0/prediction", params=WHOLE).status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"[" * 100_000, 400, "bad_json"),
        (b"{}", 409, "other_page"),
        (b'{"page": "of yesterday"}', 409, "other_page"),
        (b" " * (MAX_BODY + 1), 413, "too_many_bytes"),
        (
            b'{"page": PAGE, "tool": "brush", "label": 0, "radius": NaN, "points": [[1, 1]]}',
            422,
            "",
        ),
        (
            b'{"page": PAGE, "tool": "brush", "label": 0, "radius": 1, "points": [[1, Infinity]]}',
            422,
            "",
        ),
        (b'{"page": PAGE, "tool": "brush", "label": 0, "radius": 1, "points": {"a": 1}}', 422, ""),
        (
            b'{"page": PAGE, "tool": "brush", "label": [0], "radius": 1, "points": [[1, 1]]}',
            422,
            "",
        ),
    ],
)
def test_what_is_no_act_of_this_page_is_refused_in_words(
    client: TestClient, desk: Desk, body: bytes, status: int, code: str
) -> None:
    body = body.replace(b"PAGE", f'"{desk.page}"'.encode())
    response = client.post("/label/photos/0/strokes", content=body)
    error = response.json()["error"]
    assert response.status_code == status
    assert error["code"] == (code or "impossible")
    assert len(error["message"]) > 20
    assert desk.session.version == 1


@pytest.mark.parametrize(
    "path",
    [
        "/label/photos/9",
        "/label/photos/-1",
        "/label/photos/0/tiles/0/7/7",
        "/label/photos/0/labels?level=0&top=0&left=0&height=61&width=80",
        "/label/photos/0/labels?level=0&top=-1&left=0&height=1&width=1",
        "/label/photos/0/labels?level=99&top=0&left=0&height=1&width=1",
        "/label/next?order=best",
    ],
)
def test_what_is_not_there_is_said(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 422
    assert response.json()["error"]["message"]


def test_other_pages_and_other_hosts_are_kept_out(client: TestClient, desk: Desk) -> None:
    body = stroke(desk, 1, 10)
    other = {"sec-fetch-site": "cross-site", "origin": "https://example.org"}
    assert client.post("/label/photos/0/strokes", json=body, headers=other).status_code == 403
    assert client.get("/label/state", headers={"host": "example.org"}).status_code == 421
    assert desk.session.version == 1


def test_a_token_is_demanded_of_the_page_too(desk: Desk) -> None:
    app = create_label_app(desk, Settings(token="a long secret of ours"))
    client = TestClient(app, base_url="http://example.org")
    assert client.get("/").status_code == 401
    assert client.get("/label/state").status_code == 401
    headers = {"authorization": "Bearer a long secret of ours"}
    assert client.get("/label/state", headers=headers).status_code == 200


def test_the_page_and_its_parts_are_there(client: TestClient) -> None:
    page = client.get("/")
    assert "static/label/main.js" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("main.js", "view.js", "layers.js", "tools.js", "stage.js", "keys.js"):
        response = client.get(f"/static/label/{name}")
        assert response.headers["content-type"].startswith("text/javascript")


def test_planes_travel_compressed(client: TestClient) -> None:
    with client.stream("GET", "/label/photos/0/labels", params=WHOLE) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == bytes([254]) * 4800
