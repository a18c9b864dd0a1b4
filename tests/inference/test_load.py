import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ModelError
from pixelwise.inference import load as load_module
from pixelwise.inference.backends import choices, torch_runner
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

pytestmark = pytest.mark.usefixtures("own_cache")

WITHOUT_PYTORCH = """
import sys, pixelwise
model, photo, folder = sys.argv[1:]
pixelwise.load(model, runtime="openvino").predict(photo).save(folder, "mask")
for number, name in enumerate((model, "animals")):  # of the bundled model the cache has nothing
    pixelwise.predict(name, photo, f"{folder}/{number}")
assert not {"torch", "timm", "torchvision"} & set(sys.modules)
"""


def test_a_runtime_that_does_not_exist_is_answered_with_the_nearest(
    model_file: Callable[..., Path],
) -> None:
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        pixelwise.load(model_file(), runtime="openvinno")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda"}, "exported models run on the CPU"),
        ({"precision": "bfloat16"}, "computes in float32"),
    ],
)
def test_options_that_an_exported_model_cannot_have_are_refused(
    exported_file: Callable[..., Path], options: dict[str, str], message: str
) -> None:
    model = exported_file(".onnx")
    with pytest.raises(ConfigError, match=message):
        pixelwise.load(model, **options)  # type: ignore[arg-type]
    assert pixelwise.load(model, precision="bfloat16", runtime="openvino")


