from pathlib import Path
from typing import Any


def test_a_partly_failed_prediction_exits_with_1(
    pixelwise: Any, model: Path, photo: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    found = pixelwise("predict", model, photo, broken, "--out", tmp_path / "out")
    assert found.returncode == 1
    assert "broken.jpg" in found.stderr
    assert "empty" in found.stderr
    assert (tmp_path / "out/photo.png").is_file()
