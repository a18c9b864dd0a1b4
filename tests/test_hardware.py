import os
import platform
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pixelwise import hardware
from pixelwise.errors import ConfigError
from pixelwise.hardware import (
    check_device,
    check_precision,
    choose_device,
    count_cores,
    cpu_has_bfloat16,
    cpu_has_float16,
    free_memory,
    gpu_has_bfloat16,
    is_out_of_memory,
)
from pixelwise.models.transposed_conv import TransposedConv2d
from pixelwise.style_transfer.config import Setup
from pixelwise.training.config import TrainConfig


@pytest.mark.parametrize("version", [1, 2])
def test_the_free_memory_is_that_of_the_container(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelwise.hardware.GROUPS", tmp_path)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit, usage, files = (
        names if version == 1 else ("memory.max", "memory.current", "inactive_file")
    )
    folder = tmp_path / "memory" if version == 1 else tmp_path
    folder.mkdir(exist_ok=True)
    everything = free_memory("cpu")
    (folder / usage).write_text(f"{3 << 20}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{files} {1 << 20}\n")
    (folder / limit).write_text("max\n")
    assert free_memory("cpu") == pytest.approx(everything, rel=0.2)
    (folder / limit).write_text(f"{7 << 20}\n")
    assert free_memory("cpu") == 5 << 20
    (folder / limit).write_text(f"{1 << 20}\n")
    assert free_memory("cpu") == 0


def test_a_build_without_onednn_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert not cpu_has_bfloat16()
    assert not cpu_has_float16()
    layer = TransposedConv2d(2, 2, 16, 8).bfloat16()
    assert layer(torch.ones(1, 2, 3, 3, dtype=torch.bfloat16)).shape == (1, 2, 32, 32)


@pytest.mark.parametrize(
    ("machine", "avx512", "amx", "has"),
    [
        ("x86_64", False, False, False),  # AVX-512 alone: oneDNN would emulate it
        ("x86_64", True, False, True),
        ("AMD64", False, True, True),
        ("AMD64", False, False, False),
        ("aarch64", False, False, True),
    ],
)
def test_bfloat16_is_asked_of_the_processor_not_of_onednns_emulation(
    machine: str, avx512: bool, amx: bool, has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OneDnn:
        _is_mkldnn_bf16_supported = staticmethod(lambda: True)

    monkeypatch.setattr(torch.ops, "mkldnn", OneDnn)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert cpu_has_bfloat16() == has


@pytest.fixture(autouse=True)
def _say_again() -> None:
    hardware._log_unusable.cache_clear()


TOO_OLD = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). "
    "Please update your GPU driver by downloading and installing a new version.\n"
    "Alternatively install another PyTorch. (Triggered internally at CUDAFunctions.cpp:119.)"
)


def _warning(text: str, *, present: bool) -> Callable[[], bool]:
    def is_available() -> bool:
        warnings.warn(text, stacklevel=2)
        return present

    return is_available


def test_a_driver_that_is_too_old_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", _warning(TOO_OLD, present=False))
    reason = (
        "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040)"
    )
    with pytest.raises(ConfigError) as error:
        choose_device("cuda")
    assert str(error.value) == (
        f"device is 'cuda', but PyTorch finds no GPU here ({reason}); choose cpu or auto"
    )
    assert choose_device("auto") == choose_device("auto") == torch.device("cpu")
    assert caplog.messages == [f"device auto is the CPU, as PyTorch cannot use the GPU: {reason}"]


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("Found GPU0 Quadro which is of compute capability (CC) 3.0.\nThe following", False),
        ("Quadro with CUDA capability sm_30 is not compatible with the current PyTorch.", False),
        ("Found GPU1 Quadro which is of compute capability (CC) 3.0.\nThe following", True),
        ("Can't initialize NVML", True),
    ],
)
def test_a_gpu_without_kernels_is_not_taken(
    text: str, usable: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "init", lambda: warnings.warn(text, stacklevel=2))
    assert choose_device("auto").type == ("cuda" if usable else "cpu")
    assert len(caplog.messages) == (not usable)
    if not usable:
        with pytest.raises(ConfigError, match="this PyTorch has no kernels for it"):
            choose_device("cuda")


def test_a_gpu_that_cannot_be_begun_with_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def init() -> None:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(ConfigError, match=r"are busy or unavailable\); choose cpu or auto"):
        choose_device("cuda")


def test_a_machine_without_a_gpu_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("cuda:1", "CUDA_VISIBLE_DEVICES=1"),
        ("mps", "mps labels, and does not train"),
        ("xpu", "xpu labels, and does not train"),
        ("cdua", "did you mean 'cuda'"),
    ],
)
def test_other_devices_are_refused_with_advice(name: str, advice: str) -> None:
    for check in (
        lambda: check_device(name),
        lambda: TrainConfig.from_flat(device=name),
        lambda: Setup(device=name),
    ):
        with pytest.raises(ConfigError, match=rf"device '{name}': choose one of.*{advice}"):
            check()


@pytest.mark.parametrize("name", ["mps", "xpu"])
def test_gpus_of_apple_and_intel_are_taken_where_they_are_named_and_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = {"mps": torch.backends.mps, "xpu": torch.xpu}[name]
    monkeypatch.setattr(backend, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=f"device is '{name}', but PyTorch finds no GPU for it"):
        choose_device(name)
    monkeypatch.setattr(backend, "is_available", lambda: True)
    assert choose_device(name) == torch.device(name)
    assert choose_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize(("capability", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bfloat16_is_asked_of_the_gpu_not_of_pytorchs_emulation(
    capability: tuple[int, int], has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Properties:
        major, minor = capability

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    monkeypatch.setattr(torch.version, "hip", None)
    assert gpu_has_bfloat16() == has
    check_precision("float32", torch.device("cuda"))
    check_precision("bfloat16", torch.device("cpu"))
    if not has:
        with pytest.raises(ConfigError, match=r"the GPU \(Tesla T4\) has not; choose float32"):
            check_precision("bfloat16", torch.device("cuda"))


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
    ],
)
def test_every_error_of_too_little_memory_is_known(error: RuntimeError, is_memory: bool) -> None:
    assert is_out_of_memory(error) == is_memory


def test_cores_are_counted_where_the_system_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_cores() == 1


def test_memory_is_8_gib_where_proc_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pixelwise.hardware.GROUPS", tmp_path)
    monkeypatch.setattr(Path, "read_text", unreadable)
    assert free_memory("cpu") == 8 << 30
