"""The validation images of a run."""

import json
from dataclasses import asdict
from pathlib import Path

from pixelwise.datasets.run_images import validation_pairs
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.datasets.types import DataOptions


def test_they_are_found_where_the_data_still_is_and_none_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_shapes(data, train=2, val=2, test=1, size=(24, 32))
    record = {"data": {"root": str(data)}, "reading": asdict(DataOptions())}
    (tmp_path / "run.json").write_text(json.dumps(record))
    images = [pair.image for pair in validation_pairs(tmp_path)]
    assert images == sorted((data / "images/val").iterdir())
    data.rename(tmp_path / "elsewhere")
    assert validation_pairs(tmp_path) == []
    assert validation_pairs(data) == []
