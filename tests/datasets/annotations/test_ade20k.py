from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def test_ade20k_counts_from_one_and_0_is_void(tmp_path: Path) -> None:
    base = tmp_path / "ADEChallengeData2016"
    picture(base / "images/training/ADE_train_1.jpg", (1, 4))
    (base / "annotations/training").mkdir(parents=True)
    Image.fromarray(np.array([[0, 1, 150, 13]], np.uint8)).save(
        base / "annotations/training/ADE_train_1.png"
    )
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, only(data)) == ("ade20k", [[255, 0, 149, 12]])
    assert [data.classes.names[label] for label in (0, 12, 149)] == ["wall", "person", "flag"]


def write_ade(base: Path, *names: str) -> None:
    for name in names:
        picture(base / f"images/training/{name}.jpg", (1, 4))
        (base / "annotations/training").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array([[0, 1, 150, 13]], np.uint8)).save(
            base / f"annotations/training/{name}.png"
        )


@pytest.mark.parametrize(
    "place",
    [
        "ADEChallengeData2016",
        "ADEChallengeData2016/ADEChallengeData2016",
        "download/ADEChallengeData2016",
        "ade",
        ".",
    ],
)
def test_the_folder_may_be_deeper_or_have_another_name(tmp_path: Path, place: str) -> None:
    write_ade(tmp_path / place, "ADE_train_1")
    (tmp_path / place / "objectInfo150.txt").touch()
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, only(data)) == ("ade20k", [[255, 0, 149, 12]])


def test_images_without_mask_are_issues_and_a_split_without_masks_is_left_out(
    tmp_path: Path,
) -> None:
    base = tmp_path / "ADEChallengeData2016"
    write_ade(base, "ADE_train_1", "ADE_train_2")
    (base / "annotations/training/ADE_train_2.png").unlink()
    picture(base / "images/testing/ADE_test_1.jpg")
    index = read_index(tmp_path)
    assert [(issue.type, issue.file.name) for issue in index.issues if issue.file] == [
        ("split-without-masks", "testing"),
        ("image-without-mask", "ADE_train_2.jpg"),
    ]
    assert index.encoding is not None
    assert index.encoding.kind == "ADE20K ids"
    assert "testing: left out, as there is no annotations/testing/" in index.notes
    with pytest.raises(DataError, match=r"1 image without mask \(ADE_train_2\.jpg\)"):
        open_dataset(tmp_path, OPTIONS)
