import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pixelwise.classes import Classes
from pixelwise.errors import ModelError
from pixelwise.models.checkpoint import (
    Header,
    find_models,
    is_model,
    load_model,
    model_path,
    read_header,
    save_model,
)
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.optional import InstallationError

CONFIG = ModelConfig("fcn32s", "resnet10t", 2)
HEADER = Header(CONFIG, Classes(("land", "sea"), ((0, 0, 0), (0, 0, 255))), {"crop": [32, 32]})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, build_segmenter(CONFIG), HEADER)
    return path


def test_a_model_file_is_enough_to_run_it_again(saved: Path) -> None:
    model, header = load_model(saved)
    assert header == HEADER
    again, _ = load_model(saved.parent)
    x = torch.rand(1, 3, 40, 50)
    with torch.no_grad():
        assert torch.equal(model.eval()(x), again.eval()(x))
    assert read_header(saved) == HEADER


def test_a_truncated_file_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in (0, 4, 200, len(whole) - 1):
        saved.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="truncated or damaged" if length else "an empty file"):
            load_model(saved)


def test_another_format_version_is_refused_by_number(saved: Path) -> None:
    rewrite(saved, lambda raw: raw | {"format_version": 99})
    with pytest.raises(ModelError, match=r"version 99.*reads version 1"):
        load_model(saved)


def test_a_header_that_does_not_fit_its_weights_is_refused(saved: Path) -> None:
    rewrite(saved, lambda raw: raw | {"model": raw["model"] | {"classes": 3}})
    with pytest.raises(ModelError, match="do not fit"):
        load_model(saved)


@pytest.mark.parametrize("training", [[], None, {"reading": None}, {"reading": [1]}])
def test_a_header_whose_training_is_no_table_is_refused(saved: Path, training: object) -> None:
    rewrite(saved, lambda raw: raw | {"training": training})
    with pytest.raises(ModelError, match=r"header is damaged.*no table"):
        read_header(saved)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    for name, write in (
        ("a.pt", lambda p: torch.save(Bomb(), p)),
        ("b.pkl", lambda p: p.write_bytes(pickle.dumps(Bomb()))),
    ):
        write(tmp_path / name)  # type: ignore[no-untyped-call]
        with pytest.raises(ModelError, match="pickle"):
            load_model(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_what_is_missing_or_not_ours_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_model(tmp_path / "absent")
    with pytest.raises(ModelError, match="a folder without model"):
        load_model(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="not written by pixelwise"):
        load_model(tmp_path / "x.safetensors")


def test_a_folder_without_its_model_names_what_it_holds(saved: Path) -> None:
    saved.rename(saved.with_name("best.safetensors"))
    with pytest.raises(ModelError, match=r"it holds best\.safetensors: give the file itself"):
        load_model(saved.parent)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("page.safetensors", b"<!DOCTYPE html><html>", "an HTML page"),
        ("lfs.safetensors", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (
            "net.safetensors",
            b"\x08\x08\x12\x07pytorch",
            "an ONNX file, whose name must end in .onnx",
        ),
        ("net.onnx", b"", "is an export already.*give its run folder or .safetensors"),
        ("net.XML", b"", "is an export already"),
    ],
)
def test_files_of_others_are_named_by_what_they_are(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path / name)


def test_the_weights_beside_an_openvino_file_lead_to_it(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"123456789")
    (tmp_path / "m.xml").write_text("<net/>")
    with pytest.raises(ModelError, match=r"the weights of m\.xml; give that file"):
        load_model(tmp_path / "m.bin")


@pytest.mark.filterwarnings("ignore:.*torch.jit.s")
def test_a_torchscript_archive_is_never_read(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.ReLU()).save(str(tmp_path / "s.pt"))  # type: ignore[no-untyped-call]
    with pytest.raises(ModelError, match="a TorchScript archive, which could run code"):
        load_model(tmp_path / "s.pt")


def test_packages_that_do_not_fit_are_no_fault_of_the_model(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(_: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("pixelwise.models.registry.build_segmenter", build)
    with pytest.raises(InstallationError, match="the installation is at fault, not your files"):
        load_model(saved)


def rewrite(path: Path, change: object) -> None:
    with safe_open(path, "pt") as file:
        raw = json.loads(file.metadata()["pixelwise"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(state, path, metadata={"pixelwise": json.dumps(change(raw))})  # type: ignore[operator]


def test_a_folder_of_folds_stands_for_the_runs_of_all_of_them(tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("fold1", "fold2")]
    (tmp_path / "folds.json").write_text(json.dumps({"folds": [{"run": run.name} for run in runs]}))
    for run in runs:
        with pytest.raises(ModelError, match="fold2 of 2 folds have no model yet"):
            find_models(tmp_path)
        assert not is_model(run)
        run.mkdir()
        (run / "model.safetensors").touch()
    assert find_models([tmp_path, "animals"]) == [*runs, Path("animals")]
    assert all(map(is_model, (tmp_path, *runs, "animals", "a.onnx")))
    with pytest.raises(ModelError, match=r"holds the models of several folds; .*fold1"):
        model_path(tmp_path)
    (tmp_path / "folds.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        find_models(tmp_path)
    with pytest.raises(ModelError, match="no model is named"):
        find_models([])


def test_a_pre_activation_resnet_of_an_earlier_version_stays_without_its_final_norm(
    tmp_path: Path,
) -> None:
    """A file of then does not name the field; its features are timm's list's."""
    classes = Classes(("land", "sea"), ((0, 0, 0), (0, 0, 255)))
    torch.manual_seed(0)
    old = ModelConfig("fcn32s", "resnetv2_18", 2, plain=True)
    save_model(tmp_path / "old.safetensors", build_segmenter(old), Header(old, classes))
    assert "final_norm" not in Header(old, classes).to_json()
    model, header = load_model(tmp_path / "old.safetensors")
    assert header.model == old
    net = timm.create_model("resnetv2_18", features_only=True).eval()
    net.load_state_dict(model.encoder.net.state_dict())
    image = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        assert torch.equal(model.eval().encoder(image)[32], net(image)[-1])
    new = replace(old, final_norm=True)
    save_model(tmp_path / "new.safetensors", build_segmenter(new), Header(new, classes))
    model, header = load_model(tmp_path / "new.safetensors")
    assert header.model.final_norm
    with torch.no_grad():
        assert bool((model.eval().encoder(image)[32] >= 0).all())
