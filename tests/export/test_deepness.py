"""The file as Deepness uses it: its keys, its floats, its argmax above a threshold."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import pixelwise
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export.exporter import export
from pixelwise.io.images import read_pixels


def test_the_plugin_finds_what_it_reads_and_sees_the_same_classes(
    model_file: Callable[..., Path], picture: Callable[..., Path], tmp_path: Path
) -> None:
    path = picture("tile.png", 64, 64)
    out = tmp_path / "net.deepness.onnx"
    exported = export(model_file(), out, images=[path], size=(64, 64))
    assert exported.agreement == 1
    assert [file.name for file in tmp_path.glob("net*")] == [out.name]
    session = onnxruntime.InferenceSession(str(out))
    metadata = session.get_modelmeta().custom_metadata_map
    values = {key: json.loads(value) for key, value in metadata.items()}
    assert values["model_type"] == "Segmentor"
    assert values["class_names"] == {"0": "sky", "1": "road", "2": "car"}
    assert (values["tile_size"], values["seg_thresh"], values["tiles_overlap"]) == (64, 0, 6)
    (source,) = session.get_inputs()
    assert (source.type, source.shape) == ("tensor(float)", [1, 3, 64, 64])
    assert session.get_outputs()[0].shape[1] == 3
    pixels = np.float32(read_pixels(path)[None] * 1.0 / 255)  # as its preprocessing does
    (result,) = session.run(None, {source.name: pixels.transpose(0, 3, 1, 2)})
    assert np.allclose(result.sum(1), 1, atol=1e-5)
    labels = pixelwise.load(model_file())(path).labels
    assert np.array_equal(result[0].argmax(0), labels)


def test_squares_alone_are_written_and_predict_refuses_the_floats(
    model_file: Callable[..., Path], photo: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"size 64 x 96: Deepness cuts squares"):
        export(model_file(), tmp_path / "net.deepness.onnx", images=[photo], size=(64, 96))
    export(model_file(), tmp_path / "net.deepness.onnx", images=[photo], size=(64, 64))
    with pytest.raises(ModelError, match="float"):
        pixelwise.load(tmp_path / "net.deepness.onnx")(photo)
