"""Keras's files, written here in its layouts, and by Keras itself where it is installed."""

import hashlib
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixelwise.errors import ConfigError, WeightsError
from pixelwise.models import keras_weights
from pixelwise.models.encoder import Encoder
from pixelwise.models.keras_resnet import KERAS_RESNETS, KerasResNetV2
from pixelwise.models.paper_encoders import PAPER_ENCODERS
from pixelwise.models.pretrained import load_weights, name_licence

NAME = "keras_resnet50v2"
WIDTH = 4

Arrays = dict[str, np.ndarray[Any, Any]]


@pytest.fixture
def h5py() -> Any:
    return pytest.importorskip("h5py")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of the real ones' layers, but few and narrow."""
    for name, blocks in ((NAME, (2, 2, 2, 2)), ("keras_resnet101v2", (2, 2, 3, 2))):
        for registry in (KERAS_RESNETS, PAPER_ENCODERS):
            monkeypatch.setitem(registry, name, partial(KerasResNetV2, blocks, width=WIDTH))


def make_arrays(blocks: tuple[int, ...]) -> Arrays:
    """Random arrays of the layers, as Keras's summary lists them, by `layer/tensor`."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {}

    def add(layer: str, *shape: int, bias: bool = False) -> None:
        arrays[f"{layer}/kernel"] = rng.normal(size=shape).astype(np.float32)
        if bias:
            arrays[f"{layer}/bias"] = rng.normal(size=shape[-1]).astype(np.float32)

    def add_norm(layer: str, width: int) -> None:
        for tensor in ("gamma", "beta", "moving_mean", "moving_variance"):
            arrays[f"{layer}/{tensor}"] = rng.uniform(0.5, 1, width).astype(np.float32)

    add("conv1_conv", 7, 7, 3, WIDTH, bias=True)
    before = WIDTH
    for stage, count in enumerate(blocks):
        inner = WIDTH * 2**stage
        for number in range(1, count + 1):
            block = f"conv{stage + 2}_block{number}"
            add_norm(f"{block}_preact_bn", before)
            add(f"{block}_1_conv", 1, 1, before, inner)
            add_norm(f"{block}_1_bn", inner)
            add(f"{block}_2_conv", 3, 3, inner, inner)
            add_norm(f"{block}_2_bn", inner)
            if number == 1:
                add(f"{block}_0_conv", 1, 1, before, 4 * inner, bias=True)
            add(f"{block}_3_conv", 1, 1, inner, 4 * inner, bias=True)
            before = 4 * inner
    add_norm("post_bn", before)
    return arrays


ARRAYS = make_arrays((2, 2, 2, 2))
TOP: Arrays = {
    "predictions/kernel": np.zeros((128, 10), np.float32),
    "predictions/bias": np.zeros(10, np.float32),
}


def write_named(
    h5py: Any, path: Path, arrays: Arrays, *, inside: str = "", end: str = ":0"
) -> Path:
    """As Keras 2 writes `.h5`: each layer's group has a group of its tensors."""
    with h5py.File(path, "w") as file:
        file.create_group(f"{inside}pool1_pool")  # a layer without tensors
        for name, array in arrays.items():
            layer, tensor = name.split("/")
            file[f"{inside}{layer}/{layer}/{tensor}{end}"] = array
    return path


def write_numbered(h5py: Any, path: Path, arrays: Arrays) -> Path:
    """As Keras 3 writes `.weights.h5`: layers by kind and number, tensors by number."""
    layers: dict[str, list[np.ndarray[Any, Any]]] = {}
    for name, array in arrays.items():
        layers.setdefault(name.partition("/")[0], []).append(array)
    counts: dict[str, int] = {}
    with h5py.File(path, "w") as file:
        for layer, tensors in layers.items():
            kind = "batch_normalization" if layer.endswith("_bn") else "conv2d"
            kind = "dense" if layer == "predictions" else kind
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            group = f"layers/{kind}_{number}" if number else f"layers/{kind}"
            for place, array in enumerate(tensors):
                file[f"{group}/vars/{place}"] = array
        file["optimizer/vars/0"] = np.zeros(3)
    return path


