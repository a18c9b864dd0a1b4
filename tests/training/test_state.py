import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import pixelwise
from pixelwise.errors import PixelwiseError


@pytest.mark.parametrize(
    "more", [{}, {"workers": 1, "loss": "lovasz", "crop": (64, 96), "batch": 12}]
)
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    shapes: Path, tmp_path: Path, more: dict[str, Any], quick: dict[str, Any], stopper: Any
) -> None:
    """Also where the loss throws dice of its own, as Lovász does on so many pixels, and workers
    read ahead.
    """
    options = {**quick, **more}
    step = 5 if not more else 2
    pixelwise.train(shapes, tmp_path / "whole", epochs=3, **options)
    stopped = pixelwise.train(shapes, tmp_path / "cut", epochs=3, progress=stopper(step), **options)
    assert stopped.stopped
    assert len(stopped.history) == 1
    resumed = pixelwise.train(shapes, tmp_path / "cut", resume=True)
    assert len(resumed.history) == 3
    a = torch.load(tmp_path / "whole/state/last.pt", weights_only=True)["model"]
    b = torch.load(tmp_path / "cut/state/last.pt", weights_only=True)["model"]
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_full_disk_keeps_the_last_good_model(shapes: Path, tmp_path: Path, trained: Path) -> None:
    import resource

    shutil.copytree(trained, tmp_path / "run")
    before = (tmp_path / "run/model.safetensors").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(PixelwiseError, match="cannot write"):
            pixelwise.train(shapes, tmp_path / "run", epochs=30, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "run/model.safetensors").read_bytes() == before
    assert not list((tmp_path / "run").rglob(".*"))
