import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)


def write_masks(root: Path, *values: int) -> None:
    """Two pairs whose masks hold stripes of the values."""
    mask = np.repeat(np.array(values, np.uint8), 4)[None].repeat(8, axis=0)
    photo = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), np.uint8)
    for folder, pixels in (("images", photo), ("masks", mask)):
        (root / folder).mkdir()
        for name in "ab":
            Image.fromarray(pixels).save(root / folder / f"{name}.png")


def test_names_that_count_from_0_and_masks_from_1_get_the_file_to_write(tmp_path: Path) -> None:
    write_masks(tmp_path, 1, 2, 3)
    (tmp_path / "classes.txt").write_text("cat\ndog\nÄcker\n")
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path, OPTIONS)
    text = str(caught.value)
    assert (
        "classes.txt: its 3 names count from 0, but the masks hold 1 to 3 and no 0; name the "
        "values in classes.json in its place: "
    ) in text
    example = text[text.index("{") : text.index("}") + 1]
    assert json.loads(example) == {"1": "cat", "2": "dog", "3": "Äcker"}
    (tmp_path / "classes.txt").unlink()
    (tmp_path / "classes.json").write_text(example)
    data = open_dataset(tmp_path, OPTIONS)
    assert data.classes.names == ("cat", "dog", "Äcker")
    assert np.unique(data.read_labels(data.pairs("train")[0].mask)).tolist() == [0, 1, 2]


def test_masks_from_0_and_names_too_few_keep_their_message(tmp_path: Path) -> None:
    write_masks(tmp_path, 0, 1, 2, 3)
    (tmp_path / "classes.txt").write_text("cat\ndog\ncow\n")
    (finding,) = (one for one in examine(tmp_path).findings if one.id == "value-outside-classes")
    assert "value 3 at row 0, column 12" in finding.issues[0].text
    data = open_dataset(tmp_path, OPTIONS)
    with pytest.raises(DataError, match=r"value 3 .* is no class; allowed are 0 to 2"):
        data.read_labels(data.pairs("train")[0].mask)


def test_classes_that_no_file_names_say_how_to_name_them(tmp_path: Path) -> None:
    write_masks(tmp_path, 0, 1, 2)
    line = (
        "classes are named by what the masks hold: name them in classes.json, such as "
        '{"0": "road", "1": "car"}'
    )
    assert line in open_dataset(tmp_path, OPTIONS).notes
    (tmp_path / "classes.txt").write_text("cat\ndog\ncow\n")
    assert line not in open_dataset(tmp_path, OPTIONS).notes
