"""Labels, scores and styles on a simulated GPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import VggFeatures
from pixelwise.style_transfer.optimization import transfer_style


@pytest.mark.parametrize(
    "decoder",
    ["light", "fcn16s", "upernet"],  # pooled, transposed, pooled to several sizes
)
def test_labels_are_the_cpus(
    decoder: str,
    model_file: Callable[..., Path],
    photo: Path,
    gpu: pytest.MonkeyPatch,
) -> None:
    path = model_file(decoder, "resnet10t", 0.75)
    expected = pixelwise.load(path, device="cpu").predict(photo, tta=True, scales=(1, 1.5))
    model = pixelwise.load(path, device="cuda", tile=(32, 32))
    result = pixelwise.load(path, device="cuda").predict(photo, tta=True, scales=(1, 1.5))
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert model.predict(photo).labels.shape == expected.labels.shape  # in tiles
    half = pixelwise.load(path, device="auto", precision="bfloat16").predict(photo)
    assert np.isfinite(half.confidence).all()


def test_a_tile_that_does_not_fit_is_one_line(
    model_file: Callable[..., Path], photo: Path, gpu: pytest.MonkeyPatch
) -> None:
    model = pixelwise.load(model_file(), device="cuda")

    def fail(_: Tensor) -> Tensor:
        raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be")

    gpu.setattr(model.runner.model, "forward", fail)
    with pytest.raises(
        ConfigError,
        match=r"cuda has too little free memory for 1 tile\(s\) of 48 x 70.*smaller tiles, or the",
    ):
        model.predict(photo)


def test_the_bundled_model_labels(shapes: Path, gpu: pytest.MonkeyPatch) -> None:
    model = pixelwise.load("animals", device="cuda")
    assert model.runner.device.type == "cuda"
    assert torch.from_numpy(model.predict(next(shapes.glob("images/*/*"))).labels).max() < 7


@pytest.mark.parametrize("options", [{}, {"tile": 64}, {"optimizer": "lbfgs", "start": "noise"}])
def test_a_style_is_the_cpus(options: dict[str, object], request: pytest.FixtureRequest) -> None:
    torch.manual_seed(0)
    network = VggFeatures("vgg16")
    for number, layer in enumerate(network.features):
        if isinstance(layer, torch.nn.Conv2d):
            channels = 3 if number == 0 else 6
            network.features[number] = torch.nn.Conv2d(channels, 6, 3, padding=1)
    network.freeze()
    content = torch.rand(3, 96, 96)
    style = torch.rand(3, 64, 64)
    config = StyleConfig(steps=3, levels=1, **options)  # type: ignore[arg-type]
    expected = transfer_style(content, [(style, 1.0)], network, config)
    request.getfixturevalue("gpu")
    shown: list[Tensor] = []

    def look(_: object, image: Callable[[], Tensor]) -> bool:
        shown.append(image())
        return False

    result = transfer_style(content, [(style, 1.0)], network.to("cuda"), config, on_step=look)
    assert {image.device.type for image in (result.image, *shown)} == {"cpu"}
    torch.testing.assert_close(result.image, expected.image, rtol=1e-3, atol=1e-3)
    assert result.history == expected.history
