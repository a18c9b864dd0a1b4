"""Masks by a Ray cluster against one process, undisturbed and while workers, a node and the driver are killed.

    python benchmarks/cluster.py MODEL IMAGES... --number 600 --out benchmarks/results/cluster.md

Two nodes of Ray's own test cluster, of one core each, on this machine; the single process has two threads. Whole
commands are timed, imports and the start of workers included; the cluster runs before. All masks are compared.
"""

import argparse
import contextlib
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from machine import provenance

from pixelwise.cluster.manifest import read_manifest
from pixelwise.cluster.store import Store

KILL_EVERY = 10.0
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
Harm = Callable[[Any, subprocess.Popen[str], int], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, nargs="+", help="folders")
    parser.add_argument("--number", type=int, default=600)
    parser.add_argument("--only", nargs="*", default=list(HARMS), choices=list(HARMS))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    images = sorted(path for folder in args.images for path in folder.iterdir())[: args.number]
    rows = ["| run | what was done to it | seconds | images/s | masks as of one process | done, failed |"]
    rows.append("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        (listing := Path(scratch) / "images.txt").write_text("".join(f"{path.absolute()}\n" for path in images))
        for threads in (1, 2):
            seconds = timed(
                command(args.model, listing, Path(scratch) / f"alone{threads}"), {"OMP_NUM_THREADS": threads}
            )
            rows.append(f"| one process, {threads} threads | | {seconds:.1f} | {len(images) / seconds:.1f} | | |")
        for name in args.only:
            out = Path(scratch) / name
            seconds, harm = on_cluster(command(args.model, listing, out), HARMS[name])
            states = Counter(row["state"] for row in read_manifest(Store(str(out))).values())
            same = sum((out / mask.name).read_bytes() == mask.read_bytes() for mask in masks(Path(scratch) / "alone1"))
            figures = f"{seconds:.1f} | {len(images) / seconds:.1f} | {same} of {len(images)}"
            rows.append(f"| {name} | {harm} | {figures} | {states['done']}, {states['failed']} |")
    given = shlex.join(["python", "benchmarks/cluster.py", "MODEL", "IMAGES", "--number", str(args.number)])
    text = "\n".join(["# Batch prediction on a Ray cluster\n", provenance(given), *rows, ""])
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def command(model: Path, listing: Path, out: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "pixelwise",
        "predict",
        str(model),
        str(listing),
        "--out",
        str(out),
        "--runtime",
        "torch",
    ]


def timed(words: list[str], environment: dict[str, object]) -> float:
    began = time.monotonic()
    settings = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    subprocess.run(words, env=settings, check=True, capture_output=True)
    return time.monotonic() - began


def on_cluster(words: list[str], harm: Harm) -> tuple[float, str]:
    """Seconds until all is done, calls after a killed one included, and what was done to it."""
    with nodes() as cluster:
        began, told = time.monotonic(), list[str]()
        while True:
            job = subprocess.Popen(
                [*words, "--cluster", cluster.address], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            told.append(harm(cluster, job, len(told)))
            said = job.communicate()[0]
            if job.returncode == 0:
                return time.monotonic() - began, "; ".join(filter(None, told))
            if job.returncode != -signal.SIGKILL:
                raise SystemExit(said)


@contextlib.contextmanager
def nodes() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    cluster.add_node(**NODE)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def nothing(cluster: Any, job: subprocess.Popen[str], call: int) -> str:
    return ""


def kill_workers(cluster: Any, job: subprocess.Popen[str], call: int) -> str:
    """A worker every few seconds, and a node after some of them."""
    killed, removed, choice = 0, False, random.Random(0)
    while job.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.wait(KILL_EVERY)
            break
        if alive := workers(cluster):
            os.kill(choice.choice(alive), signal.SIGKILL)
            killed += 1
        if killed == 4 and not removed:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
            removed = True
    return f"a worker killed every {KILL_EVERY:.0f} s ({killed} in all)" + ", one of two nodes removed" * removed


def kill_driver(cluster: Any, job: subprocess.Popen[str], call: int) -> str:
    """Twice, each time in the middle of its work."""
    if call == 2:
        return ""
    with contextlib.suppress(subprocess.TimeoutExpired):
        job.wait(25)
    job.kill()
    return "driver killed after 25 s, started again"


def workers(cluster: Any) -> list[int]:
    """Processes of the cluster's nodes that label images."""
    raylets = {info.process.pid for node in cluster.list_all_nodes() for info in node.all_processes.get("raylet", [])}
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and b"MapWorker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def masks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


HARMS: dict[str, Harm] = {"undisturbed": nothing, "workers": kill_workers, "driver": kill_driver}

if __name__ == "__main__":
    main()
