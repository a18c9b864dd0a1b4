import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from pixelwise.labelling.project_folder import open_project


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (40, 50, 3), np.uint8)).save(folder / name)
    return folder


def test_what_was_answered_is_kept_when_the_process_is_killed(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pixelwise", "label", str(photos), "--classes", "sea,land"]
    command += ["--port", "0", "--minutes", "0"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        url = ""
        while not url:
            line = process.stderr.readline()
            assert line, "ended without an address"
            match = re.search(r"http://127\.0\.0\.1:\d+", line)
            url = match[0] if match else ""
        page = httpx.get(f"{url}/label/state", timeout=60).json()["page"]
        stroke = {"page": page, "tool": "brush", "label": 1, "radius": 2, "points": [[9, 9]]}
        for _ in range(3):
            answer = httpx.post(f"{url}/label/photos/0/strokes", json=stroke, timeout=60)
            assert answer.status_code == 200
        process.send_signal(signal.SIGKILL)
        process.wait()
    with open_project([photos], classes=None) as session:
        assert len(session.project.photos["a.png"].active) == 3
        session.write_masks()
    mask = np.asarray(Image.open(tmp_path / "photos-labels/masks/a.png"))
    assert mask[9, 9] == 1
    assert mask[30, 30] == 255


def test_bad_photos_classes_and_ports_are_refused_in_one_line(
    pixelwise: Any, photos: Path, tmp_path: Path, refused: Any
) -> None:
    refused(pixelwise("label", photos), "--classes road,car,sky")
    refused(pixelwise("label", photos, "--classes", "cell"), "a model needs two")
    refused(pixelwise("label", tmp_path / "none", "--classes", "a,b"), "none")
    refused(pixelwise("label", photos, "--classes", "a,b", "--host", "0.0.0.0"), "--token")
    refused(pixelwise("label", photos, "--classes", "a,b", "--minutes", "-1"), "minutes")


def test_next_ranks_photos_with_the_reason_and_writes_a_queue(
    pixelwise: Any, photos: Path, model: Path, tmp_path: Path
) -> None:
    (photos / "c.png").write_bytes(b"cut")
    out = tmp_path / "next.csv"
    result = pixelwise("next", photos, "--model", model, "--out", out)
    assert result.returncode == 1
    assert "left out:" in result.stderr
    assert "a.png: the model is" in result.stdout
    lines = out.read_text().splitlines()
    assert lines[0] == "rank,image,score,uncertainty,novelty,reason"
    assert sorted(line.split(",")[1] for line in lines[1:]) == ["a.png", "b.png"]
