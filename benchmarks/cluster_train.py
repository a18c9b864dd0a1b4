"""Training by Ray Train against torchrun: the same weights from two processes, also after one was killed with -9.

    python benchmarks/cluster_train.py --out benchmarks/results/cluster_train.md

Two nodes of Ray's own test cluster, of one core each, on this machine; a small generated data set.
"""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from cluster import nodes
from machine import provenance

from pixelwise.data.shapes import write_shapes

OPTIONS = shlex.split(
    "--encoder vgg11 --decoder fcn32s --weights none --crop 64 64 --batch 4 --epochs 4 --precision float32"
    " --device cpu --augment none --set plain=true --set workers=0 --seed 3"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_shapes(folder / "data", train=12, val=4, test=4, size=(64, 96), seed=3)
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        rows = [("torchrun", trained(folder, "torchrun", torchrun, []), "")]
        with nodes() as cluster:
            address = ["--cluster", cluster.address]
            rows.append(("Ray Train", trained(folder, "ray", [], address), difference(folder, "ray")))
            seconds = trained(folder, "killed", [], address, kill=True)
            rows.append(("Ray Train, a process killed after epoch 1", seconds, difference(folder, "killed")))
    lines = ["| processes started by | seconds | largest difference of a weight from torchrun's |", "|---|---|---|"]
    lines += [f"| {name} | {seconds:.0f} | {same} |" for name, seconds, same in rows]
    given = "python benchmarks/cluster_train.py"
    text = "\n".join(
        ["# Training by Ray Train\n", provenance(given), f"Options: `{shlex.join(OPTIONS)}`\n", *lines, ""]
    )
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def trained(folder: Path, name: str, start: Sequence[str], more: Sequence[str], *, kill: bool = False) -> float:
    """Seconds of a whole command that trains into `folder`/`name`."""
    words = [sys.executable, *start, "-m", "pixelwise", "train", str(folder / "data"), "--out", str(folder / name)]
    began = time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    log = folder / f"{name}.log"
    with log.open("w") as file:
        job = subprocess.Popen([*words, *OPTIONS, *more], env=environment, stdout=file, stderr=subprocess.STDOUT)
        if kill:
            while job.poll() is None and not (folder / name / "state/last.pt").is_file():
                time.sleep(0.05)
            os.kill(process_of(b"RayTrainWorker"), signal.SIGKILL)
        if job.wait():
            raise SystemExit(log.read_text())
    return time.monotonic() - began


def process_of(name: bytes) -> int:
    """The last started process of that name that has this one's user."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if name in (folder / "cmdline").read_bytes() and folder.owner() == Path("/proc/self").owner():
                found.append(int(folder.name))
    return max(found)


def difference(folder: Path, name: str) -> str:
    """From torchrun's weights after the last epoch."""
    one, other = (torch.load(folder / run / "state/last.pt", weights_only=True) for run in ("torchrun", name))
    assert one["steps"] == other["steps"], (one["steps"], other["steps"])
    return f"{max(float((weight - other['model'][key]).abs().max()) for key, weight in one['model'].items()):.1e}"


if __name__ == "__main__":
    main()
