"""Masks that number objects."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.datasets.instance_masks import share_of_single_regions
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError


def squares(count: int) -> np.ndarray:
    """(60, 60) uint16: `count` squares, numbered from 1."""
    ids = np.zeros((60, 60), np.uint16)
    for number in range(count):
        row = number // 6 * 10
        column = number % 6 * 10
        ids[row + 1 : row + 8, column + 2 : column + 9] = number + 1
    return ids


def write(root: Path, masks: list[np.ndarray], **files: str) -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for number, mask in enumerate(masks):
        noise = np.random.default_rng(number).integers(0, 255, (*mask.shape, 3))
        Image.fromarray(noise.astype(np.uint8)).save(root / f"images/{number}.png")
        Image.fromarray(mask).save(root / f"masks/{number}.png")
    for name, text in files.items():
        (root / name.replace("_", ".")).write_text(text)
    return root


@pytest.mark.parametrize("files", [{}, {"classes_txt": "background\ncell\n"}])
def test_one_id_per_object_is_refused_in_training_and_an_error_in_check(
    tmp_path: Path, files: dict[str, str]
) -> None:
    write(tmp_path, [squares(count) for count in (9, 17, 30, 12)], **files)
    with pytest.raises(DataError, match=r"2\.png: the masks number objects, 9 to 30.*--instances"):
        open_dataset(tmp_path)
    findings = examine(tmp_path).findings
    assert [finding.id for finding in findings.of("error")] == ["mask-instances"]


def test_ids_of_objects_are_read_as_one_class_where_asked(tmp_path: Path) -> None:
    write(tmp_path, [squares(count) for count in (9, 17, 30, 12)])
    options = DataOptions(instances=True, hold_out=False)
    data = open_dataset(tmp_path, options)
    assert data.classes.names == ("background", "foreground")
    for pair, count in zip(data.pairs("train"), (9, 17, 30, 12), strict=True):
        assert np.array_equal(data.read_labels(pair.mask), squares(count) > 0)
    result = examine(tmp_path, options)
    assert not result.findings.of("error")
    assert result.shares["all"].pixels[1] == 49 * (9 + 17 + 30 + 12)


def test_more_ids_than_are_counted_by_value_are_one_class(tmp_path: Path) -> None:
    ids = np.arange(30 * 30, dtype=np.uint16).reshape(30, 30) // 2
    write(tmp_path, [ids, squares(9)])
    options = DataOptions(instances=True, hold_out=False)
    assert examine(tmp_path, options).shares["all"].pixels[:2].tolist() == [
        2 + 3600 - 9 * 49,
        898 + 9 * 49,
    ]


def test_classes_of_several_regions_are_no_objects(tmp_path: Path) -> None:
    masks = [squares(30) % count for count in (6, 8, 7, 9)]
    write(tmp_path, masks)
    assert len(open_dataset(tmp_path).classes) == 9


def test_the_share_of_ids_that_are_one_region_counts_corners_as_joined() -> None:
    assert share_of_single_regions(squares(5)) == 1
    two = squares(5)
    two[50:, 50:] = 1
    assert share_of_single_regions(two) == 4 / 5
    assert share_of_single_regions(np.eye(4, dtype=np.uint8)) == 1
