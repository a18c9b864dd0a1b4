import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import VOID, Classes
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.inference.predictor import Predictor
from pixelwise.labelling.desk import Desk
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.strokes import UNLABELLED

MakeDesk = Callable[..., Desk]
WHOLE = Box(0, 0, 60, 80)


def paint(
    desk: Desk, label: int, points: list[list[float]], photo: int = 0, **more: object
) -> dict:
    request = {"tool": "brush", "label": label, "radius": 3, "points": points, **more}
    return desk.stroke(photo, request)


def two_strokes(desk: Desk) -> int:
    paint(desk, 1, [[10, 10], [60, 12]])
    return int(paint(desk, 0, [[10, 50], [60, 52]])["version"])


def test_two_strokes_are_answered_for_the_whole_photo_and_the_others(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.open_photo(0)
    assert desk.prediction_window(0, 0, WHOLE, 0) is None
    version = two_strokes(desk)
    for photo in (0, 1):
        planes = desk.prediction_window(photo, 0, WHOLE, version)
        assert planes is not None
        labels, confidence = planes
        assert (labels[:26] == 1).mean() > 0.97
        assert (labels[34:] == 0).mean() > 0.97
        assert confidence[10, 10] > 130


def test_an_accepted_photo_takes_the_prediction_where_nothing_was_painted(
    make_desk: MakeDesk, tmp_path: Path
) -> None:
    desk = make_desk()
    two_strokes(desk)
    paint(desk, VOID, [[40.5, 5.5]])
    answer = desk.stroke(0, {"tool": "accept"})
    assert answer["accepted"]
    labels = desk.session.labels("a.png")
    assert labels[5, 40] == VOID
    assert not (labels == UNLABELLED).any()
    assert desk.undo(0, {})["accepted"] is False


def test_the_prediction_is_filled_taken_over_and_painted_within(make_desk: MakeDesk) -> None:
    desk = make_desk()
    two_strokes(desk)
    desk.stroke(0, {"tool": "fill", "label": VOID, "points": [[5, 5]]})
    assert (desk.session.labels("a.png")[:20] == VOID).mean() > 0.95
    desk.undo(0, {})
    desk.stroke(0, {"tool": "take", "points": [[2, 2], [12, 8]]})
    assert (desk.session.labels("a.png")[2:7, 2:7] == 1).all()
    desk.undo(0, {})
    # a broad brush across the horizon stays above it
    paint(desk, 0, [[40, 24]], tool="smart", radius=14)
    labels = desk.session.labels("a.png")
    assert labels[20, 40] == 0
    assert (labels[34:38, 40] == UNLABELLED).all()
    desk.stroke(0, {"tool": "fill", "label": 1, "points": [[40, 20]], "of": "labels"})
    assert desk.session.labels("a.png")[20, 40] == 1


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"tool": "pen"}, "unknown tool 'pen'"),
        ({"tool": ["brush"]}, "unknown tool"),
        ({"tool": "brush", "label": 0, "points": [[1e9, 1]]}, "is none of the photo"),
        ({"tool": "brush", "label": 7, "points": [[1, 1]]}, "no such class"),
        ({"tool": "polygon", "label": 0, "points": [[1, 1], [2, 2]]}, "three corners"),
        ({"tool": "take", "points": [[1, 1]]}, "two corners"),
        ({"tool": "fill", "label": 254, "points": [[1, 1]], "of": "labels"}, "has no fill"),
        ({"tool": "fill", "label": 0, "points": [[1, 1]], "of": "all"}, "unknown region"),
        ({"tool": "fill", "label": 0, "points": [[1, 1]]}, "a stroke of each of two classes"),
        ({"tool": "accept"}, "a stroke of each of two classes"),
        ({"tool": "brush", "label": 0, "points": [[1, 1]], "id": "x" * 65}, "at most 64"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_kept(
    make_desk: MakeDesk, request_: dict, reason: str
) -> None:
    desk = make_desk()
    before = desk.session.version
    with pytest.raises((ConfigError, DataError), match=reason):
        desk.stroke(0, request_)
    assert desk.session.version == before


def test_an_act_that_is_sent_twice_is_done_once(make_desk: MakeDesk) -> None:
    desk = make_desk()
    for _ in range(2):
        answer = paint(desk, 0, [[5, 5]], id="first")
    assert answer["strokes"] == 1
    paint(desk, 0, [[9, 9]], id="second")
    for _ in range(2):
        answer = desk.undo(0, {"id": "third"})
    assert answer["strokes"] == 1
    for _ in range(2):
        answer = desk.redo(0, {"id": "fourth"})
    assert (answer["strokes"], answer["redo"]) == (2, 0)
    with pytest.raises(DataError, match="nothing to redo"):
        desk.redo(0, {})


def test_classes_change_and_strokes_follow(make_desk: MakeDesk) -> None:
    desk = make_desk()
    state = desk.change_classes({"act": "add", "name": "<b>tree</b>"})
    key = state["classes"][-1]["key"]
    paint(desk, key, [[5.5, 5.5]])
    desk.change_classes({"act": "change", "key": key, "name": "bush", "colour": [1, 2, 3]})
    assert desk.state()["classes"][-1] == {"key": key, "name": "bush", "colour": (1, 2, 3)}
    desk.change_classes({"act": "merge", "key": key, "into": 0})
    assert desk.label_window(0, 0, WHOLE)[5, 5] == 0
    assert desk.state()["merged"] == [{"key": key, "name": "bush", "into": 0}]
    for request, reason in (
        ({"act": "add", "name": "Sky"}, "there is a class 'sky' already"),
        ({"act": "change", "key": key, "name": "x"}, "no such class"),
        ({"act": "change", "key": 0, "colour": [1, 2, 300]}, "from 0 to 255"),
        ({"act": "merge", "key": 0, "into": 1}, "two classes are the least"),
        ({"act": "burn"}, "allowed are add, change, merge and part"),
        ({"act": "part", "key": 1}, "was not merged"),
        ({"act": "merge", "key": "0", "into": 1}, "the key of a class"),
    ):
        with pytest.raises((ConfigError, DataError), match=reason):
            desk.change_classes(request)


def test_a_merge_is_undone_and_the_class_is_in_its_place_again(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.change_classes({"act": "add", "name": "tree"})
    paint(desk, 0, [[5.5, 5.5]])
    desk.change_classes({"act": "merge", "key": 0, "into": 2})
    assert desk.label_window(0, 0, WHOLE)[5, 5] == 2
    desk.change_classes({"act": "add", "name": "grass"})
    with pytest.raises(DataError, match="there is a class 'grass' already"):
        desk.change_classes({"act": "part", "key": 0})
    desk.change_classes({"act": "change", "key": 3, "name": "bush"})
    state = desk.change_classes({"act": "part", "key": 0})
    assert [entry["name"] for entry in state["classes"]] == ["grass", "sky", "tree", "bush"]
    assert state["merged"] == []
    assert desk.label_window(0, 0, WHOLE)[5, 5] == 0
    reopened = make_desk()  # the journal says the same
    assert list(reopened.session.classes.names.values()) == ["grass", "sky", "tree", "bush"]
    assert reopened.label_window(0, 0, WHOLE)[5, 5] == 0


def test_a_page_whose_photos_had_other_numbers_is_another_page(
    make_desk: MakeDesk, photos: Path
) -> None:
    desk = make_desk()
    assert make_desk().page == desk.page
    Image.new("RGB", (80, 60)).save(photos / "0.png")
    assert make_desk().page != desk.page


def test_of_the_list_of_photos_only_what_changed_is_sent(make_desk: MakeDesk) -> None:
    desk = make_desk()
    first = desk.state()
    assert [number for number, _ in first["photos"]] == [0, 1, 2]
    paint(desk, 1, [[5, 5]], photo=1)
    second = desk.state(first["revision"])
    assert second["photos"] == [(1, {"name": "b.png", "strokes": 1})]
    assert desk.state(second["revision"])["photos"] == []
    assert len(desk.state(first["revision"] - 10)["photos"]) == 3


def test_a_photo_that_cannot_be_read_is_shown_as_such_and_the_others_go_on(
    make_desk: MakeDesk, photos: Path
) -> None:
    (photos / "b.png").write_bytes(b"no picture")
    desk = make_desk()
    with pytest.raises(ImageError):
        desk.open_photo(1)
    assert "error" in desk.state()["photos"][1][1]
    # the page knows it at once, whatever the thread that looks at all photos has seen so far
    two_strokes(desk)
    assert desk.next_photo("name", 0)["name"] == "c.jpg"
    assert desk.next_photo("suggested", 0)["name"] == "c.jpg"
    Image.new("RGB", (80, 60)).save(photos / "b.png")
    desk.open_photo(1)
    assert "error" not in desk.state()["photos"][1][1]


def test_a_photo_that_nobody_opened_is_known_to_be_broken_in_the_end(
    make_desk: MakeDesk, photos: Path
) -> None:
    (photos / "b.png").write_bytes(b"no picture")
    desk = make_desk()
    deadline = time.monotonic() + 60
    while "error" not in desk.state()["photos"][1][1] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "error" in desk.state()["photos"][1][1]


def test_the_queue_comes_first_and_painted_photos_last(make_desk: MakeDesk) -> None:
    desk = make_desk(queue=["c.jpg", "a.png"])
    assert desk.next_photo("suggested", -1) == {
        "number": 2,
        "name": "c.jpg",
        "reason": "the next of the queue",
    }
    paint(desk, 0, [[5, 5]], photo=2)
    assert desk.next_photo("suggested", -1)["name"] == "a.png"
    paint(desk, 0, [[5, 5]], photo=0)
    assert desk.next_photo("any", 0)["name"] == "b.png"
    paint(desk, 0, [[5, 5]], photo=1)
    with pytest.raises(DataError, match="every photo has strokes"):
        desk.next_photo("suggested", 0)


def test_windows_outside_of_the_photo_are_refused(make_desk: MakeDesk) -> None:
    desk = make_desk()
    for box in (Box(0, 0, 61, 80), Box(60, 0, 1, 1), Box(0, 80, 1, 1)):
        with pytest.raises(DataError, match="outside of the photo"):
            desk.label_window(0, 0, box)
    with pytest.raises(DataError, match="there is no photo 3"):
        desk.label_window(3, 0, WHOLE)
    with pytest.raises(DataError, match="no such tile"):
        desk.tile(0, 9, 0, 0)


def test_thin_labels_are_seen_from_far_away(make_desk: MakeDesk) -> None:
    desk = make_desk()
    paint(desk, 1, [[41.5, 21.5]], radius=0)
    window = desk.label_window(0, 2, Box(0, 0, 15, 20))
    assert np.argwhere(window == 1).tolist() == [[5, 10]]


def test_a_model_predicts_from_the_start_in_the_classes_of_its_names(make_desk: MakeDesk) -> None:
    def by_row(rgb: np.ndarray) -> np.ndarray:
        logits = np.zeros((len(rgb), 3, *rgb.shape[2:]), np.float32)
        logits[:, 2, :30] = 9  # what the model calls sky, above
        logits[:, 1, 30:] = 9  # and what the project does not have, below
        return logits

    predictor = Predictor(by_row, Classes.named(("grass", "lake", "Sky")))
    desk = make_desk(predictor=predictor)
    planes = desk.prediction_window(0, 0, WHOLE, 0)
    assert planes is not None
    assert (planes[0][:30] == 1).all()
    assert (planes[0][30:] == UNLABELLED).all()
    assert desk.state()["model"]["source"] == "network"


def test_masks_are_written_while_one_works(make_desk: MakeDesk, tmp_path: Path) -> None:
    desk = make_desk()
    paint(desk, 1, [[5.5, 5.5]])
    mask = tmp_path / "labels/masks/a.png"
    deadline = time.monotonic() + 60
    while not mask.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert np.asarray(Image.open(mask))[5, 5] == 1


def test_what_the_live_model_learns_is_parted_with_the_classes(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.change_classes({"act": "add", "name": "tree"})
    two_strokes(desk)
    desk.change_classes({"act": "merge", "key": 0, "into": 2})
    version = paint(desk, 2, [[10, 56], [60, 56]])["version"]
    desk.live.wait(version)
    assert set(desk.live.training_data().keys) == {1, 2}
    desk.change_classes({"act": "part", "key": 0})
    desk.live.wait(desk.session.version)
    assert set(desk.live.training_data().keys) == {0, 1, 2}
