from pathlib import Path
from typing import Any


def test_a_model_file_asks_for_the_data(
    pixelwise: Any, model_file: Any, tmp_path: Path, refused: Any
) -> None:
    found = pixelwise("compress", model_file(), "--out", tmp_path / "small")
    refused(found, "give the data with --data")
    assert not (tmp_path / "small").exists()
