"""A GPU that is only simulated: tensors that say they are on cuda:0 and compute on the CPU.

An operator that mixes them with tensors of the CPU raises, as on a GPU, unless these are numbers of
no dimension. So the branches for CUDA run with real numbers, and a tensor made on the wrong device
is seen. PyTorch's own FakeTensorMode has no backward pass for CUDA where there is no driver.
Not simulated: streams, memory, speed, kernels that CUDA lacks.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device("cuda", 0)
FREE = 4 << 30  # bytes of the simulated GPU

_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class CudaTensor(Tensor):
    """A tensor of the simulated GPU around one of the CPU, which holds its numbers."""

    numbers: Tensor
    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "CudaTensor":
        return Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
        )

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers

    def __repr__(self) -> str:
        return f"CudaTensor({self.numbers})"

    def __reduce_ex__(self, protocol: int) -> Any:
        return self.numbers.detach().__reduce_ex__(protocol)

    # So that Module.to swaps a parameter's tensor and keeps the parameter, as on a GPU.
    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["numbers"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, Tensor], *_: object) -> "CudaTensor":
        return CudaTensor(parts["numbers"])

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _compute(function, args, kwargs or {})


def _compute(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operator on the numbers; on CUDA where its operands or its `device` are."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    on_cuda = [tensor for tensor in tensors if isinstance(tensor, CudaTensor)]
    on_cpu = [tensor for tensor in tensors if not isinstance(tensor, CudaTensor)]
    if on_cuda and function not in _COPIES and any(tensor.ndim for tensor in on_cpu):
        raise RuntimeError(f"{function}: expected all tensors to be on the same device, cuda:0")
    gives_cuda = bool(on_cuda) or _Functions.depth > 0
    if function is torch.ops.aten.copy_.default:
        gives_cuda = isinstance(args[0], CudaTensor)
    inner = dict(kwargs)
    if kwargs.get("device") is not None:
        gives_cuda = torch.device(kwargs["device"]).type == "cuda" or _Functions.depth > 0
        inner["device"] = torch.device("cpu")
    result = function(*tree_map(_unwrap, args), **tree_map(_unwrap, inner))
    if not gives_cuda:
        return result
    wrapped = tree_map(lambda leaf: CudaTensor(leaf) if isinstance(leaf, Tensor) else leaf, result)
    return return_and_correct_aliasing(function, args, kwargs, wrapped) if on_cuda else wrapped


def _unwrap(leaf: Any) -> Any:
    return leaf.numbers if isinstance(leaf, CudaTensor) else leaf


class _Operators(TorchDispatchMode):
    """Operators that make tensors from none."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _compute(function, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Moves between the devices, which PyTorch would ask the driver for."""

    depth = 0
    """Of PyTorch's own functions of simulated tensors: what these make in C++ is on the GPU, also
    where C++, which takes the tensors for the CPU's, says otherwise."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        moved = args[0] if args else None
        if isinstance(moved, CudaTensor) and _moves_to_cpu(function, args[1:], kwargs):
            return moved.numbers.detach().clone()
        if isinstance(moved, CudaTensor) and function is Tensor.numpy:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if function is Tensor.pin_memory:
            return moved
        if function is torch.tensor and "device" in kwargs:
            return function(*args, **{**kwargs, "device": "cpu"}).to(_with_index(kwargs["device"]))
        if function is Tensor.to:
            args = tuple(map(_with_index, args))
        if "device" in kwargs:
            kwargs = {**kwargs, "device": _with_index(kwargs["device"])}
        elif function is not Tensor.__deepcopy__ and _any_on_cuda(args, kwargs):
            return _call_on_gpu(function, args, kwargs)
        return function(*args, **kwargs)


def _any_on_cuda(args: Any, kwargs: dict[str, Any]) -> bool:
    return any(isinstance(leaf, CudaTensor) for leaf in tree_leaves((args, kwargs)))


def _call_on_gpu(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    _Functions.depth += 1
    try:
        return function(*args, **kwargs)
    finally:
        _Functions.depth -= 1


def _with_index(value: Any) -> Any:
    return CUDA if isinstance(value, str | torch.device) and str(value) == "cuda" else value


def _moves_to_cpu(function: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    places = [v for v in (*args, *kwargs.values()) if isinstance(v, str | torch.device)]
    return function is Tensor.cpu or (function is Tensor.to and "cpu" in map(str, places))


class _Inline:
    """In place of a thread, in which PyTorch's modes would not hold."""

    def __init__(self, workers: int) -> None: ...

    def submit(self, call: Callable[..., Any], *args: Any) -> "Future[Any]":
        future = Future[Any]()
        try:
            future.set_result(call(*args))
        except BaseException as error:
            future.set_exception(error)
        return future


class _Generator(torch.Generator):
    def __new__(cls, device: object = None) -> "_Generator":
        return super().__new__(cls)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The simulated GPU, of FREE bytes, with bfloat16; PyTorch finds it as it would a real one."""
    answers: dict[str, Any] = {
        "_lazy_init": None,
        "init": None,
        "is_available": True,
        "device_count": 1,
        "current_device": 0,
        "set_device": None,
        "is_bf16_supported": True,
        "get_device_capability": (8, 0),
        "get_device_name": "Simulated",
        "mem_get_info": (FREE, 2 * FREE),
        "synchronize": None,
        "empty_cache": None,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    real_autocast = torch.autocast
    real_enabled = torch.is_autocast_enabled
    real_dtype = torch.get_autocast_dtype
    monkeypatch.setattr(torch, "autocast", lambda _, *args, **kw: real_autocast("cpu", *args, **kw))
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _="cpu": real_enabled("cpu"))
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda _: real_dtype("cpu"))
    monkeypatch.setattr(torch, "Generator", _Generator)
    for kind in ("accelerator", "cuda"):  # of PyTorch's versions
        check = f"_{kind}_graph_capture_health_check"
        monkeypatch.setattr(torch.optim.Optimizer, check, lambda _: None, raising=False)
    monkeypatch.setattr("pixelwise.inference.backends.torch_runner.ThreadPoolExecutor", _Inline)
    monkeypatch.setattr("pixelwise.inference.tiling.map_ordered", map)
    with ExitStack() as modes:
        modes.enter_context(_Operators())
        modes.enter_context(_Functions())
        yield monkeypatch
