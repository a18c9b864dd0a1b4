"""What a reader lists in a folder."""

from pathlib import Path

import pytest

from pixelwise.datasets.open_dataset import read_index
from pixelwise.datasets.synthetic import write_shapes


@pytest.fixture
def shapes_set(tmp_path: Path) -> Path:
    write_shapes(tmp_path / "set", train=6, val=2, test=2, size=(40, 60), seed=1)
    return tmp_path / "set"


def test_an_index_lists_pairs_and_issues_without_refusing_any(shapes_set: Path) -> None:
    (shapes_set / "masks/train/001.png").unlink()
    index = read_index(shapes_set)
    assert [issue.type for issue in index.issues] == ["image-without-mask"]
    assert index.issues[0].refusal
    assert len(index.pairs()) == 9
