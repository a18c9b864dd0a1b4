"""Masks by a Ray cluster against one process, undisturbed and while workers, a node and the driver are killed.

    python benchmarks/cluster.py MODEL IMAGES... --work WORK --parts alone undisturbed
    python benchmarks/cluster.py MODEL IMAGES... --work WORK --parts workers driver --out FILE

Two nodes of Ray's own test cluster, of one core each, on this machine; the single process has two threads. The images
are repeated under other names up to the number asked for, made smaller by --height. Whole commands are timed, imports
and the start of workers included; the cluster runs before. Beside the seconds stand those that the cores worked for it,
which what else runs on the machine does not change. All masks are compared. Figures and masks are kept in --work, so
that the parts may be run one by one.
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
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from machine import provenance
from PIL import Image

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
    parser.add_argument("--height", type=int, help="of the images; theirs if not given")
    parser.add_argument("--options", default=OPTIONS, help="of predict")
    parser.add_argument("--parts", nargs="*", default=["alone", *HARMS], choices=["alone", *HARMS])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    images = repeated(args.images, args.work, args.number, args.height)
    for part in args.parts:
        shutil.rmtree(args.work / part, ignore_errors=True)
        words = [sys.executable, "-m", "pixelwise", "predict", str(args.model), str(images)]
        words += ["--out", str(args.work / part), *shlex.split(args.options)]
        figures = alone(words) if part == "alone" else on_cluster(words, HARMS[part])
        figures |= outcome(args.work, part)
        (args.work / f"{part}.json").write_text(json.dumps(figures))
        print(part, figures)
    if args.out:
        args.out.write_text(page(args), encoding="utf-8")


def page(args: argparse.Namespace) -> str:
    paths = {part: args.work / f"{part}.json" for part in ("alone", *HARMS)}
    found = {part: json.loads(path.read_text()) for part, path in paths.items() if path.exists()}
    one = found.pop("alone")
    lines = [
        "| run | seconds | of cores | beside one process: seconds, of cores | until the first mask | masks as of one"
    ]
    lines[0] += " process | done, failed, rows in the manifest |"
    lines.append("|---|---|---|---|---|---|---|")
    lines.append(f"| one process, 2 threads | {one['seconds']:.0f} | {one['cores']:.0f} | | {one['first']:.1f} | | |")
    for name, run in found.items():
        more = ", ".join(f"{run[key] / one[key] - 1:+.1%}" for key in ("seconds", "cores"))
        title = f"cluster, {name}" + f": {run['harm']}" * bool(run["harm"])
        counts = f"{run['same']} of {args.number} | {run['done']}, {run['failed']}, {run['rows']}"
        lines.append(
            f"| {title} | {run['seconds']:.0f} | {run['cores']:.0f} | {more} | {run['first']:.1f} | {counts} |"
        )
    others = ", ".join(f"{name} {run['others']:.0f}" for name, run in {"one process": one, **found}.items())
    size = f"{args.height} rows high" if args.height else "in their own size"
    command = f"python benchmarks/cluster.py MODEL IMAGES --number {args.number} --work WORK --out FILE"
    return f"""# Batch prediction on a Ray cluster

{provenance(command + (f" --height {args.height}" if args.height else ""))}
{args.number} images, those of {len(args.images)} folders again and again, {size}; options `{args.options}`.
The cluster is Ray's own for tests: two nodes of one core each on this machine; it runs before. Whole commands are
timed, from the shell to the last mask. Seconds that the cores worked for other things meanwhile: {others}.

