import shutil
from pathlib import Path
from typing import Any


def test_two_models_are_compared_and_a_json_and_a_page_written(
    pixelwise: Any, model: Path, shapes: Path, tmp_path: Path, refused: Any
) -> None:
    other = tmp_path / "other.safetensors"
    shutil.copy(model, other)
    report = tmp_path / "report"
    figures = tmp_path / "compared.json"
    found = pixelwise(
        "compare", model, other, "--data", shapes, "--report", report, "--json", figures
    )
    assert found.returncode == 0, found.stderr
    assert "m.safetensors is above other.safetensors by 0.0 points of mean IoU" in found.stdout
    assert "not significant" in found.stdout
    assert figures.read_text() == (report / "compare.json").read_text()
    refused(pixelwise("compare", model, "--data", shapes), "two or more")
    refused(pixelwise("compare", model, other), "--data")
