"""Receptive fields, against sums over the layers done by hand."""

from pathlib import Path

import pytest
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.teaching.receptive_field import draw_shapes, measure_stages


def field_of(layers: list[tuple[int, int]]) -> int:
    """r = 1 + sum of (kernel - 1) times the strides before (Dumoulin, Visin 2016)."""
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def test_resnet18_sees_what_its_layers_add_up_to() -> None:
    layers = [(7, 2)]
    fields = {2: field_of(layers)}
    layers.append((3, 2))  # max-pooling
    for stage, stride in enumerate((4, 8, 16, 32)):
        layers += [(3, 2 if stage else 1), (3, 1), (3, 1), (3, 1)]
        fields[stride] = field_of(layers)
    stages = measure_stages("resnet18", (320, 480))
    assert {stage.stride: stage.field for stage in stages} == fields
    assert fields[32] == 435
    coarsest = stages[-1]
    assert (coarsest.channels, *coarsest.size) == (512, 10, 15)


def test_vgg16_sees_what_its_layers_add_up_to() -> None:
    blocks = (2, 2, 3, 3, 3)
    layers: list[tuple[int, int]] = []
    for count in blocks:
        layers += [(3, 1)] * count + [(2, 2)]
    coarsest = measure_stages("vgg16", (224, 224))[-1]
    assert (coarsest.stride, coarsest.field, coarsest.size) == (32, field_of(layers), (7, 7))


def test_the_stages_are_drawn(tmp_path: Path) -> None:
    stages = draw_shapes("resnet18", tmp_path / "shapes.png", size=(100, 150))
    assert [stage.size for stage in stages][-1] == (4, 5)  # padded to whole cells
    with Image.open(tmp_path / "shapes.png") as picture:
        assert picture.width > 900


def test_what_has_no_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whole image"):
        measure_stages("vit_small_patch14_dinov2", (64, 64))
    with pytest.raises(ConfigError, match="at least 32"):
        draw_shapes("resnet18", tmp_path / "x.png", size=(8, 8))