{chr(10).join(lines)}
"""


def repeated(folders: list[Path], work: Path, number: int, height: int | None) -> Path:
    """A folder of so many links to the pictures of `folders`, made smaller if a height is given."""
    pictures = sorted(path.absolute() for folder in folders for path in folder.iterdir())
    place, smaller = work / "images", work / "smaller"
    for folder in (place, smaller):
        folder.mkdir(parents=True, exist_ok=True)
    for index in range(0 if any(place.iterdir()) else number):
        source = pictures[index % len(pictures)]
        if height and index < len(pictures):
            with Image.open(source) as image:
                image.resize((image.width * height // image.height, height)).save(smaller / f"{index:06}.png")
        target = smaller / f"{index % len(pictures):06}.png" if height else source
        (place / f"{index:06}{target.suffix}").symlink_to(target)
    return place


@contextlib.contextmanager
def watched(out: Path) -> Iterator[dict[str, Any]]:
    """Figures of the block, filled at its end: seconds, those until the first mask, of cores for it and for others."""
    figures, found, over = dict[str, Any](), list[float](), threading.Event()
    began, busy, mine = time.monotonic(), busy_seconds(), own_seconds()

    def look() -> None:
        while not over.wait(0.1) and not found:
            if next(out.glob("*.png"), None):
                found.append(time.monotonic() - began)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield figures
    finally:
        over.set()
        watcher.join()
    figures |= {"seconds": time.monotonic() - began, "first": found[0], "cores": own_seconds() - mine}
    figures["others"] = busy_seconds() - busy - figures["cores"]


def busy_seconds() -> float:
    """Seconds that all cores have worked."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Seconds that cores have worked for this process and all that it has started, those that have ended included."""
    all_of = processes()
    mine = [all_of[pid] for pid in descendants(all_of) if pid in all_of]
    return sum(int(ticks) for words in mine for ticks in words[11:15]) / os.sysconf("SC_CLK_TCK")


def processes() -> dict[int, list[str]]:
    """What the system says of each process after its name: state, parent, ..."""
    found = dict[int, list[str]]()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            found[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
    return found


def descendants(all_of: dict[int, list[str]]) -> set[int]:
    """This process and those that it has started."""
    found = {os.getpid()}
    while more := {pid for pid, words in all_of.items() if int(words[1]) in found} - found:
        found |= more
    return found


def outcome(work: Path, part: str) -> dict[str, int]:
    """How many masks are those of one process, and what the manifest says."""
    alone, store = list((work / "alone").glob("*.png")), Store(str(work / part))
    same = sum((work / part / mask.name).read_bytes() == mask.read_bytes() for mask in alone)
    states = Counter(row["state"] for row in read_manifest(store).values())
    parts = list((work / part / "manifest").glob("*.csv"))
    rows = sum(len(path.read_text().splitlines()) - 1 for path in parts)
    return {"same": same, "done": states["done"], "failed": states["failed"], "rows": rows}


def alone(words: list[str]) -> dict[str, Any]:
    with watched(folder_of(words)) as figures:
        subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "2"}, check=True, capture_output=True)
    return {**figures, "harm": ""}


def on_cluster(words: list[str], harm: Harm) -> dict[str, Any]:
    """Figures until all is done, calls after a killed one included, and what was done to it."""
    told = list[str]()
    with nodes() as cluster, watched(folder_of(words)) as figures:
        while True:
            job = subprocess.Popen(
                [*words, "--cluster", cluster.address], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            told.append(harm(cluster, job, len(told)))
            said = job.communicate()[0]
            if job.returncode == 0:
                break
            if job.returncode != -signal.SIGKILL:
                raise SystemExit(said)
    print(said)
    return {**figures, "harm": "; ".join(filter(None, told))}


def folder_of(words: list[str]) -> Path:
    return Path(words[words.index("--out") + 1])


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
    """Once, in the middle of its work."""
    if call:
        return ""
    with contextlib.suppress(subprocess.TimeoutExpired):
        job.wait(20)
    job.kill()
    return "driver killed after 20 s, started again"


def workers(cluster: Any, name: bytes = b"MapWorker") -> list[int]:
    """Processes of the cluster's nodes that label images, or do what is called `name`."""
    raylets = {info.process.pid for node in cluster.list_all_nodes() for info in node.all_processes.get("raylet", [])}
    found = []
    for pid, words in processes().items():
        with contextlib.suppress(OSError):
            if int(words[1]) in raylets and name in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


HARMS: dict[str, Harm] = {"undisturbed": nothing, "workers": kill_workers, "driver": kill_driver}

if __name__ == "__main__":
    main()
