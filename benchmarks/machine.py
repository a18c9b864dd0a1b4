"""What every result says of where and when it was made."""

import os
import platform
import subprocess
import time
from pathlib import Path

import torch


def provenance(command: str) -> str:
    """Markdown lines: date, commit, command, machine, versions."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout
    lines = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if Path("/proc/cpuinfo").exists()
        else []
    )
    name = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
    flags = next((line for line in lines if line.startswith("flags")), "")
    extras = (
        ", ".join(flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags)
        or "no bfloat16 instructions"
    )
    return (
        f"{time.strftime('%Y-%m-%d')}, commit {commit.strip()}. Machine: {name} ({extras}), "
        f"{os.cpu_count()} cores, "
        f"Python {platform.python_version()}, torch {torch.__version__}.\n\nCommand: `{command}`\n"
    )


def on_share(words: list[str], part: int, of: int) -> list[str]:
    """A command on the `part`th of `of` equal shares of the cores that this process may use
    (Linux's taskset).
    """
    cores = sorted(os.sched_getaffinity(0))[part::of]
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *words] if of > 1 else words


def cpu_seconds() -> float:
    """Processor time of this process so far, and of its children, also of those that still run
    (Linux's /proc).
    """
    tick = os.sysconf("SC_CLK_TCK")
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for task in Path("/proc/self/task").iterdir():
        try:
            children = (task / "children").read_text().split()
            stats = [Path(f"/proc/{child}/stat").read_text() for child in children]
        except OSError:  # one has ended since
            continue
        for stat in stats:
            total += sum(map(int, stat.rpartition(")")[2].split()[11:15])) / tick
    return total
