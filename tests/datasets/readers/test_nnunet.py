"""nnU-Net's raw data of pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError


def make(root: Path) -> None:
    for folder in ("imagesTr", "labelsTr", "imagesTs"):
        (root / folder).mkdir()
    for name in ("case_001", "case_002"):
        Image.new("RGB", (3, 1)).save(root / f"imagesTr/{name}_0000.png")
        Image.fromarray(np.array([[0, 1, 2]], np.uint8)).save(root / f"labelsTr/{name}.png")
    Image.new("RGB", (3, 1)).save(root / "imagesTs/case_003_0000.png")


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "tumour": 1, "ignore": 2},
        {"0": "background", "1": "tumour", "2": "ignore"},
    ],
)
def test_pairs_and_names(tmp_path: Path, labels: dict[str, object]) -> None:
    make(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels, "file_ending": ".png"}))
    data = open_dataset(tmp_path, DataOptions(hold_out=False))
    assert (data.format, data.classes.names) == ("nnunet", ("background", "tumour"))
    assert [(pair.name, pair.image.name, pair.mask.name) for pair in data.pairs("train")] == [
        ("case_001", "case_001_0000.png", "case_001.png"),
        ("case_002", "case_002_0000.png", "case_002.png"),
    ]
    assert data.read_labels(data.pairs("train")[0].mask).tolist() == [[0, 1, 255]]
    assert "test: left out, as there are no masks in labelsTs/" in data.notes


def test_files_of_channels_and_volumes_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    Image.new("RGB", (3, 1)).save(tmp_path / "imagesTr/case_001_0001.png")
    with pytest.raises(DataError, match=r"2 files of channels an image.*join them to one RGB"):
        open_dataset(tmp_path)
    (tmp_path / "imagesTr/case_001_0000.nii.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"nii.gz: a volume.*`pixelwise slice .* writes its slices"):
        open_dataset(tmp_path)
