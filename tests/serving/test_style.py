from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.io.images import read_rgb
from pixelwise.serving.style import StyleTransfer

from .conftest import pixels


def test_images_go_to_stylize_as_they_are_and_each_step_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = pixels(seed=1)
    painting = pixels(seed=2)

    def stylize(source, styles, *, progress, **options):
        assert np.array_equal(read_rgb(source), content)
        ((style, weight),) = styles
        assert np.array_equal(read_rgb(style), painting)
        assert weight == 1
        assert options == {"size": (64, 64), "network": "vgg16", "weights": "a.pth", "steps": 4}
        for _ in progress.track(range(4), what="stylizing", total=4, unit="steps"):
            pass
        return SimpleNamespace(rgb=255 - content)

    monkeypatch.setattr("pixelwise.style_transfer.stylize_image.stylize", stylize)
    shares: list[float] = []
    styled = StyleTransfer(Path("a.pth"), "vgg16", steps=4)(content, painting, 64, shares.append)
    assert np.array_equal(styled, 255 - content)
    assert shares == [0, 0.25, 0.5, 0.75]
