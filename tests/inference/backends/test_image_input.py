from pathlib import Path

import pytest

from pixelwise.errors import ModelError
from pixelwise.inference.backends.image_input import ImageInput, read_image_input

MODEL = Path("m.onnx")
FREE = ["images", 3, "height", "width"]


def test_an_input_is_known_by_its_own_name_and_its_fixed_sides() -> None:
    assert read_image_input(MODEL, [("pixels", "tensor(uint8)", FREE)]) == ImageInput("pixels")
    fixed = read_image_input(MODEL, [("rgb", "uint8", [1, 3, 256, 320])])
    assert fixed == ImageInput("rgb", 256, 320)
    assert fixed.is_fixed
    assert read_image_input(MODEL, [("rgb", "uint8", [None, 3, 256, None])]).height == 256
    # onnxruntime gives -1 or 0 for sides of no name
    assert not read_image_input(MODEL, [("rgb", "uint8", [1, 3, -1, 0])]).is_fixed


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([("rgb", "tensor(float)", FREE)], "its input 'rgb' is float, and pixels are uint8"),
        ([("rgb", "float16", FREE)], "its input 'rgb' is float16, and pixels are uint8"),
        ([("x", "uint8", [1, 256, 320, 3])], "is 1 x 256 x 320 x 3, with the channels last"),
        ([("x", "uint8", ["n", "h", "w", 3])], "with the channels last"),
        ([("x", "uint8", [1, 1, 256, 320])], "its input 'x' is 1 x 1 x 256 x 320;"),
        ([("x", "uint8", [3, 256, 320])], "its input 'x' is 3 x 256 x 320;"),
        ([("x", "uint8", [4, 3, 256, 320])], "4 pictures at once, and one is given"),
        ([("a", "uint8", FREE), ("b", "uint8", FREE)], r"takes 2 inputs \(a, b\)"),
        ([], "takes 0 inputs"),
    ],
)
def test_an_input_that_takes_no_pixels_of_ours_is_named(
    inputs: list[tuple[str, str, list[int | str]]], reason: str
) -> None:
    with pytest.raises(ModelError, match=f"model m.onnx: .*{reason}") as caught:
        read_image_input(MODEL, inputs)  # type: ignore[arg-type]
    assert "images x 3 x height x width of uint8" in str(caught.value)
