import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pixelwise
from pixelwise.api import export_page
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError, ModelError
from pixelwise.io.channels import Channels
from pixelwise.models.checkpoint import Header, load_model, save_model

from .test_web_runtime import write_package

BANDS = Channels(
    ("red", "green", "nir"), (1, 2, 4), (0,) * 3, (1000,) * 3, (0.5,) * 3, (0.2,) * 3, 4, "uint16", "by hand"
)  # fmt: skip


def test_a_page_has_no_server_part_and_names_no_address(
    tmp_path: Path, model_file: Callable[..., Path]
) -> None:
    package = write_package(tmp_path / "runtime")
    segmenter, header = load_model(model_file())
    classes = Classes(("</script>sky", "road", "car"), header.classes.palette)
    model = tmp_path / "a<b>.safetensors"
    save_model(model, segmenter, Header(header.model, classes, header.training))
    done = export_page(model, tmp_path / "page.html", web_runtime=package)
    assert (done.path, done.agreement) == (tmp_path / "page.html", 1.0)
    text = done.path.read_text(encoding="utf-8")
    assert "<title>a&lt;b&gt;:" in text
    assert 'id="style"' not in text
    assert "page/segment" not in text
    assert "Permission is hereby granted" in text
    assert text.count("</script>") == text.count("<script") == 7
    assert not re.search('https?://|[\'"(]//|(src|href)="(?!data:)', text)
    assert text.index("Content-Security-Policy") < text.index("<script")


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        ({"channels": BANDS.to_header()}, "takes the bands red, green, nir, and a browser gives"),
        ({"common_bits": 12}, "takes pictures of 12 bits, and a browser gives 8-bit"),
    ],
)
def test_models_of_other_pictures_than_a_browser_reads_are_refused(
    reading: dict[str, object], message: str, tmp_path: Path, model_file: Callable[..., Path]
) -> None:
    segmenter, header = load_model(model_file())
    model = tmp_path / "m.safetensors"
    save_model(model, segmenter, Header(header.model, header.classes, {"reading": reading}))
    with pytest.raises(ModelError, match=message):
        export_page(model, tmp_path / "page.html", web_runtime=write_package(tmp_path / "r"))
    assert not (tmp_path / "page.html").exists()


def test_options_that_do_not_go_with_a_page_are_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for options in ({"size": (64, 64)}, {"int8": tmp_path}):
        with pytest.raises(ConfigError, match="do not go with a page"):
            pixelwise.export_model("animals", page, **options)
    with pytest.raises(ConfigError, match="--web-runtime is for a page"):
        pixelwise.export_model("animals", tmp_path / "m.onnx", web_runtime=tmp_path)


def test_the_command_says_where_the_runtime_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, ["export", "animals", "--out", "page.html"])
    assert isinstance(refused.exception, ConfigError)
    assert "a page needs onnxruntime-web" in str(refused.exception)
