import pytest
import torch
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.inference.runners import TorchRunner, mirrored

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


def rgb(height: int = 5, width: int = 7) -> Tensor:
    return torch.arange(2 * 3 * height * width).reshape(2, 3, height, width).to(torch.uint8)


def test_the_model_sees_floats_from_0_to_1_in_channels_last() -> None:
    model = Spy()
    TorchRunner(model, device=CPU)(torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1))
    torch.testing.assert_close(model.seen.flatten(), torch.tensor([0.0, 0.2, 1.0]))
    TorchRunner(model, device=CPU)(rgb())
    assert model.seen.is_contiguous(memory_format=torch.channels_last)


def test_the_model_runs_in_eval_mode_without_gradients() -> None:
    image = rgb()
    logits = TorchRunner(Spy().train(), device=CPU)(image)
    torch.testing.assert_close(logits, image.float() / 255 * 2)
    assert not logits.requires_grad


def test_the_pixels_given_are_left_as_they_were() -> None:
    image = rgb()
    TorchRunner(Spy(), device=CPU)(image)
    assert torch.equal(image, rgb())


def test_bfloat16_computes_in_bfloat16_and_gives_float32() -> None:
    torch.manual_seed(0)
    model, inner = nn.Conv2d(3, 4, 3, padding=1), []
    model.register_forward_hook(lambda *given: inner.append(given[2].dtype))
    exact = TorchRunner(model, device=CPU)(rgb())
    rough = TorchRunner(model, device=CPU, precision="bfloat16")(rgb())
    assert inner == [torch.float32, torch.bfloat16]
    assert rough.dtype == exact.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.03, rtol=0.03)


def test_another_precision_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown precision 'float16'.*did you mean 'bfloat16'"):
        TorchRunner(Spy(), device=CPU, precision="float16")


def test_too_little_memory_is_said_with_the_way_out() -> None:
    class Hungry(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ConfigError, match=r"2 tile\(s\) of 5 x 7 pixels.*smaller tiles"):
        TorchRunner(Hungry(), device=CPU)(rgb())


def test_mirrored_logits_of_a_mirrored_image_are_the_mirror() -> None:
    def sided(image: Tensor) -> Tensor:
        return image.float() * torch.arange(image.shape[-1])

    run = mirrored(sided)
    torch.testing.assert_close(run(rgb().flip(-1)), run(rgb()).flip(-1))
    torch.testing.assert_close(run(rgb()), rgb().float() * 3)  # the mean of x and 6 - x over 7 columns
