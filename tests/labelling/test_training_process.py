from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import Stroke
from pixelwise.labelling.training_process import (
    TrainingProcess,
    is_held_back,
    write_training_set,
)


def test_strokes_that_are_held_back_are_void_for_the_training(
    open_session: Callable[[], Session], tmp_path: Path
) -> None:
    session = open_session()
    places = {}
    for step in range(30):
        point = (2.5 + 5 * (step % 15), 10.5 + 30 * (step // 15))
        number, _ = session.add("a.png", Stroke("brush", step % 2, (point,), 1))
        places[number] = (int(point[1]), int(point[0]))
    assert write_training_set(session, tmp_path / "set") == 1
    mask = np.asarray(Image.open(tmp_path / "set/masks/a.png"))
    held_back = {number for number, place in places.items() if mask[place] == 255}
    assert held_back == {number for number in places if is_held_back(number)}
    assert 2 <= len(held_back) <= 12
    assert open_dataset(tmp_path / "set").classes.names == ("grass", "sky")


def test_a_training_that_cannot_be_ends_with_its_reason(tmp_path: Path) -> None:
    process = TrainingProcess(tmp_path / "none", tmp_path / "runs/1", minutes=1, start=None)
    process.pause(True)
    process.pause(False)
    assert process._process.wait() == 2
    assert "none" in process.last_line
    assert process.curve() == []
    process.end()
