from pathlib import Path

import pytest
import torch

from pixelwise.hardware import cpu_has_bfloat16, free_memory


@pytest.mark.parametrize("version", [1, 2])
def test_the_free_memory_is_that_of_the_container(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelwise.hardware.GROUPS", tmp_path)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit, usage, files = (
        names if version == 1 else ("memory.max", "memory.current", "inactive_file")
    )
    folder = tmp_path / "memory" if version == 1 else tmp_path
    folder.mkdir(exist_ok=True)
    everything = free_memory("cpu")
    (folder / usage).write_text(f"{3 << 20}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{files} {1 << 20}\n")
    (folder / limit).write_text("max\n")
    assert free_memory("cpu") == pytest.approx(everything, rel=0.2)
    (folder / limit).write_text(f"{7 << 20}\n")
    assert free_memory("cpu") == 5 << 20
    (folder / limit).write_text(f"{1 << 20}\n")
    assert free_memory("cpu") == 0


def test_a_build_without_onednn_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert not cpu_has_bfloat16()
