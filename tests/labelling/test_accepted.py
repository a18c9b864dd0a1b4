import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pixelwise.labelling import accepted
from pixelwise.labelling.app import create_label_app
from pixelwise.labelling.desk import Desk

COUNT = 10


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of a blue half above a green one, the border at another height in each."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        rgb = rng.integers(0, 40, (60, 80, 3), np.uint8)
        border = 15 + 2 * number
        rgb[:border, :, 2] += 180
        rgb[border:, :, 1] += 150
        Image.fromarray(rgb).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "_TICK", 0.05)
    monkeypatch.setattr("pixelwise.labelling.live.QUIET_SECONDS", 0.05)


def post(client: TestClient, desk: Desk, number: int, **request: object) -> dict:
    body = {"page": desk.page, **request}
    response = client.post(f"/label/photos/{number}/strokes", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def accept(client: TestClient, desk: Desk, number: int) -> None:
    for label, row in ((1, 5), (0, 55)) if number == 0 else ():
        points = [[10, row], [60, row]]
        post(client, desk, number, tool="brush", label=label, radius=3, points=points)
    post(client, desk, number, tool="accept")


def wait_for(client: TestClient, test: Callable[[dict], bool]) -> dict:
    deadline = time.monotonic() + 60
    while True:
        state = dict(client.get("/label/state").json()["accepted"])
        if test(state):
            return state
        assert time.monotonic() < deadline, state
        time.sleep(0.1)


def test_the_score_on_accepted_photos_grows_with_them_and_follows_undo(
    make_desk: Callable[[], Desk],
) -> None:
    desk = make_desk()
    with TestClient(create_label_app(desk), base_url="http://127.0.0.1:8000") as client:
        state = client.get("/label/state").json()["accepted"]
        assert "With 5 accepted photos there is a score" in state["text"]
        for number in range(4):
            accept(client, desk, number)
        state = client.get("/label/state").json()["accepted"]
        assert state["accepted"] == 4
        assert "(4 so far)" in state["text"]
        assert "score" not in state
        accept(client, desk, 4)
        state = wait_for(client, lambda state: "score" in state)
        assert state["score"]["mean_iou"] > 0.9
        assert state["score"]["low"] <= state["score"]["mean_iou"] <= state["score"]["high"]
        assert state["forecast"] is None
        assert "from 10 labelled ones on (5 so far)" in state["text"]
        for number in range(5, COUNT):
            accept(client, desk, number)
        state = wait_for(client, lambda state: bool(state.get("forecast")))
        assert state["score"]["photos"] < state["forecast"]["photos"]
        assert [row["photos"] for row in state["curve"]] == [2, 4, 8]
        # a photo that is taken back counts no more
        body = {"page": desk.page}
        for number in range(COUNT - 4):
            client.post(f"/label/photos/{number}/undo", json=body)
        wait_for(client, lambda state: "(4 so far)" in state["text"])


def test_an_accepted_photo_is_judged_by_what_a_person_says_of_it(
    make_desk: Callable[[], Desk], photos: Path
) -> None:
    desk = make_desk()
    with TestClient(create_label_app(desk), base_url="http://127.0.0.1:8000") as client:
        for number in range(6):
            accept(client, desk, number)
        good = wait_for(client, lambda state: "score" in state)["score"]["mean_iou"]
        corners = [[0, 0], [80, 0], [80, 60], [0, 60]]
        post(client, desk, 0, tool="polygon", label=1, points=corners)  # all of it is sky
        state = wait_for(client, lambda state: state["score"]["mean_iou"] < good)
        assert state["score"]["low"] < good
        # void counts in no score
        post(client, desk, 0, tool="polygon", label=255, points=corners)
        wait_for(client, lambda state: state["score"]["mean_iou"] >= good)
        assert desk.accepted.score is not None
        assert desk.accepted.score.accepted == 5
        (photos / "01.png").unlink()
        accept(client, desk, 6)
        wait_for(client, lambda state: "on 5 accepted photos" in state["text"])
        accept(client, desk, 7)
        wait_for(client, lambda state: "on 6 accepted photos" in state["text"])
