"""Weights of other libraries' networks: read as tensors alone, and fitted into the network."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pixelwise.errors import ModelError

State = Mapping[str, Tensor]

# Under which name trainings keep the weights in their checkpoints, and what they put before names.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")


def read_state_file(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file or of PyTorch's, also out of a training's checkpoint. Raises
    ModelError for what is damaged and for a pickle of more than tensors, which is not unpickled.
    """
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        # weights_only: a pickle could otherwise run code
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, ValueError) as error:
        raise ModelError(
            f"model {path}: truncated or damaged ({type(error).__name__}); copy it again"
        ) from error
    except Exception as error:  # the unpickler's own error type is private
        raise ModelError(
            f"model {path}: a pickle of more than tensors, which could run code when read; if you "
            "trust it, save its weights elsewhere: safetensors.torch.save_file(torch.load(FILE, "
            "weights_only=False).state_dict(), 'model.safetensors')"
        ) from error
    for name in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
            break
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ModelError(
            f"model {path}: holds no plain dictionary of tensors; save model.state_dict()"
        )
    return _strip(state)


def _strip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what stands before all names."""
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return _strip({name.removeprefix(prefix): value for name, value in state.items()})
    return state


def fit_state(network: nn.Module, state: State, *, what: str, version: str) -> tuple[str, ...]:
    """Fill `network` in place; returns notes on heads that it has no place for.

    Raises ModelError, which names the first tensor, where one is missing or of another shape.
    """
    target = network.state_dict()
    missing = [name for name in target if name not in state and target[name].ndim]
    children = {name for name, _ in network.named_children()}
    extra = [name for name in state if name not in target]
    unknown = [name for name in extra if name.partition(".")[0] in children]
    wrong = [name for name in target if name in state and state[name].shape != target[name].shape]
    check_fit(missing, unknown, wrong, what=what, version=version)
    network.load_state_dict({name: state[name] for name in target if name in state}, strict=False)
    return describe_left_out(extra)


def check_fit(
    missing: list[str], unknown: list[str], wrong: list[str], *, what: str, version: str
) -> None:
    """Raises ModelError, in a line, where weights do not fit their network."""
    if missing:
        first = f"{len(missing)} tensors are missing, first {missing[0]}"
        advice = (
            "of a checkpoint without its head the encoder alone can serve, as --weights of train"
            if not wrong and not unknown
            else _advise_version(version)
        )
        raise ModelError(f"{first}: no whole {what}; {advice}")
    for names, problem in ((wrong, "have another shape"), (unknown, "have no place")):
        if names:
            raise ModelError(
                f"{len(names)} tensors {problem} in {what}, first {names[0]}; "
                f"{_advise_version(version)}"
            )


def _advise_version(version: str) -> str:
    return f"give the options that it was made with, or its own version (here is {version})"


def describe_left_out(extra: list[str]) -> tuple[str, ...]:
    """A note for each head that has no place in a network."""
    heads = sorted({name.partition(".")[0] for name in extra})
    return tuple(f"{head} is left out, which gives no labels" for head in heads)
