import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pixelwise
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export import exporter
from pixelwise.export.exporter import export


@pytest.mark.parametrize("decoder", ["light", "unet"])
def test_a_network_of_one_size_gives_the_same_labels_in_ncnn(
    decoder: str, tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    ncnn = pytest.importorskip("ncnn")
    pytest.importorskip("pnnx")
    photo = picture("a.png", 64, 96)
    model = model_file(decoder)
    done = export(model, tmp_path / "m.ncnn.param", images=[photo], size=(64, 96))
    assert done.agreement >= 0.999
    assert {file.name for file in tmp_path.iterdir()} == {"a.png", "m.ncnn.param", "m.ncnn.bin", "m.ncnn.json"}  # fmt: skip
    described = json.loads((tmp_path / "m.ncnn.json").read_text(encoding="utf-8"))
    assert described["input"]["shape"] == [3, 64, 96]
    # as a program without pixelwise runs it, by the description alone
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(tmp_path / "m.ncnn.param")) == 0
    assert net.load_model(str(tmp_path / "m.ncnn.bin")) == 0
    result = pixelwise.load(model).predict(photo)
    extractor = net.create_extractor()
    pixels = np.ascontiguousarray(result.rgb.transpose(2, 0, 1), np.float32)
    extractor.input(described["input"]["name"], ncnn.Mat(pixels).clone())
    _, logits = extractor.extract(described["output"]["name"])
    assert (np.array(logits).argmax(0) == result.labels).mean() >= 0.999


def test_ncnn_needs_a_size_and_its_packages(
    tmp_path: Path, model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (None, (360, 480)):
        with pytest.raises(ConfigError, match=r"multiples of 32, as --size 352 480"):
            export(model_file(), tmp_path / "m.ncnn.param", size=size)
    with pytest.raises(ConfigError, match=r"ends in \.onnx, \.xml, \.ncnn\.param"):
        export(model_file(), tmp_path / "m.param", size=(64, 64))

    def missing(name: str) -> None:
        raise ConfigError(f"{name} is not installed: pip install 'pixelwise[ncnn]'")

    monkeypatch.setattr(exporter, "require_package", missing)
    with pytest.raises(ConfigError, match=r"pnnx is not installed: .*\[ncnn\]"):
        export(model_file(), tmp_path / "m.ncnn.param", size=(64, 64))


def test_a_network_that_cannot_be_converted_leaves_nothing(
    tmp_path: Path, model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pnnx = pytest.importorskip("pnnx")
    monkeypatch.setattr(pnnx, "EXEC_PATH", "/bin/false")
    with pytest.raises(ModelError, match="pnnx cannot convert this network"):
        export(model_file(), tmp_path / "m.ncnn.param", size=(64, 64))
    assert list(tmp_path.iterdir()) == []
