import tracemalloc

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pixelwise.errors import ConfigError, ModelError
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.tta import peak_copies, with_tta

CPU = torch.device("cpu")


class Spy(nn.Module):
    """Keeps what it was given, gives twice of it."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.9)
        self.seen = torch.zeros(0)

    def forward(self, image: Tensor) -> Tensor:
        self.seen = image
        doubled: Tensor = self.drop(image * 2)
        return doubled


def rgb(height: int = 5, width: int = 7) -> np.ndarray:
    return np.arange(2 * 3 * height * width).reshape(2, 3, height, width).astype(np.uint8)


def test_the_model_sees_floats_from_0_to_1_in_channels_last() -> None:
    model = Spy()
    TorchRunner(model, device=CPU)(np.array([0, 51, 255], np.uint8).reshape(1, 3, 1, 1))
    torch.testing.assert_close(model.seen.flatten(), torch.tensor([0.0, 0.2, 1.0]))
    TorchRunner(model, device=CPU)(rgb())
    assert model.seen.is_contiguous(memory_format=torch.channels_last)


def test_the_model_runs_in_eval_mode_without_gradients() -> None:
    image = rgb()
    logits = TorchRunner(Spy().train(), device=CPU)(image)
    np.testing.assert_allclose(logits, image.astype(np.float32) / 255 * 2, rtol=1e-6)
    assert logits.dtype == np.float32


def test_the_pixels_given_are_left_as_they_were() -> None:
    image = rgb()
    TorchRunner(Spy(), device=CPU)(image)
    assert np.array_equal(image, rgb())


def test_bfloat16_computes_in_bfloat16_and_gives_float32() -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(3, 4, 3, padding=1)
    inner = []
    model.register_forward_hook(lambda *given: inner.append(given[2].dtype))
    exact = TorchRunner(model, device=CPU)(rgb())
    rough = TorchRunner(model, device=CPU, precision="bfloat16")(rgb())
    assert inner == [torch.float32, torch.bfloat16]
    assert rough.dtype == exact.dtype == np.float32
    np.testing.assert_allclose(rough, exact, atol=0.03, rtol=0.03)


def test_another_precision_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown precision 'float16'.*did you mean 'bfloat16'"):
        TorchRunner(Spy(), device=CPU, precision="float16")


def test_too_little_memory_is_said_with_the_way_out() -> None:
    class Hungry(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ConfigError, match=r"2 tile\(s\) of 5 x 7 pixels.*smaller tiles"):
        TorchRunner(Hungry(), device=CPU)(rgb())


def test_too_little_memory_of_the_cpu_is_said_as_well() -> None:
    class Huge(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.empty(10**15) + image

    class Wrong(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(ConfigError, match=r"cpu has too little free memory.*choose smaller tiles$"):
        TorchRunner(Huge(), device=CPU)(rgb())
    with pytest.raises(ModelError, match=r"on 5 x 7 pixels \(shapes do not fit\)") as caught:
        TorchRunner(Wrong(), device=CPU)(rgb())
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_mirrored_logits_of_a_mirrored_image_are_the_mirror() -> None:
    def sided(image: np.ndarray) -> np.ndarray:
        return image.astype(np.float32) * np.arange(image.shape[-1], dtype=np.float32)

    run = with_tta(sided, mirror=True)
    np.testing.assert_allclose(run(rgb()[..., ::-1]), run(rgb())[..., ::-1])
    np.testing.assert_allclose(
        run(rgb()), rgb().astype(np.float32) * 3
    )  # the mean of x and 6 - x over 7 columns


def test_sizes_are_averaged_at_the_images_own_size() -> None:
    seen: list[tuple[int, ...]] = []

    def size_of_it(image: np.ndarray) -> np.ndarray:
        """A logit that is the image's height, everywhere."""
        seen.append(image.shape)
        return np.full((len(image), 2, *image.shape[-2:]), image.shape[-2], np.float32)

    logits = with_tta(size_of_it, scales=(0.5, 1, 2), mirror=True)(rgb(8, 12))
    assert seen == [s for h, w in ((4, 6), (8, 12), (16, 24)) for s in [(2, 3, h, w)] * 2]
    assert logits.shape == (2, 2, 8, 12)
    np.testing.assert_allclose(logits, (4 + 8 + 16) / 3)


def test_logits_of_another_size_are_put_where_they_belong() -> None:
    """A smooth picture comes back nearly unchanged from twice and half its size; a shift by a pixel
    would show.
    """
    ramp = np.broadcast_to(np.arange(0, 240, 6, dtype=np.uint8), (1, 3, 20, 40))
    for scale in (0.5, 2.0):
        found = with_tta(lambda image: image.astype(np.float32), scales=[scale])(ramp)
        assert np.abs(found - ramp)[..., 2:-2].max() <= 1.01


@pytest.mark.parametrize("scale", [0, -1, 5, float("nan")])
def test_a_scale_that_cannot_be_is_refused(scale: float) -> None:
    with pytest.raises(ConfigError, match=r"choose from 0\.25 to 4"):
        with_tta(lambda image: image, scales=[1, scale])  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    "options", [{"mirror": True}, {"scales": (0.5, 1, 2)}, {"scales": (2,)}, {"scales": (1, 3)}]
)
def test_no_more_copies_of_the_logits_are_held_than_are_said(options: dict) -> None:
    classes = 24
    image = np.zeros((1, 3, 96, 96), np.uint8)
    run = with_tta(lambda rgb: np.ones((1, classes, *rgb.shape[-2:]), np.float32), **options)
    tracemalloc.start()
    try:
        run(image)
        held = tracemalloc.get_traced_memory()[1] / (4 * classes * 96 * 96)
    finally:
        tracemalloc.stop()
    said = peak_copies(**options)
    assert 0.6 * said < held < 1.05 * said
