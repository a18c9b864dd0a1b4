from pathlib import Path
from typing import Any

import pytest

from pixelwise.errors import ConfigError, ModelError, WeightsError
from pixelwise.training.train import train


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"encoder": "resnet81"}, ConfigError, "unknown encoder 'resnet81'.*did you mean resnet"),
        ({"decoder": "fpn", "upsample": "bilinear"}, ConfigError, "upsample"),
        ({"start": "absent"}, ModelError, "model absent: no such file"),
        ({"weights": "absent.pth"}, WeightsError, "weights absent.pth: no such file"),
        ({"crop": (30, 32)}, ConfigError, "two multiples of 32"),
        ({"loss": "dicee"}, ConfigError, "unknown loss 'dicee'.*did you mean 'dice'"),
    ],
)
def test_options_are_judged_before_data_are_read(
    options: dict[str, Any], error: type[Exception], text: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=text):
        train(tmp_path / "no data", tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