def test_auto_prepares_other_runtimes_only_where_it_pays_or_is_known(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file()
    photo = picture("photo.png", 200, 300)
    worth = load_module.choose_runtime
    unmeasured = load_module.UNMEASURED
    assert worth("auto", [photo, tmp_path / "absent.png"], model) == unmeasured
    assert worth("auto", [photo] * 500, model) == "auto"
    assert worth("auto", [photo], tmp_path / "m.onnx") == "auto"
    assert worth("openvino", [photo], model) == "openvino"
    pixelwise.load(model, runtime="auto").predict(picture("small.png", 40, 60))
    assert worth("auto", [photo], model) == "auto"


def test_a_known_runtime_labels_without_importing_pytorch(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file()
    photo = picture("photo.png", 50, 60)
    pixelwise.load(model, runtime="openvino")  # leaves the network in the cache
    words = [sys.executable, "-c", WITHOUT_PYTORCH, str(model), str(photo), str(tmp_path)]
    subprocess.run(words, check=True)
    with Image.open(tmp_path / "mask.png") as mask:
        assert (np.asarray(mask) == pixelwise.load(model).predict(photo).labels).mean() > 0.999
    for number, name in enumerate((str(model), "animals")):
        with Image.open(tmp_path / str(number) / "photo.png") as mask:
            expected = pixelwise.load(name).predict(photo).labels
            assert (np.asarray(mask) == expected).mean() > 0.999


def test_few_pixels_are_labelled_by_what_begins_soonest(
    model_file: Callable[..., Path],
    picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    recorded: Callable[[], Any],
) -> None:
    monkeypatch.setattr(load_module, "has_graphics_card", lambda: False)
    model = model_file()
    photo = picture("photo.png", 50, 60)
    choose = partial(load_module.choose_runtime, "auto", [photo])
    assert choose(model) == choose(model, "bfloat16") == load_module.UNMEASURED
    assert choose(model, device="cuda") == "torch"
    monkeypatch.setattr(load_module, "has_graphics_card", lambda: True)
    assert choose(model, device="cpu") == load_module.UNMEASURED
    # a card that PyTorch cannot use, and one that it can
    for device, expected in (("cpu", load_module.UNMEASURED), ("cuda", "torch")):
        monkeypatch.setattr(load_module, "choose_device", lambda _, name=device: torch.device(name))
        assert choose(model) == expected
    monkeypatch.setattr(load_module, "has_graphics_card", lambda: False)
    monkeypatch.setattr(choices, "is_installed", lambda _: False)
    assert choose(model) == "torch"

    def no_network(path: Path) -> bytes:
        raise ValueError("an operator that ONNX has not\nand more lines")

    monkeypatch.undo()
    monkeypatch.setattr(load_module, "_export_network", no_network)
    progress = recorded()
    other = model_file("fcn8s")
    predictor = pixelwise.load(other, runtime=load_module.UNMEASURED, progress=progress)
    assert predictor.predict(photo).labels.shape == (50, 60)
    assert [line.split(":")[0] for line in progress.lines] == [
        "runtime onnxruntime float32 left out",
        "runtime openvino float32 left out",
    ]
    assert progress.lines[1].endswith(
        "an operator that ONNX has not; torch float32 takes its place"
    )


def test_without_a_runtime_for_it_no_network_is_prepared(
    model_file: Callable[..., Path], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, "is_installed", lambda _: False)
    load_module.prepare_network(model_file())
    assert not list(own_cache.glob("*.onnx"))


def fixed_export(exported_file: Callable[..., Path], folder: Path, height: int, width: int) -> Path:
    """The export with its free sides fixed, as ONNX Runtime's own tool does."""
    onnx = pytest.importorskip("onnx")
    tools = pytest.importorskip("onnxruntime.tools.onnx_model_utils")
    network = onnx.load(exported_file(".onnx", "fcn8s"))
    for name, value in {"images": 1, "height": height, "width": width}.items():
        tools.make_dim_param_fixed(network.graph, name, value)
    path = folder / f"fixed_{height}_{width}.onnx"
    onnx.save(network, path)
    return path


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_network_of_fixed_size_labels_pictures_of_all_sizes(
    runtime: str,
    tmp_path: Path,
    exported_file: Callable[..., Path],
    picture: Callable[..., Path],
    recorded: Callable[[], Any],
) -> None:
    path = fixed_export(exported_file, tmp_path, 64, 96)
    progress = recorded()
    fixed = pixelwise.load(path, runtime=runtime, progress=progress)
    assert progress.lines == [
        f"model {path}: takes 64 x 96 pixels only: larger pictures are cut in tiles of that size, "
        "smaller ones padded"
    ]
    free = pixelwise.load(exported_file(".onnx", "fcn8s"), runtime=runtime)
    own = picture("own.png", 64, 96)
    np.testing.assert_array_equal(fixed.predict(own).labels, free.predict(own).labels)
    # larger: the mean of tiles of exactly that size, as a free network gives it
    free.tile = (64, 96)
    free.overlap = fixed.overlap
    free.exact = True
    large = picture("large.png", 150, 201)
    assert fixed.plan(150, 201).size == (64, 96)
    np.testing.assert_array_equal(fixed.predict(large).labels, free.predict(large).labels)
    assert fixed.predict(picture("small.png", 30, 1)).labels.shape == (30, 1)
    assert fixed.predict(picture("wide.png", 30, 301)).labels.shape == (30, 301)
    assert fixed.predict(own, tta=True, scales=(0.5, 1)).labels.shape == (64, 96)
    with pytest.raises(ConfigError, match="leave out --scale above 1"):
        fixed.predict(own, scales=(1.5,))


def test_a_network_of_a_fixed_size_below_a_tiles_is_refused(
    tmp_path: Path, exported_file: Callable[..., Path]
) -> None:
    path = fixed_export(exported_file, tmp_path, 16, 96)
    with pytest.raises(ModelError, match="takes 16 x 96 pixels only, and tiles have 32"):
        pixelwise.load(path)


def test_what_other_tools_make_of_an_export_is_run_or_named(
    tmp_path: Path, exported_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    onnx = pytest.importorskip("onnx")
    quantization = pytest.importorskip("onnxruntime.quantization")
    original = exported_file(".onnx", "fcn8s")
    photo = picture("a.png", 60, 70)
    expected = pixelwise.load(original, runtime="onnxruntime").predict(photo).labels
    renamed = onnx.load(original)
    renamed.graph.input[0].name = "pixels"
    for node in renamed.graph.node:
        node.input[:] = ["pixels" if name == "rgb" else name for name in node.input]
    onnx.save(renamed, tmp_path / "renamed.ONNX")
    for runtime in ("onnxruntime", "openvino"):
        predictor = pixelwise.load(tmp_path / "renamed.ONNX", runtime=runtime)
        assert (predictor.predict(photo).labels == expected).mean() > 0.999
    quantization.quantize_dynamic(original, tmp_path / "dynamic.onnx")
    quantised = pixelwise.load(tmp_path / "dynamic.onnx", runtime="onnxruntime")
    assert (quantised.predict(photo).labels == expected).mean() > 0.9
    as_float = onnx.load(original)
    as_float.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(as_float, tmp_path / "float.onnx")
    with pytest.raises(ModelError, match="its input 'rgb' is float, and pixels are uint8"):
        pixelwise.load(tmp_path / "float.onnx", runtime="onnxruntime")


@pytest.mark.parametrize("size", [None, (64, 96)])
def test_static_quantisation_of_an_export_gives_a_file_that_predict_runs(
    size: tuple[int, int] | None,
    tmp_path: Path,
    model_file: Callable[..., Path],
    picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Size arithmetic in floats would be quantised too, and no picture could be labelled then."""
    monkeypatch.chdir(tmp_path)  # quant_pre_process leaves a file of weights where it runs
    quantization = pytest.importorskip("onnxruntime.quantization")
    from pixelwise.export.exporter import export

    shape = (1, 3, *(size or (48, 64)))
    photo = picture("a.png", *shape[2:])
    model = model_file("unet", "tf_efficientnet_lite0", scale=0.75)
    export(model, tmp_path / "m.onnx", images=[photo], size=size)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            rng = np.random.default_rng(0)
            self.batches = iter([{"rgb": rng.integers(0, 256, shape, np.uint8)} for _ in range(2)])

        def get_next(self) -> object:
            return next(self.batches, None)

    source = tmp_path / "m.onnx"
    if size:
        pytest.importorskip("sympy")
        prepare = pytest.importorskip("onnxruntime.quantization.shape_inference").quant_pre_process
        prepare(source, tmp_path / "prepared.onnx")
        source = tmp_path / "prepared.onnx"
    quantization.quantize_static(source, tmp_path / "int8.onnx", Reader())
    labels = pixelwise.load(tmp_path / "int8.onnx", runtime="onnxruntime").predict(photo).labels
    assert labels.shape == shape[2:]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_failure_of_a_runtime_while_it_runs_is_told_in_our_words(
    runtime: str, exported_file: Callable[..., Path]
) -> None:
    predictor = pixelwise.load(exported_file(".onnx", "fcn8s"), runtime=runtime)
    no_channels = np.zeros((40, 50), np.uint8)
    names = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
    message = f"{names[runtime]} cannot label 40 x 50 pixels"
    with pytest.raises(ModelError, match=message):
        predictor.runner(no_channels)


def test_a_failure_of_pytorch_while_it_runs_is_told_in_our_words(
    model_file: Callable[..., Path],
) -> None:
    runner = pixelwise.load(model_file("fcn8s")).runner
    with pytest.raises(ModelError, match="PyTorch cannot run the network on 40 x 50 pixels"):
        runner(np.zeros((1, 2, 40, 50), np.uint8))


def test_photos_count_for_the_choice_of_a_runtime_by_what_is_seen_of_them(
    tmp_path: Path, own_cache: Path, picture: Callable[..., Path]
) -> None:
    sizes = {"side": 40, "smallest": 30, "largest": 50, "framed": True}
    network = ModelConfig("fcn32s", "test_resnet", 2)
    photo = picture("photo.png", 1000, 1000)
    for name, framed, chosen in (("a", True, load_module.UNMEASURED), ("b", False, "auto")):
        path = tmp_path / f"{name}.safetensors"
        training = {"sizes": {**sizes, "framed": framed}}
        header = Header(network, Classes.named(("x", "y")), training)
        save_model(path, build_segmenter(network), header)
        assert load_module.choose_runtime("auto", [photo] * 40, path) == chosen


@pytest.mark.parametrize("device", ["cuda", "mps", "xpu"])
def test_a_gpu_that_is_named_is_where_pytorch_computes(
    device: str, model: Path, model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []

    def runner(_: nn.Module, *, device: torch.device, precision: str) -> Callable[..., None]:
        used.append((device, precision))
        return lambda rgb: None

    monkeypatch.setattr(torch_runner, "TorchRunner", runner)
    monkeypatch.setattr(load_module, "choose_device", torch.device)
    pixelwise.load(model_file(), device=device)
    assert used == [(torch.device(device), "float32")]
    with pytest.raises(ConfigError, match=f"device {device} with the runtime onnxruntime"):
        pixelwise.load(model_file(), device=device, runtime="onnxruntime")
    with pytest.raises(ConfigError, match=f"device {device} with .*exported models run on the CPU"):
        pixelwise.load(model, device=device)
