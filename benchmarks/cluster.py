"""Masks by a Ray cluster against one process, undisturbed and while workers, a node and the driver are killed.

    python benchmarks/cluster.py MODEL IMAGES... --work /tmp/work --parts alone undisturbed
    python benchmarks/cluster.py MODEL IMAGES... --work /tmp/work --parts workers driver --out FILE

Two nodes of Ray's own test cluster, of one core each, on this machine; the single process has two threads. The images
are repeated under other names up to the number asked for. Whole commands are timed, imports and the start of workers
included; the cluster runs before. All masks are compared. Figures and masks are kept in --work, so that the parts may
be run one by one.
"""

import argparse
import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from machine import provenance

from pixelwise.cluster.manifest import read_manifest
from pixelwise.cluster.store import Store

KILL_EVERY = 5.0
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
OPTIONS = "--runtime openvino --precision bfloat16"
Harm = Callable[[Any, subprocess.Popen[str], int], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, nargs="+", help="folders")
    parser.add_argument("--number", type=int, default=5000)
    parser.add_argument("--options", default=OPTIONS, help="of predict")
    parser.add_argument("--parts", nargs="*", default=["alone", *HARMS], choices=["alone", *HARMS])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    images = repeated(args.images, args.work / "images", args.number)
    for part in args.parts:
        shutil.rmtree(args.work / part, ignore_errors=True)
        words = [sys.executable, "-m", "pixelwise", "predict", str(args.model), str(images)]
        words += ["--out", str(args.work / part), *shlex.split(args.options)]
        if part == "alone":
            seconds, harm = timed(words, {"OMP_NUM_THREADS": 2}), ""
        else:
            seconds, harm = on_cluster(words, HARMS[part])
        figures = {"seconds": seconds, "harm": harm, **outcome(args.work, part)}
        (args.work / f"{part}.json").write_text(json.dumps(figures))
        print(part, figures)
    if args.out:
        args.out.write_text(page(args), encoding="utf-8")


def page(args: argparse.Namespace) -> str:
    found = {
        part: json.loads(path.read_text())
        for part in ("alone", *HARMS)
        if (path := args.work / f"{part}.json").exists()
    }
    alone, lines = found.pop("alone"), list[str]()
    lines.append(
        "| run | seconds | images/s | beside one process | masks as of one process | rows done, failed, in all |"
    )
    lines.append("|---|---|---|---|---|---|")
    lines.append(f"| one process, 2 threads | {alone['seconds']:.1f} | {args.number / alone['seconds']:.1f} | | | |")
    for name, run in found.items():
        harm = f": {run['harm']}" * bool(run["harm"])
        lines.append(
            f"| cluster, {name}{harm} | {run['seconds']:.1f} | {args.number / run['seconds']:.1f} | "
            f"{run['seconds'] / alone['seconds'] - 1:+.1%} | {run['same']} of {args.number} | "
            f"{run['done']}, {run['failed']}, {run['rows']} |"
        )
    command = f"python benchmarks/cluster.py MODEL IMAGES --number {args.number} --work WORK --out FILE"
    return f"""# Batch prediction on a Ray cluster

{provenance(command)}
{args.number} images, those of {len(args.images)} folders again and again; options `{args.options}`. {INTRODUCTION}

{chr(10).join(lines)}
"""


INTRODUCTION = """The cluster is Ray's own for tests: two
nodes of one core each on this machine. Whole commands are timed, from the shell to the last mask; the cluster runs
before."""


def repeated(folders: list[Path], place: Path, number: int) -> Path:
    """A folder of so many links to the pictures of `folders`."""
    pictures = sorted(path.absolute() for folder in folders for path in folder.iterdir())
    place.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        source = pictures[index % len(pictures)]
        with contextlib.suppress(FileExistsError):
            (place / f"{index:06}{source.suffix}").symlink_to(source)
    return place


def outcome(work: Path, part: str) -> dict[str, int]:
    """How many masks are those of one process, and what the manifest says."""
    alone, store = list((work / "alone").glob("*.png")), Store(str(work / part))
    same = sum((work / part / mask.name).read_bytes() == mask.read_bytes() for mask in alone)
    states = Counter(row["state"] for row in read_manifest(store).values())
    parts = list((work / part / "manifest").glob("*.csv"))
    rows = sum(len(path.read_text().splitlines()) - 1 for path in parts)
    return {"same": same, "done": states["done"], "failed": states["failed"], "rows": rows}


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
                print(said)
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
        if killed == 6 and not removed:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
            removed = True
    return f"a worker killed every {KILL_EVERY:.0f} s ({killed} in all)" + ", one of two nodes removed" * removed


def kill_driver(cluster: Any, job: subprocess.Popen[str], call: int) -> str:
    """Once, in the middle of its work."""
    if call:
        return ""
    with contextlib.suppress(subprocess.TimeoutExpired):
        job.wait(60)
    job.kill()
    return "driver killed after 60 s, started again"


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


HARMS: dict[str, Harm] = {"undisturbed": nothing, "workers": kill_workers, "driver": kill_driver}

if __name__ == "__main__":
    main()
