"""Networks of other libraries with random weights, and what they give."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.models.checkpoint import load_model


@pytest.fixture
def randomize() -> Callable[[nn.Module], nn.Module]:
    return _randomize


@pytest.fixture
def compare() -> Callable[..., float]:
    return _compare


@pytest.fixture
def compare_onnx() -> Callable[..., float]:
    return _compare_onnx


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _randomize(network: nn.Module) -> nn.Module:
    """Other statistics than those with which a network begins, so that none is left out unseen."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            size = layer.num_features
            layer.running_mean = torch.rand(size, generator=generator) / 10
            layer.running_var = 1 + torch.rand(size, generator=generator) / 10
    return network.eval()


def _compare(
    path: Path, library_logits: Callable[[Tensor], Tensor], *, size: tuple[int, int] = (64, 96)
) -> float:
    """The largest difference of the logits of the model at `path` from the library's, which takes
    images (1, 3, H, W) in [0, 1].
    """
    images = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    model, _ = load_model(path)  # from this package's own file, which was made of it
    with torch.no_grad():
        return float((model.eval()(images) - library_logits(images)).abs().max())


def _compare_onnx(path: Path, *sizes: tuple[int, int]) -> float:
    """The largest difference of the logits in ONNX Runtime from PyTorch's, at sizes other than that
    of the trace.
    """
    onnxruntime = pytest.importorskip("onnxruntime")
    model, _ = load_model(path)
    model.eval()
    session = onnxruntime.InferenceSession(to_onnx(model))
    gap = 0.0
    for size in sizes:
        shape = (1, 3, *size)
        pixels = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            expected = model(pixels / 255)
        (logits,) = session.run(None, {"rgb": pixels.to(torch.uint8).numpy()})
        gap = max(gap, float((torch.from_numpy(logits) - expected).abs().max()))
    return gap
