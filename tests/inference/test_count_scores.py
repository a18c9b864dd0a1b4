import json
from pathlib import Path

import pytest

from pixelwise.errors import ConfigError
from pixelwise.inference.count_scores import read_count_intervals


def write(path: Path, images: int, *, split: bool = False) -> Path:
    rows = [{"image": str(n), "true": [0, n], "predicted": [0, n + 1]} for n in range(images)]
    scores = {"classes": ["ground", "cell"], "counts_by_image": rows, "split_touching": split}
    path.write_text(json.dumps({"objects": scores}))
    return path


def test_classes_that_were_predicted_have_an_interval(tmp_path: Path) -> None:
    intervals = read_count_intervals(write(tmp_path / "a.json", 6), split=False)
    assert list(intervals) == ["cell"]
    assert intervals["cell"].true.tolist() == [0, 1, 2, 3, 4, 5]
    assert intervals["cell"].predicted.tolist() == [1, 2, 3, 4, 5, 6]


def test_what_cannot_give_one_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", 4)
    with pytest.raises(ConfigError, match="4 images are too few"):
        read_count_intervals(path, split=False)
    with pytest.raises(ConfigError, match="without --split-touching"):
        read_count_intervals(write(path, 9), split=True)
    path.write_text(json.dumps({"iou": {}}))
    with pytest.raises(ConfigError, match="--objects --json"):
        read_count_intervals(path, split=False)
    with pytest.raises(ConfigError, match="No such file"):
        read_count_intervals(tmp_path / "b.json", split=False)
