"""push and pull on the terminal, with a folder as the store."""

from pathlib import Path

from typer.testing import CliRunner

from pixelwise.cli.main import app
from pixelwise.models.checkpoint import BUNDLED


def test_a_model_goes_to_a_store_and_back(tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    done = CliRunner().invoke(app, ["push", "animals", store, "--licence", "apache-2.0"])
    assert done.exit_code == 0, done.output
    assert "the model's licence" not in done.stderr
    assert "the card does not say: scores with intervals" in done.stderr
    done = CliRunner().invoke(app, ["pull", store, "--out", str(tmp_path / "back")])
    assert done.exit_code == 0, done.output
    assert "classes: background, cat, cow" in done.stdout
    model = (tmp_path / "back/model.safetensors").read_bytes()
    assert model == (BUNDLED / "animals.safetensors").read_bytes()