def check_loaded(encoder: Encoder, arrays: Arrays) -> None:
    own = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
    own |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    state = encoder.net.state_dict()
    by_layer = {
        name.replace(".", "_"): value.numpy() for name, value in state.items() if value.ndim
    }
    assert len(by_layer) == len(arrays)
    for name, array in arrays.items():
        layer, tensor = name.split("/")
        expected = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        np.testing.assert_array_equal(by_layer[f"{layer}_{own[tensor]}"], expected, err_msg=name)


@pytest.mark.usefixtures("small")
def test_every_tensor_of_keras_files_lands_in_its_place(h5py: Any, tmp_path: Path) -> None:
    numbered = write_numbered(h5py, tmp_path / "net.weights.h5", ARRAYS)
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(numbered, "model.weights.h5")
    for path in (
        write_named(h5py, tmp_path / "keras2.h5", ARRAYS),
        write_named(h5py, tmp_path / "model.H5", ARRAYS, inside="model_weights/", end=""),
        numbered,
        tmp_path / "net.keras",
    ):
        encoder = Encoder(NAME)
        assert load_weights(encoder, str(path)) == f"{NAME}: weights from {path}"
        check_loaded(encoder, ARRAYS)


def changed(changes: dict[str, np.ndarray[Any, Any] | None]) -> Arrays:
    """ARRAYS with others in place of some, and without those that are None."""
    arrays = {**ARRAYS, **changes}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({**ARRAYS, **TOP}, r"with a top \(.*(predictions|dense)\); give the file without one"),
        (make_arrays((2, 2, 3, 2)), "of keras_resnet101v2, not of keras_resnet50v2; choose that"),
        ({**make_arrays((2, 2, 3, 2)), **TOP}, "of keras_resnet101v2, not of keras_resnet50v2"),
        (
            changed({"post_bn/moving_variance": None}),
            r"1 tensors missing, post_bn/moving_variance; give",
        ),
        (
            changed({"conv1_bn/gamma": np.ones(4, np.float32)}),
            "of 142 tensors: .*1 tensors without a place, ",
        ),
        (
            changed({"conv1_conv/kernel": np.ones((7, 7, 1, 4), np.float32)}),
            r"1 tensors of another shape.*, conv1_conv/kernel \(needs \[7, 7, 3, 4\].*, has \[7, 7, 1",
        ),
        (
            changed({"post_bn/gamma": np.ones(128, np.int64)}),
            r"post_bn/gamma \(needs \[128\] of floats, has \[128\] of int64\)",
        ),
    ],
    ids=["top", "other depth", "other depth with a top", "missing", "left over", "shape", "kind"],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(
    h5py: Any, tmp_path: Path, arrays: Arrays, message: str
) -> None:
    for path in (
        write_named(h5py, tmp_path / "net.h5", arrays),
        write_numbered(h5py, tmp_path / "net.weights.h5", arrays),
    ):
        encoder = Encoder(NAME)
        before = encoder.net["conv1_conv"].weight.clone()
        with pytest.raises(WeightsError, match=message) as caught:
            load_weights(encoder, str(path))
        assert str(path) in str(caught.value)
        assert torch.equal(encoder.net["conv1_conv"].weight, before)


@pytest.mark.usefixtures("small")
def test_a_model_around_the_network_is_refused_by_its_other_layers(
    h5py: Any, tmp_path: Path
) -> None:
    path = write_named(h5py, tmp_path / "course.h5", ARRAYS, inside="resnet50v2/")
    with h5py.File(path, "a") as file:
        file["conv2d/net/conv2d/kernel"] = np.zeros((1, 1, 128, 21))
    with pytest.raises(WeightsError, match="1 tensors without a place, conv2d/net/conv2d/kernel"):
        load_weights(Encoder(NAME), str(path))


