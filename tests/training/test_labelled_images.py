import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import DataError
from pixelwise.io.images import read_rgb

DOCS = Path(__file__).parents[2] / "docs"


def test_items_are_what_the_files_hold(shapes: Path) -> None:
    images = pixelwise.LabelledImages(shapes, "val")
    dataset = open_dataset(shapes)
    assert len(images) == len(dataset.pairs("val"))
    assert images.classes == dataset.classes
    assert images.channels == 3
    for index, pair in enumerate(dataset.pairs("val")):
        image, labels = images[index]
        assert np.array_equal(image.permute(1, 2, 0).numpy(), read_rgb(pair.image))
        assert labels.dtype == torch.int64
        assert np.array_equal(labels.numpy(), dataset.read_labels(pair.mask))
    copied = pickle.loads(pickle.dumps(images))
    assert torch.equal(copied[0][0], images[0][0]), "workers that are not forked need it"


def test_options_are_those_of_a_training(shapes: Path) -> None:
    merged = pixelwise.LabelledImages(
        shapes,
        transform=lambda image, labels: labels.max(),
        merge=("shape=circle,square,triangle",),
    )
    assert merged.classes.names == ("background", "shape")
    assert merged[0] in (1, 255)


def test_a_mask_of_another_size_is_refused(shapes: Path, tmp_path: Path) -> None:
    shutil.copytree(shapes, tmp_path / "data")
    images = pixelwise.LabelledImages(tmp_path / "data")
    mask = next((tmp_path / "data/masks/train").glob(f"{images.names[0]}.*"))
    with Image.open(mask) as opened:
        cut = opened.crop((0, 0, 9, 9))
    cut.save(mask)
    with pytest.raises(DataError, match=r"but its mask has \(9, 9\)"):
        images[0]


def test_the_guide_works(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(shapes, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "own-loop.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    names: dict[str, object] = {}
    exec(compile(code, "docs/own-loop.md", "exec"), names)
    assert isinstance(names["labels"], np.ndarray)
    assert names["labels"].shape == (300, 500)
