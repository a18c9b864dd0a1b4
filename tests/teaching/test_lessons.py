from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import pixelwise
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.errors import ConfigError
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.teaching.lessons import (
    augment_by_each,
    compare_networks,
    count_cost,
    explain_scores,
    format_table,
    fused_scores,
)


def model_file(path: Path, decoder: str, names: tuple[str, ...] = ("a", "b")) -> Path:
    config = ModelConfig(decoder, "resnet10t", len(names))
    palette = tuple((60 * n, 200 - 60 * n, 90) for n in range(len(names)))
    save_model(path, build_segmenter(config), Header(config, Classes(names, palette)))
    return path


def test_fused_scores_lead_to_the_logits() -> None:
    model = pixelwise.build_model("fcn8s", encoder="resnet18", classes=3).eval()
    image = torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8)
    scores = fused_scores(model, image)
    assert {stride: tuple(s.shape) for stride, s in scores.items()} == {
        32: (3, 2, 3),
        16: (3, 4, 6),
        8: (3, 8, 12),
    }
    with torch.no_grad():
        upsampled = model.decoder.upsample(scores[8][None])  # type: ignore[union-attr,operator]
        assert torch.allclose(upsampled, model(image[None].float() / 255), atol=1e-5)


def test_the_scores_of_three_fcns_are_drawn_side_by_side(tmp_path: Path, photo: Path) -> None:
    models = [
        model_file(tmp_path / f"{name}.safetensors", name) for name in ("fcn32s", "fcn16s", "fcn8s")
    ]
    explain_scores(models, photo, tmp_path / "scores.png")
    assert np.asarray(Image.open(tmp_path / "scores.png")).std() > 10
    with pytest.raises(ConfigError, match="its decoder is no FCN"):
        explain_scores([model_file(tmp_path / "u.safetensors", "unet")], photo, tmp_path / "x.png")
    other = model_file(tmp_path / "other.safetensors", "fcn8s", ("a", "b", "c"))
    with pytest.raises(ConfigError, match="other classes"):
        explain_scores([models[0], other], photo, tmp_path / "x.png")


def test_each_change_is_made_by_itself() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    labels = (rgb[:, :, 0] > 128).astype(np.uint8)
    samples = {title: rest for title, *rest in augment_by_each(rgb, labels, (20, 30), "strong", 0)}
    assert list(samples)[:2] == ["crop", "mirrored"]
    assert samples["crop"][0].shape == (20, 30, 3)
    assert np.array_equal(samples["mirrored"][0], rgb[:, ::-1])
    for title in ("light and contrast", "hue", "blur, noise or JPEG"):
        image, target = samples[title]
        assert not np.array_equal(image, rgb), title
        assert np.array_equal(target, labels), title  # nothing moves
    # a strength without turning draws no turning
    assert "turned" not in dict.fromkeys(
        title for title, *_ in augment_by_each(rgb, labels, (20, 30), "light", 0)
    )


def test_the_cost_of_a_convolution_is_counted_by_hand() -> None:
    """LinkNet's stem alone: 7 x 7 x 3 x 64 multiplications and additions at each of 32 x 32
    places.
    """
    weights, flops = count_cost(ModelConfig("linknet", "resnet18", 2, plain=True), (64, 64))
    assert weights == pytest.approx(11.5, abs=0.1)
    assert flops > 2 * 7 * 7 * 3 * 64 * 32 * 32 / 1e9
    assert count_cost(ModelConfig("linknet", "resnet18", 2, plain=True), (128, 128))[
        1
    ] == pytest.approx(4 * flops, rel=0.01)


def test_the_papers_networks_are_trained_and_compared(tmp_path: Path) -> None:
    write_shapes(tmp_path / "data", train=2, val=1, test=1, size=(48, 64))
    networks = compare_networks(
        tmp_path / "data", tmp_path / "race", epochs=1, crop=(32, 32), batch=2
    )
    unet, linknet = networks
    assert linknet.million_weights < unet.million_weights / 2
    assert linknet.gflops < unet.gflops / 5
    text = (tmp_path / "race/networks.md").read_text()
    assert text == format_table(networks)
    assert (
        f"linknet has {linknet.million_weights / unet.million_weights:.2f} of unet's weights"
        in text
    )
    assert (tmp_path / "race/iou.png").is_file()
    assert (tmp_path / "race/linknet/model.safetensors").is_file()


def test_the_command_draws_and_prints(tmp_path: Path, shapes: Path) -> None:
    run = CliRunner()
    steps = run.invoke(
        app, ["explain", "transposed", "--out", str(tmp_path / "a.png"), "--stride", "2"]
    )
    assert steps.stdout.splitlines() == ["0 0 0 1", "0 0 2 3", "0 2 0 3", "4 6 6 9"]
    board = run.invoke(
        app, ["explain", "checkerboard", "--out", str(tmp_path / "b.png"), "--kernel", "3"]
    )
    assert board.stdout == "kernel 3, stride 2: uneven, 4 to 1\n"
    grid = run.invoke(
        app, ["explain", "augmentation", str(shapes), "--out", str(tmp_path / "c.png")]
    )
    assert grid.exit_code == 0, grid.output
    assert all((tmp_path / f"{name}.png").is_file() for name in "abc")
    assert f"drawn: {tmp_path / 'c.png'}" in grid.stderr.replace("\n", "")
    assert "Next: pixelwise train" in grid.stderr
    bad = run.invoke(
        app, ["explain", "transposed", "--out", str(tmp_path / "d.png"), "--kernel", "1 2; 3"]
    )
    assert isinstance(bad.exception, ConfigError)
