import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pixelwise.models.file_kinds import is_exported, is_pickle, name_kind


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (pickle.dumps({"a": 1}, protocol=2), "a pickle"),
        (pickle.dumps({"a": 1}, protocol=5), "a pickle"),
        (zipped("archive/data.pkl", "archive/data/0"), "a pickle"),
        (zipped("s/code/__torch__.py", "s/constants.pkl"), "a TorchScript archive"),
        (zipped("config.json", "model.weights.h5"), "a zip archive"),
        (b"PK\x03\x04cut", "a pickle (cut short)"),
        (b"\x1c\x00\x00\x00TFL3rest", "a TensorFlow Lite file"),
        (b"\x89HDF\r\n", "an HDF5 file, as Keras writes"),
        (b"text of another kind", ""),
        (b"\x08", ""),
    ],
)
def test_a_file_is_named_by_its_first_bytes(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "file").write_bytes(content)
    assert name_kind(tmp_path / "file") == kind
    assert is_pickle(kind) == kind.startswith(("a pickle", "a Torch"))


@pytest.mark.parametrize("start", [b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"])
def test_safetensors_are_no_pickle_whatever_the_length_of_their_header(
    tmp_path: Path, start: bytes
) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    length = int.from_bytes(start, "little")
    content = length.to_bytes(8, "little") + header.ljust(length).encode() + bytes(4)
    (tmp_path / "x.safetensors").write_bytes(content)
    assert load_file(tmp_path / "x.safetensors")["x"].shape == (1,)
    assert name_kind(tmp_path / "x.safetensors") == ""


@pytest.mark.parametrize("length", range(8))
def test_safetensors_are_no_onnx_whatever_the_length_of_their_header(
    tmp_path: Path, length: int
) -> None:
    metadata = {"x": json.dumps("y" * length)}
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata=metadata)
    assert name_kind(tmp_path / "x.safetensors") == ""


def test_exports_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "run.onnx").mkdir()
    assert is_exported(Path("m.onnx"))
    assert is_exported(Path("M.ONNX"))
    assert is_exported(Path("m.xml"))
    assert not is_exported(Path("m.safetensors"))
    assert not is_exported(tmp_path / "run.onnx")  # a folder, however it is called
