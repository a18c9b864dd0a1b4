from pathlib import Path

import pytest
import torch

from pixelwise.errors import ModelError
from pixelwise.models.libraries.source_files import find_source


def test_a_folder_is_a_model_by_its_config_and_weights(tmp_path: Path) -> None:
    assert find_source(tmp_path) is None
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    assert find_source(tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "a"}')
    (tmp_path / "README.md").write_text("---\nlicense: [mit\n---\n")  # damaged
    source = find_source(tmp_path)
    assert source is not None
    assert source.weights == tmp_path / "pytorch_model.bin"
    assert source.config == {"model_type": "a"}
    assert source.licence is None
    (tmp_path / "model.safetensors").write_bytes(b"")
    again = find_source(tmp_path)
    assert again is not None
    assert again.weights == tmp_path / "model.safetensors"
    assert again.cache_path() != source.cache_path()


def test_files_of_weights_are_known_by_what_they_hold(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "a.pth")
    torch.save({}, tmp_path / "a.onnx")
    (tmp_path / "text.pth").write_text("text")
    (tmp_path / "page.safetensors").write_bytes(b"<html")
    assert find_source(tmp_path / "a.pth") is not None
    for name in ("a.onnx", "text.pth", "page.safetensors", "absent.pth"):
        assert find_source(tmp_path / name) is None


def test_the_json_file_of_its_own_name_comes_first(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "a.pth")
    (tmp_path / "config.json").write_text('{"x": 1}')
    source = find_source(tmp_path / "a.pth")
    assert source is not None
    assert source.config == {"x": 1}
    (tmp_path / "a.json").write_text('{"x": 2}')
    source = find_source(tmp_path / "a.pth")
    assert source is not None
    assert source.config == {"x": 2}


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_damaged_config_is_refused(tmp_path: Path, text: str) -> None:
    torch.save({}, tmp_path / "a.pth")
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ModelError, match=r"a\.json: .*copy it again"):
        find_source(tmp_path / "a.pth")
