from pathlib import Path

import pytest
import torch
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.models.libraries.state_files import check_fit, fit_state, read_state_file


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 2, 1)
        self.head = nn.BatchNorm2d(2)


def test_what_stands_around_the_weights_is_taken_off(tmp_path: Path) -> None:
    state = {"a.weight": torch.ones(2), "b.weight": torch.zeros(1)}
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": {f"module.model.{name}": v for name, v in state.items()}, "step": 1}, path)
    assert {name: value.tolist() for name, value in read_state_file(path).items()} == {
        "a.weight": [1, 1],
        "b.weight": [0],
    }


def test_a_pickle_of_more_than_tensors_is_not_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"state_dict": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(ModelError, match=r"could run code when read; .*safetensors\.torch\.save"):
        read_state_file(tmp_path / "bomb.pth")
    assert not (tmp_path / "ran").exists()
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="no plain dictionary of tensors"):
        read_state_file(tmp_path / "list.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"12")
    with pytest.raises(ModelError, match="truncated or damaged"):
        read_state_file(tmp_path / "cut.safetensors")


def test_heads_without_a_place_are_named_and_counters_may_be_missing() -> None:
    network = Network()
    state = {name: value + 1 for name, value in network.state_dict().items() if value.ndim}
    state["aux.weight"] = torch.zeros(1)
    assert fit_state(network, state, what="net", version="lib 1") == (
        "aux is left out, which gives no labels",
    )
    assert torch.equal(network.body.weight, state["body.weight"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((["head.a"], [], []), r"1 tensors are missing, first head\.a: no whole net; of a check"),
        ((["head.a"], ["head.b"], []), r"missing, first head\.a.*own version \(here is lib 1\)"),
        (([], ["head.b"], []), r"1 tensors have no place in net, first head\.b"),
        (([], [], ["head.c"]), r"1 tensors have another shape in net, first head\.c"),
    ],
)
def test_weights_that_do_not_fit_are_refused(names: tuple[list[str], ...], message: str) -> None:
    missing, unknown, wrong = names
    with pytest.raises(ModelError, match=message):
        check_fit(missing, unknown, wrong, what="net", version="lib 1")
