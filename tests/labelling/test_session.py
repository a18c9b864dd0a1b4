from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import DataError, ImageError
from pixelwise.labelling.journal import FILE_NAME
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import UNLABELLED, Stroke

Open = Callable[[], Session]


def dot(column: int, row: int, label: int = 0) -> Stroke:
    return Stroke("brush", label, ((column + 0.5, row + 0.5),), 0.75)


def counts(session: Session, name: str = "a.png") -> dict[int, int]:
    values, numbers = np.unique(session.labels(name), return_counts=True)
    return {int(v): int(n) for v, n in zip(values, numbers, strict=True) if v != UNLABELLED}


def test_strokes_outlive_a_killed_process(open_session: Open) -> None:
    session = open_session()
    session.add("a.png", dot(3, 4, 1))
    session.add("a.png", dot(9, 9, VOID))
    session = open_session()
    assert counts(session) == {1: 1, VOID: 1}
    assert session.labels("a.png")[4, 3] == 1


def test_undo_and_redo_go_on_without_end_also_in_the_next_process(open_session: Open) -> None:
    session = open_session()
    for column in range(5):
        session.add("a.png", dot(2 * column, 4))
    assert [session.undo("a.png") for _ in range(6)] == [True] * 5 + [False]
    session = open_session()
    assert [session.redo("a.png") for _ in range(3)] == [True] * 3
    assert counts(session) == {0: 3}
    session.add("a.png", dot(20, 20))
    assert session.redo("a.png") is False
    assert counts(open_session()) == {0: 4}


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None
)
@given(st.lists(st.sampled_from(["stroke", "erase", "undo", "redo"]), max_size=12))
def test_labels_in_memory_are_those_of_the_journal(open_session: Open, acts: list[str]) -> None:
    session = open_session()
    for number, act in enumerate(acts):
        if act == "undo":
            session.undo("b.png")
        elif act == "redo":
            session.redo("b.png")
        else:
            label = UNLABELLED if act == "erase" else number % 2
            session.add("b.png", Stroke("brush", label, ((number + 5.0, 10.0), (20, 20)), 3))
    before = session.labels("b.png").copy()
    assert np.array_equal(before, open_session().labels("b.png"))


def test_the_folder_is_a_data_set(open_session: Open, tmp_path: Path, photos: Path) -> None:
    session = open_session()
    session.add("a.png", Stroke("polygon", 1, ((0, 0), (79, 0), (79, 20), (0, 20))))
    session.add("c.jpg", dot(0, 40, 0))
    session.write_masks()
    data = open_dataset(tmp_path / "labels")
    assert data.classes.names == ("grass", "sky")
    assert {pair.image.resolve() for pair in data.pairs("all")} == {
        photos / "a.png",
        photos / "c.jpg",
    }
    labels = data.read_labels(tmp_path / "labels/masks/a.png")
    assert (labels[:21] == 1).all()
    assert (labels[21:] == VOID).all()


def test_masks_that_a_killed_process_did_not_write_are_written_by_the_next(
    open_session: Open, tmp_path: Path
) -> None:
    open_session().add("a.png", dot(1, 1, 1))
    open_session().write_masks()
    assert np.asarray(Image.open(tmp_path / "labels/masks/a.png"))[1, 1] == 1


def test_a_photo_without_labels_any_more_leaves_the_data_set(
    open_session: Open, tmp_path: Path
) -> None:
    session = open_session()
    session.add("a.png", dot(1, 1))
    session.write_masks()
    session.undo("a.png")
    session.write_masks()
    assert not (tmp_path / "labels/masks/a.png").exists()
    assert not (tmp_path / "labels/images/a.png").is_symlink()


def test_merged_classes_are_one_in_masks_that_were_written(
    open_session: Open, tmp_path: Path
) -> None:
    session = open_session()
    key = session.add_class("tree")
    session.add("a.png", dot(1, 1, key))
    session.write_masks()
    session.merge_classes(key, 0)
    session = open_session()
    session.write_masks()
    assert np.asarray(Image.open(tmp_path / "labels/masks/a.png"))[1, 1] == 0
    assert session.classes.as_classes().names == ("grass", "sky")
    with pytest.raises(DataError, match="two classes are the least"):
        session.merge_classes(0, 1)


def test_a_photo_that_is_another_one_now_is_not_painted_on(
    open_session: Open, photos: Path, tmp_path: Path
) -> None:
    session = open_session()
    session.add("a.png", dot(1, 1))
    original = (photos / "a.png").read_bytes()
    Image.new("RGB", (80, 60)).save(photos / "a.png")
    with pytest.raises(ImageError, match="another picture than the one that was painted on"):
        session.add("a.png", dot(2, 2))
    session.write_masks()
    assert not (tmp_path / "labels/masks/a.png").exists()
    (photos / "a.png").write_bytes(original)
    session = open_session()
    session.add("a.png", dot(2, 2))
    assert counts(session) == {0: 2}


def test_a_photo_that_is_gone_keeps_its_strokes(open_session: Open, photos: Path) -> None:
    session = open_session()
    session.add("a.png", dot(1, 1))
    (photos / "a.png").rename(photos / "elsewhere")
    with pytest.raises(ImageError, match="put it back"):
        session.add("a.png", dot(2, 2))
    (photos / "elsewhere").rename(photos / "a.png")
    assert counts(session) == {0: 1}


def test_the_journal_has_a_line_for_each_act(open_session: Open, tmp_path: Path) -> None:
    session = open_session()
    session.add("a.png", dot(1, 1))
    session.change_class(0, name="Gras")
    session.undo("a.png")
    lines = (tmp_path / "labels" / FILE_NAME).read_text().splitlines()
    kinds = [line.split('"')[3] for line in lines]
    assert kinds == ["begin", "photo", "stroke", "class", "undo"]
