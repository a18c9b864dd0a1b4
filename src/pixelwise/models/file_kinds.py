"""What a file that is given as a model is: an export of pixelwise by its name, anything else by its
first bytes.
"""

import zipfile
from pathlib import Path

# Files of `pixelwise export` that another runtime runs.
EXPORTED = (".onnx", ".xml")

# What `export` writes for ncnn, which `predict` does not run; the weights lie beside it.
NCNN = ".ncnn.param"

# The bytes by which other files are known: place, bytes, kind. Pickles by protocols 2 to 5.
_MAGIC = (
    (0, b"\x80\x02", "a pickle"),
    (0, b"\x80\x03", "a pickle"),
    (0, b"\x80\x04", "a pickle"),
    (0, b"\x80\x05", "a pickle"),
    (0, b"\x89HDF", "an HDF5 file, as Keras writes"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file; run git lfs pull"),
    (0, b"<!DOCTYPE", "an HTML page"),
    (0, b"<!doctype", "an HTML page"),
    (0, b"<html", "an HTML page"),
    (0, b"<?xml", "an XML file"),
    (4, b"TFL3", "a TensorFlow Lite file"),
)

# ONNX is a protobuf: its first field is the version of the format, a small number, and the second
# the producer's name, version or domain, a text, or the graph.
_ONNX = "an ONNX file, whose name must end in .onnx"
_ONNX_FIELDS = (b"\x12", b"\x1a", b"\x22", b"\x3a")


def is_ncnn(out: Path) -> bool:
    """Whether `out` is named as a network of ncnn."""
    return out.name.endswith(NCNN)


def is_page(out: Path) -> bool:
    """Whether `out` is named as a page that labels by itself."""
    return out.suffix.lower() in (".html", ".htm")


def is_exported(model: Path) -> bool:
    """Whether `model` is named as a file that `export` writes for another runtime."""
    return model.suffix.lower() in EXPORTED and not model.is_dir()


def name_kind(file: Path) -> str:
    """What the file holds, by its first bytes, such as `a pickle`; empty where it may be
    safetensors or is unknown. Raises OSError.
    """
    with file.open("rb") as stream:
        start = stream.read(32)  # no more: the file may be large
    if not start:
        return "an empty file"
    # safetensors: the length of the header, which may begin like anything, then its brace
    if start[5:9] == b"\0\0\0{":
        return ""
    if start.startswith(b"PK"):
        return _name_zip(file)
    for place, magic, kind in _MAGIC:
        if start.startswith(magic, place):
            return kind
    return _ONNX if _is_onnx(start) else ""


def _is_onnx(start: bytes) -> bool:
    return start[:1] == b"\x08" and start[2:3] in _ONNX_FIELDS


def is_pickle(kind: str) -> bool:
    """Whether a kind of `name_kind` could run code when it is read."""
    return kind.startswith(("a pickle", "a TorchScript"))


def _name_zip(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return "a pickle (cut short)"
    if any("/code/" in name for name in names):
        return "a TorchScript archive"
    if any(name.endswith("data.pkl") for name in names):
        return "a pickle"
    return "a zip archive"