@pytest.mark.usefixtures("small")
def test_files_that_are_damaged_or_of_another_kind_are_named(h5py: Any, tmp_path: Path) -> None:
    whole = write_named(h5py, tmp_path / "whole.h5", ARRAYS).read_bytes()
    contents = {
        "cut.h5": (whole[: len(whole) // 2], "cut short or damaged"),
        "page.h5": (b"<!DOCTYPE html><html>", "an HTML page, not a file of Keras"),
        "empty.keras": (b"", "cut short or damaged"),
        "text.h5": (b"resnet" * 9, "neither HDF5 nor a zip archive"),
        "pickle.h5": (b"\x80\x04\x95rest", "a pickle, not a file of Keras"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=f"{name}: {message}"):
            load_weights(Encoder(NAME), str(tmp_path / name))
    with pytest.raises(WeightsError, match=r"absent.h5: no such file"):
        load_weights(Encoder(NAME), str(tmp_path / "absent.h5"))


def test_another_encoder_is_told_which_ones_take_keras_files(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"\x89HDF")
    with pytest.raises(WeightsError, match=r"net.h5: of Keras, .*keras_resnet101v2.* alone"):
        load_weights(Encoder("resnet10t"), str(tmp_path / "net.h5"))


@pytest.mark.usefixtures("small")
def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "net.h5").write_bytes(b"\x89HDF")
    with pytest.raises(ConfigError, match=r"^h5py is not installed: pip install 'pixelwise\[keras"):
        load_weights(Encoder(NAME), str(tmp_path / "net.h5"))


@pytest.mark.usefixtures("small")
def test_auto_takes_what_keras_has_downloaded_and_knows_its_licence(
    h5py: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"not at .*kernels_notop.h5.*--weights none"):
        load_weights(Encoder(NAME), "auto")
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / keras_weights.PUBLISHED[NAME].file
    write_named(h5py, path, ARRAYS)
    encoder = Encoder(NAME)
    assert load_weights(encoder, "auto") == f"{NAME}: weights from {path}"
    check_loaded(encoder, ARRAYS)
    assert name_licence(NAME, "auto") == "unknown"  # not the published bytes
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    published = keras_weights.Published(path.name, digest)
    monkeypatch.setitem(keras_weights.PUBLISHED, NAME, published)
    assert name_licence(NAME, "auto") == name_licence(NAME, str(path)) == "bsd-3-clause"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_features_are_those_of_keras_itself(
    h5py: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    net = keras.applications.ResNet50V2(include_top=False, weights=None, input_shape=(64, 96, 3))
    rng = np.random.default_rng(0)
    for layer in net.layers:
        # biases and running statistics begin at 0 and 1, where a mistake would not show
        values = layer.get_weights()
        layer.set_weights([v if v.ndim > 1 else rng.uniform(0.5, 1, v.shape) for v in values])
    net.save_weights(tmp_path / "net.weights.h5")
    net.save(tmp_path / "net.keras")
    names = ["conv1_conv", "conv2_block3_preact_relu", "conv3_block4_preact_relu"]
    names += ["conv4_block6_preact_relu", "post_relu"]
    taps = keras.Model(net.input, [net.get_layer(name).output for name in names])
    rgb = rng.integers(0, 256, (1, 64, 96, 3)).astype(np.float32)
    expected = taps.predict(keras.applications.resnet_v2.preprocess_input(rgb.copy()), verbose=0)
    for file in ("net.weights.h5", "net.keras"):
        encoder = Encoder(NAME, plain=True).eval()
        load_weights(encoder, str(tmp_path / file))
        image = (torch.from_numpy(rgb).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
        with torch.no_grad():
            features = encoder(image)
        for feature, truth in zip(features.values(), expected, strict=True):
            error = np.abs(feature.permute(0, 2, 3, 1).numpy() - truth).max()
            assert error <= 1e-4 * np.abs(truth).max()
