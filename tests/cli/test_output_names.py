from pathlib import Path

from pixelwise.cli.output_names import export_path, free_path


def test_a_name_that_is_taken_is_numbered(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert free_path(path) == path
    path.touch()
    assert free_path(path) == tmp_path / "a-2.png"
    (tmp_path / "a-2.png").touch()
    assert free_path(path) == tmp_path / "a-3.png"


def test_an_export_goes_into_its_run_folder(tmp_path: Path) -> None:
    assert export_path(tmp_path) == tmp_path / "model.onnx"
    assert export_path(tmp_path / "b.safetensors", suffix=".xml") == tmp_path / "b.xml"
    assert export_path(Path("animals")) == Path("animals.onnx")
