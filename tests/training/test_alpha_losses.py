from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.alpha import ALPHA_LEVELS
from pixelwise.errors import ConfigError
from pixelwise.inference.cutouts import CutoutRules
from pixelwise.training.alpha_losses import make_alpha_loss, soft_cross_entropy, to_classes


def test_the_soft_cross_entropy_is_that_of_pytorch_for_probabilities() -> None:
    logits = torch.randn(2, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    target = torch.randint(0, ALPHA_LEVELS + 1, (2, 3, 4))
    alpha = target / ALPHA_LEVELS
    expected = F.cross_entropy(logits, torch.stack([1 - alpha, alpha], 1))
    torch.testing.assert_close(soft_cross_entropy(logits, target), expected)
    hard = torch.where(target > 127, ALPHA_LEVELS, 0)
    hard[0] = VOID
    weight = torch.tensor([0.5, 1.5])
    classes = to_classes(hard)
    expected = F.cross_entropy(logits, classes, weight, ignore_index=VOID)
    torch.testing.assert_close(soft_cross_entropy(logits, hard, weight=weight), expected)
    assert make_alpha_loss("cross_entropy + dice")(logits, hard).isfinite()


def test_alpha_is_learned_and_scored_as_cutouts_have_it(
    quick: dict[str, Any], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for split in ("training", "testing"):
        (data / split).mkdir(parents=True)
        for number in range(6):
            rgb = np.zeros((32, 48, 3), np.uint8)
            rgb[:, 24:] = 200
            matte = np.where(rgb[..., 0] > 0, 153, 0).astype(np.uint8)  # 60 %
            Image.fromarray(rgb).save(data / split / f"{number}.png")
            Image.fromarray(matte).save(data / split / f"{number}_matte.png")
    run = tmp_path / "run"
    pixelwise.train(data, run, matte=True, epochs=1, **quick)
    evaluation = pixelwise.evaluate(run, data)
    result = pixelwise.load(run).predict(data / "testing/0.png", scores="probabilities")
    levels = CutoutRules(foreground=("person",)).cut(result)[..., 3]
    truth = np.where(result.rgb[..., 0] > 0, 0.6, 0)
    assert evaluation.metrics.alpha is not None
    assert evaluation.metrics.alpha.mean == pytest.approx(
        np.abs(levels / 255 - truth).mean(), abs=2e-3
    )
    assert evaluation.as_dict()["alpha_error"] == evaluation.metrics.alpha.mean
    with pytest.raises(ConfigError, match="paste needs one class a pixel: leave it out, or matte"):
        pixelwise.train(data, tmp_path / "other", matte=True, paste=0.5)
