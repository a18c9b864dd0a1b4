from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelwise as pixelwise_module


def test_a_partly_failed_prediction_exits_with_1(
    pixelwise: Any, model: Path, photo: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    found = pixelwise("predict", model, photo, broken, "--out", tmp_path / "out")
    assert found.returncode == 1
    assert "broken.jpg" in found.stderr
    assert "empty" in found.stderr
    assert (tmp_path / "out/photo.png").is_file()


def test_pixels_below_the_threshold_are_void_as_in_serve(
    pixelwise: Any, model: Path, photo: Path, tmp_path: Path
) -> None:
    confidence = pixelwise_module.load(model).predict(photo).confidence
    threshold = round(float(np.median(confidence)), 3)
    command = ("predict", model, photo, "--out", tmp_path / "out")
    done = pixelwise(*command, "--threshold", threshold)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out/photo.png") as mask:
        labels = np.asarray(mask)
    near = np.abs(confidence - threshold) < 1e-3  # runtimes differ in their last digits
    np.testing.assert_array_equal((labels == 255)[~near], (confidence < threshold)[~near])
    # masks of another threshold are other masks
    again = pixelwise(*command)
    assert again.returncode == 2
    assert "made with another model or other options" in again.stderr
    refused = pixelwise(*command, "--overwrite", "--threshold", "80")
    assert refused.returncode == 2
    assert "threshold is 80.0: allowed is 0 to 1, such as 0.8" in refused.stderr


def test_classes_to_keep_are_a_matter_of_serve(
    pixelwise: Any, model: Path, photo: Path, tmp_path: Path
) -> None:
    done = pixelwise("predict", model, photo, "--out", tmp_path / "out", "--classes", "circle")
    assert done.returncode == 2
    assert "--classes is for serve" in done.stderr
    assert "masks hold all classes by their ids" in done.stderr


def test_without_out_masks_go_to_labelled_and_what_was_found_is_said(
    pixelwise: Any, model: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    first = pixelwise("predict", model, "photo.jpg")
    assert first.returncode == 0, first.stderr
    assert first.stderr.splitlines()[0] == "masks go to the folder labelled"
    labels = np.asarray(Image.open("labelled/photo.png"))
    names = ("background", "circle", "square", "triangle")
    shares = {names[label]: np.mean(labels == label) for label in np.unique(labels)}
    result, pixels = first.stdout.splitlines()
    assert result == "1 mask in labelled"
    found = dict(part.rsplit(" ", 2)[:2] for part in pixels.removeprefix("pixels: ").split(", "))
    assert found == {
        name: f"{100 * share:.0f}" if share >= 0.01 else "<1" for name, share in shares.items()
    }
    assert first.stderr.splitlines()[-1].startswith("Next: pixelwise predict ")
    assert "photo.jpg --overlay" in first.stderr
    again = pixelwise("predict", model, "photo.jpg")
    assert again.stdout == "0 masks in labelled, 1 existed already\n"
    other = pixelwise("predict", model, "photo.jpg", "--threshold", 0.5)
    assert other.stdout.startswith("1 mask in labelled-2\n")


def test_a_cluster_needs_a_place_that_all_its_nodes_reach(
    pixelwise: Any, model: Path, photo: Path, refused: Any
) -> None:
    refused(pixelwise("predict", model, photo, "--cluster", "local"), "--cluster needs --out")


def test_models_behind_the_option_are_averaged_wherever_the_first_one_stands(
    pixelwise: Any, model: Path, photo: Path, tmp_path: Path
) -> None:
    other = tmp_path / f"other{model.suffix}"
    other.write_bytes(model.read_bytes())
    commands = [
        ("predict", model, photo, "--model", other),
        ("predict", "--model", model, "--model", other, photo),
    ]
    masks = []
    for number, command in enumerate(commands):
        out = tmp_path / str(number)
        done = pixelwise(*command, "--out", out)
        assert done.returncode == 0, done.stderr
        masks.append(np.asarray(Image.open(out / "photo.png")))
    np.testing.assert_array_equal(masks[0], masks[1])
    labels = pixelwise_module.load(model).predict(photo).labels
    assert (masks[0] == labels).mean() > 0.999
    missing = pixelwise("predict", model)
    assert missing.returncode == 2
    assert "give a model and, behind it, what it is to label" in missing.stderr
    cluster = pixelwise("predict", model, photo, "--model", other, "--cluster", "--out", tmp_path)
    assert "--cluster takes one model" in cluster.stderr


def test_a_film_is_painted_or_labelled_frame_by_frame(
    pixelwise: Any, model: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ("--runtime", "torch")
    done = pixelwise("predict", model, film, "--out", "out.mp4", *quick)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a film of 12 frames in out.mp4\npixels: ")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    done = pixelwise("predict", model, cut, *quick)
    assert done.returncode == 1
    count = len(list(Path("labelled").glob("*.png")))
    assert 0 < count < 12
    assert f"{count} masks in labelled" in done.stdout
    assert f"only {count} of about 12 frames can be read" in done.stderr
    assert "images failed" not in done.stderr


def test_a_film_is_refused_in_one_line(
    pixelwise: Any, model: Path, film: Path, tmp_path: Path, refused: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = ("--out", tmp_path / "out")
    refused(pixelwise("predict", model, film, "--cluster", *out), "a film is labelled here")
    refused(pixelwise("predict", model, film, film, *out), "a film is labelled by itself")
    refused(pixelwise("predict", model, film, "--out", "a.avi"), "films are written as .mp4")
    refused(pixelwise("predict", model, film, "--smooth", 99, *out), "0 to 25")
    (tmp_path / "no.mp4").write_text("hello")
    refused(pixelwise("predict", model, tmp_path / "no.mp4", *out), "ffmpeg cannot read it")
    refused(pixelwise("predict", model, tmp_path, *out), "a film is given by its own name")
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(pixelwise("predict", model, film, *out), "no ffmpeg is on the PATH", "apt install")
    assert not (tmp_path / "out").exists()
