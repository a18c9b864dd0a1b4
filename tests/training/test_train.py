from pathlib import Path
from typing import Any

import pytest

import pixelwise
from pixelwise.errors import ConfigError, OutputError


def test_an_option_is_judged_before_a_folder_is_made(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="decoder"):
        pixelwise.train(shapes, tmp_path / "run", decoder="unett")
    assert not (tmp_path / "run").exists()


def test_a_run_folder_is_not_written_over(
    trained: Path, shapes: Path, quick: dict[str, Any]
) -> None:
    before = (trained / "model.safetensors").read_bytes()
    with pytest.raises(OutputError, match="--resume"):
        pixelwise.train(shapes, trained, epochs=1, **quick)
    assert (trained / "model.safetensors").read_bytes() == before
