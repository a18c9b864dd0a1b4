import numpy as np
import pytest

from pixelwise.errors import ConfigError
from pixelwise.inference.backends.fixed_size import FixedSizeRunner
from pixelwise.inference.backends.image_input import ImageInput
from pixelwise.inference.tta import release_memory, specialize_for_shape


class Recorder:
    """Gives the pixels back as logits, and keeps the shapes that it was given."""

    def __init__(self) -> None:
        self.shapes = list[tuple[int, ...]]()
        self.released = False

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.shapes.append(rgb.shape)
        return rgb.astype(np.float32)

    def release_memory(self) -> None:
        self.released = True


def pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 3, height, width), np.uint8)


@pytest.mark.parametrize(
    ("taken", "size", "given"),
    [
        (ImageInput("rgb", 64, 96), (64, 96), (64, 96)),
        (ImageInput("rgb", 64, 96), (40, 96), (64, 96)),
        (ImageInput("rgb", 64, 96), (1, 1), (64, 96)),
        (ImageInput("rgb", 64, None), (40, 33), (64, 33)),
    ],
)
def test_smaller_pictures_are_padded_and_their_logits_cropped(
    taken: ImageInput, size: tuple[int, int], given: tuple[int, int]
) -> None:
    recorder = Recorder()
    rgb = pixels(*size)
    logits = specialize_for_shape(FixedSizeRunner(recorder, taken, "m"))(rgb)
    np.testing.assert_array_equal(logits, rgb)
    assert recorder.shapes == [(1, 3, *given)]


def test_larger_pictures_are_refused_with_the_way_out() -> None:
    runner = FixedSizeRunner(Recorder(), ImageInput("rgb", 64, None), "m.onnx")
    message = "m.onnx: takes 64 x any pixels only, and 65 x 300 came.*export without --size"
    with pytest.raises(ConfigError, match=message):
        runner(pixels(65, 300))


def test_memory_is_released_by_the_networks_own_runner() -> None:
    recorder = Recorder()
    release_memory(FixedSizeRunner(recorder, ImageInput("rgb", 64, 64), "m"))
    assert recorder.released
