"""Models pushed to a hub and pulled from it: a server on this machine that speaks its paths."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from safetensors.torch import save
from torchvision.models import get_model
from typer.testing import CliRunner

import pixelwise
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError, ModelError, OutputError
from pixelwise.export.share import pull, push
from pixelwise.models.checkpoint import BUNDLED, model_path, read_header
from pixelwise.models.remote_models import FILE, Address, fetch_card, fetch_model

# huggingface_hub's own
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")

MODEL = BUNDLED / "animals.safetensors"
ADDRESS = "hf://me/pets"
BYTES = MODEL.read_bytes()


def test_a_model_goes_to_the_hub_and_comes_back_byte_for_byte(hub: Any, tmp_path: Path) -> None:
    pushed = push(MODEL, ADDRESS, licence="apache-2.0")
    assert hub.private == {"me/pets": True}
    files = hub.repos["me/pets"]
    assert sorted(files) == ["README.md", FILE, f"{FILE}.sha256"]
    assert files[FILE] == BYTES
    assert files[f"{FILE}.sha256"].decode().split()[0] == hashlib.sha256(BYTES).hexdigest()
    assert "license: apache-2.0" in files["README.md"].decode()
    assert "background, cat, cow, dog" in files["README.md"].decode()
    pulled = pull(ADDRESS, tmp_path / "pets")
    assert (tmp_path / "pets" / FILE).read_bytes() == BYTES
    assert (tmp_path / "pets/README.md").read_bytes() == files["README.md"]
    assert pulled.digest == pushed.digest
    with pytest.raises(OutputError, match="pets: exists already"):
        pull(ADDRESS, tmp_path / "pets")


def test_an_address_is_a_model_everywhere_and_fetched_once(
    hub: Any, photo: Path, tmp_path: Path
) -> None:
    hub.repos["me/pets"] = {FILE: BYTES}
    done = CliRunner().invoke(app, ["predict", ADDRESS, str(photo), "--out", str(tmp_path / "a")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a/photo.png").is_file()
    assert hub.downloads == 1
    fetch_model.cache_clear()  # as another process: the file in the cache is still the hub's
    assert model_path(Path(ADDRESS)).read_bytes() == BYTES
    assert hub.downloads == 1


def test_a_model_of_another_library_is_fetched_with_what_lies_beside_it(
    hub: Any, tmp_path: Path
) -> None:
    network = get_model("lraspp_mobilenet_v3_large", weights_backbone=None, num_classes=2)
    config = json.dumps({"class_names": ["sky", "sea"]}).encode()
    hub.repos["me/net"] = {FILE: save(network.state_dict()), "config.json": config}
    pulled = pull("hf://me/net", tmp_path / "net")
    assert pulled.header.classes.names == ("sky", "sea")
    assert read_header(tmp_path / "net").model.decoder == "torchvision.lraspp"


def test_a_hub_that_is_away_leaves_the_cache_which_is_said(
    hub: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(ModelError, match=r"cannot be reached .* and no copy is in the cache"):
        model_path(Path(ADDRESS))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.repos["me/pets"] = {FILE: BYTES}
    model_path(Path(ADDRESS))
    fetch_model.cache_clear()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert model_path(Path(ADDRESS)).read_bytes() == BYTES
    assert "hf://me/pets: the hub cannot be reached; the copy in the cache is used" in caplog.text
    asked: list[bool] = []

    def note(*_: str, local_files_only: bool, **__: object) -> str:
        asked.append(local_files_only)
        raise OSError

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", note)
    assert fetch_card(Address(ADDRESS)) == b""
    assert asked == [True]  # nobody waits for the hub again


def test_a_download_that_breaks_off_is_one_line(
    hub: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.repos["me/pets"] = {FILE: BYTES}

    def cut(*_: str, **__: object) -> str:
        logging.getLogger("huggingface_hub").warning("Trying to resume download...")
        raise OSError("peer closed connection")

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "hf_hub_download", cut)
        with pytest.raises(ModelError, match=r"the download broke off \(peer closed connection\)"):
            model_path(Path(ADDRESS))
    assert caplog.text == ""
    assert model_path(Path(ADDRESS)).read_bytes() == BYTES


def test_what_the_hub_refuses_is_one_line(hub: Any) -> None:
    with pytest.raises(ModelError, match=r"hf://me/pets: no such repository, or you may not"):
        model_path(Path(ADDRESS))
    hub.repos["me/pets"] = {"pytorch_model.bin": b"\x80\x02"}
    with pytest.raises(ModelError, match=r"holds no model\.safetensors; .* no pickles"):
        model_path(Path(ADDRESS))
    hub.refuse = 403
    with pytest.raises(ModelError, match="the hub answers 403; set HF_TOKEN"):
        model_path(Path(ADDRESS))
    with pytest.raises(ConfigError, match="give hf://owner/name"):
        model_path(Path("hf://pets"))
    with pytest.raises(ConfigError, match="pets: is no address"):
        push(MODEL, "pets")


def test_another_hash_than_promised_is_refused_and_nothing_is_kept(
    hub: Any, tmp_path: Path
) -> None:
    hub.repos["me/pets"] = {FILE: BYTES[:-1] + b"x"}
    hub.uploads["promised"] = BYTES  # the hash that the server gives
    with pytest.raises(ModelError, match=r"its hash is .* was promised"):
        model_path(Path(ADDRESS))
    assert not [path for path in (tmp_path / "cache").rglob("blobs/*") if path.stat().st_size]


def test_a_pickle_by_the_name_of_a_model_is_not_read(hub: Any) -> None:
    hub.repos["me/pets"] = {FILE: b"\x80\x02}q\x00."}
    with pytest.raises(ModelError, match="a pickle, which could run code"):
        pixelwise.load(ADDRESS)


def test_the_command_says_what_the_card_lacks(hub: Any, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["push", "animals", ADDRESS, "--data-licence", "CC BY 4.0"])
    assert done.exit_code == 0, done.output
    assert "the card does not say: the model's licence (--licence)" in done.stderr
    assert "the data's licence" not in done.stderr
    assert "- Data: CC BY 4.0" in hub.repos["me/pets"]["README.md"].decode()
    done = CliRunner().invoke(app, ["pull", ADDRESS, "--out", str(tmp_path / "pets")])
    assert done.exit_code == 0, done.output
    assert "began with: unknown, licence unknown" in done.stdout


def test_scores_that_are_none_are_refused_before_anything_is_sent(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(json.dumps({"iou": 1}))
    with pytest.raises(pixelwise.errors.DataError, match="holds no scores"):
        push(MODEL, ADDRESS, scores=tmp_path / "scores.json")
    assert not hub.repos
