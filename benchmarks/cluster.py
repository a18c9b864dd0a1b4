"""Masks by a Ray cluster against one process, undisturbed and while workers, a node and the driver
are killed.

python benchmarks/cluster.py MODEL IMAGES... --work WORK --parts alone undisturbed python
benchmarks/cluster.py MODEL IMAGES... --work WORK --parts workers driver --out FILE --note "What
else ran"

Two nodes of Ray's own test cluster, of one core each, on this machine; the single process has two
threads. The images are repeated under other names up to the number asked for, made smaller by
--height. Whole commands are timed, imports and the start of workers included; the cluster runs
before, and has come to rest. Beside the seconds stand those that the cores worked for it, which
what else runs on the machine changes little. All masks are compared. Figures, masks and what the
commands said are kept in --work, so that the parts may be run one by one.
"""

import argparse
import contextlib
import json
import math
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import provenance
from PIL import Image

from pixelwise.inference.manifest import read_manifest
from pixelwise.io.storage import open_store

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
OPTIONS = "--runtime openvino --precision bfloat16"
FAILED = 1
"""The exit status where some images were set aside."""

AT_WORK = b".submit"
"""What the title of a worker's process says while it has a unit: while it loads the model it is
`.__init__`.
"""

LOOK = 0.25
"""Seconds from one look at the processes to the next; so much of what one did may be missed where
it ends.
"""

REST = 0.2
LONG = 40
"""Seconds of cores in a second below which a cluster is at rest, and the seconds it may take to
come to that.
"""


@dataclass(frozen=True)
class Scene:
    """A cluster, where a job writes to, how many masks that will be, and the seconds from one death
    to the next.
    """

    cluster: Any
    out: Path
    number: int
    kill_every: float


Harm = Callable[[Scene, subprocess.Popen[bytes], int], str]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, nargs="+", help="folders")
    parser.add_argument("--number", type=int, default=5000)
    parser.add_argument("--height", type=int, help="of the images; theirs if not given")
    parser.add_argument("--options", default=OPTIONS, help="of predict")
    parser.add_argument("--parts", nargs="*", default=["alone", *HARMS], choices=["alone", *HARMS])
    parser.add_argument("--kill-every", type=float, default=8.0, metavar="SECONDS")
    parser.add_argument("--note", action="append", default=[], help="a paragraph below the figures")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    args.work = args.work.absolute()
    images = repeated(args.images, args.work, args.number, args.height)
    for part in args.parts:
        shutil.rmtree(args.work / part, ignore_errors=True)
        words = [sys.executable, "-m", "pixelwise", "predict", str(args.model), str(images)]
        words += ["--out", str(args.work / part), *shlex.split(args.options)]
        log = args.work / f"{part}.log"
        figures = (
            alone(words, log) if part == "alone" else on_cluster(words, log, HARMS[part], args)
        )
        figures |= outcome(args.work, part)
        (args.work / f"{part}.json").write_text(json.dumps(figures))
        print(part, figures)
    if args.out:
        args.out.write_text(page(args), encoding="utf-8")


def page(args: argparse.Namespace) -> str:
    paths = {part: args.work / f"{part}.json" for part in ("alone", *HARMS)}
    found = {part: json.loads(path.read_text()) for part, path in paths.items() if path.exists()}
    if (one := found.pop("alone", None)) is None:
        raise SystemExit("nothing to compare with: run --parts alone first")
    lines = [
        "| run | seconds | of cores | beside one process: seconds, of cores | until the first "
        "mask | masks as of one"
    ]
    lines[0] += " process | done, failed, rows in the manifest |"
    lines.append("|---|---|---|---|---|---|---|")
    lines.append(
        f"| one process, 2 threads | {one['seconds']:.0f} | {one['cores']:.0f} | | "
        f"{one['first']:.1f} | | |"
    )
    for name, run in found.items():
        more = ", ".join(f"{run[key] / one[key] - 1:+.1%}" for key in ("seconds", "cores"))
        title = f"cluster, {name}" + f": {run['harm']}" * bool(run["harm"])
        title += f"; exit status {run['status']}" * bool(run["status"])
        counts = f"{run['same']} of {args.number} | {run['done']}, {run['failed']}, {run['rows']}"
        lines.append(
            f"| {title} | {run['seconds']:.0f} | {run['cores']:.0f} | {more} | "
            f"{run['first']:.1f} | {counts} |"
        )
    others = ", ".join(
        f"{name} {run['others']:.0f}" for name, run in {"one process": one, **found}.items()
    )
    size = f"{args.height} rows high" if args.height else "in their own size"
    command = (
        f"python benchmarks/cluster.py MODEL IMAGES --number {args.number} --work WORK --out FILE"
    )
    notes = "".join(f"\n{note}\n" for note in args.note)
    return f"""# Batch prediction on a Ray cluster

{provenance(command + (f" --height {args.height}" if args.height else ""))}
{args.number} images, those of {len(args.images)} folders again and again, {size}; options `{args.options}`.
The cluster is Ray's own for tests: two nodes of one core each on this machine; it runs before. Whole commands are
timed, from the shell to the last mask. Seconds that the cores worked for other things meanwhile: {others}.

{chr(10).join(lines)}
{notes}"""


def repeated(folders: list[Path], work: Path, number: int, height: int | None) -> Path:
    """A folder of so many links to the pictures of `folders`, made smaller if a height is given."""
    pictures = sorted(path.absolute() for folder in folders for path in folder.iterdir())
    place = work / "images"
    smaller = work / "smaller"
    for folder in (place, smaller):
        folder.mkdir(parents=True, exist_ok=True)
    for index in range(0 if any(place.iterdir()) else number):
        source = pictures[index % len(pictures)]
        if height and index < len(pictures):
            with Image.open(source) as image:
                image.resize((image.width * height // image.height, height)).save(
                    smaller / f"{index:06}.png"
                )
        target = smaller / f"{index % len(pictures):06}.png" if height else source
        (place / f"{index:06}{target.suffix}").symlink_to(target)
    return place


@contextlib.contextmanager
def watched(out: Path) -> Iterator[dict[str, Any]]:
    """Figures of the block, filled at its end: seconds, those until the first mask, of cores for it
    and for others.
    """
    figures = dict[str, Any]()
    found = list[float]()
    over = threading.Event()
    worked = own_seconds()
    began = time.monotonic()
    busy = busy_seconds()
    before = sum(worked.values())

    def look() -> None:
        while not over.wait(LOOK):
            worked.update(own_seconds())  # of a process that ends nothing is known afterwards
            if not found and masks(out):
                found.append(time.monotonic() - began)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield figures
    finally:
        over.set()
        watcher.join()
    worked.update(own_seconds())
    figures |= {"seconds": time.monotonic() - began, "first": found[0] if found else math.nan}
    figures["cores"] = sum(worked.values()) - before
    figures["others"] = busy_seconds() - busy - figures["cores"]


def busy_seconds() -> float:
    """Seconds that all cores have worked."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> dict[tuple[int, str], float]:
    """Seconds that cores have worked for each process that this one has started, by its number and
    beginning.
    """
    all_of = processes()
    mine = {pid: all_of[pid] for pid in descendants(all_of) - {os.getpid()} if pid in all_of}
    ticks = os.sysconf("SC_CLK_TCK")
    return {
        (pid, words[19]): (int(words[11]) + int(words[12])) / ticks for pid, words in mine.items()
    }


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


def masks(folder: Path) -> set[str]:
    """Names of the masks that are there; a draft is none."""
    return {path.name for path in folder.glob("*.png") if path.name[0] != "."}


def outcome(work: Path, part: str) -> dict[str, int]:
    """How many masks are those of one process, and what the manifest says."""
    both = masks(work / "alone") & masks(work / part)
    store = open_store(str(work / part))
    same = sum(
        (work / part / name).read_bytes() == (work / "alone" / name).read_bytes() for name in both
    )
    states = Counter(row["state"] for row in read_manifest(store).values())
    parts = list((work / part / "manifest").glob("*.csv"))
    rows = sum(len(path.read_text().splitlines()) - 1 for path in parts)
    return {"same": same, "done": states["done"], "failed": states["failed"], "rows": rows}


def alone(words: list[str], log: Path) -> dict[str, Any]:
    with watched(folder_of(words)) as figures, log.open("wb") as said:
        done = subprocess.run(
            words, env={**os.environ, "OMP_NUM_THREADS": "2"}, stdout=said, stderr=said, check=False
        )
    if done.returncode:
        raise SystemExit(f"one process ended with {done.returncode}: {log.read_text()}")
    return {**figures, "harm": "", "status": 0}


def on_cluster(words: list[str], log: Path, harm: Harm, args: argparse.Namespace) -> dict[str, Any]:
    """Figures until all is done, calls after a killed one included, what was done to it and how the
    last call ended.
    """
    told = list[str]()
    out = folder_of(words)
    with nodes() as cluster, watched(out) as figures, log.open("wb") as said:
        scene = Scene(cluster, out, args.number, args.kill_every)
        while True:
            job = subprocess.Popen([*words, "--cluster", cluster.address], stdout=said, stderr=said)
            told.append(harm(scene, job, len(told)))
            if job.wait() != -signal.SIGKILL:
                break
    print(log.read_text())
    if job.returncode not in (0, FAILED):
        raise SystemExit(
            f"the job ended with {job.returncode}, see above; {len(masks(out))} masks are there"
        )
    return {**figures, "harm": "; ".join(filter(None, told)), "status": job.returncode}


def folder_of(words: list[str]) -> Path:
    return Path(words[words.index("--out") + 1])


@contextlib.contextmanager
def nodes() -> Iterator[Any]:
    """A cluster whose processes have come to rest: Ray's agents take seconds to be there."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    cluster.add_node(**NODE)
    try:
        calm = 0
        limit = time.monotonic() + LONG
        while calm < 3 and time.monotonic() < limit:
            before = sum(own_seconds().values())
            time.sleep(1)
            calm = calm + 1 if sum(own_seconds().values()) - before < REST else 0
        yield cluster
    finally:
        cluster.shutdown()


def nothing(scene: Scene, job: subprocess.Popen[bytes], call: int) -> str:
    return ""


def kill_workers(scene: Scene, job: subprocess.Popen[bytes], call: int) -> str:
    """A worker that has been at work for a second, every few seconds, and a node, for good, at half
    of the masks.
    """
    killed = 0
    removed = False
    choice = random.Random(0)
    since = dict[int, float]()
    last = time.monotonic()
    while job.poll() is None and (there := len(masks(scene.out))) < scene.number:
        time.sleep(0.5)
        now = time.monotonic()
        busy = workers(scene.cluster, AT_WORK)
        since |= {pid: now for pid in busy if pid not in since}
        ready = [pid for pid in busy if now - since[pid] > 1]
        if ready and now - last >= scene.kill_every:
            with contextlib.suppress(ProcessLookupError):
                os.kill(choice.choice(ready), signal.SIGKILL)
                killed = killed + 1
                last = now
        if not removed and there >= scene.number / 2:
            scene.cluster.remove_node(next(iter(scene.cluster.worker_nodes)), allow_graceful=False)
            removed = True
    job.wait()
    deaths = f"a worker at work killed every {scene.kill_every:.0f} s ({killed} in all)"
    return deaths + ", one of two nodes removed at half of the masks" * removed


def kill_driver(scene: Scene, job: subprocess.Popen[bytes], call: int) -> str:
    """Once, at a third of the masks."""
    if call:
        return ""
    while job.poll() is None and len(masks(scene.out)) < scene.number / 3:
        time.sleep(0.2)
    job.kill()
    return "driver killed at a third of the masks, started again"


def workers(cluster: Any, name: bytes = b"MapWorker") -> list[int]:
    """Processes of the cluster's nodes that label images, or do what is called `name`."""
    raylets = {
        info.process.pid
        for node in cluster.list_all_nodes()
        for info in node.all_processes.get("raylet", [])
    }
    found = []
    for pid, words in processes().items():
        with contextlib.suppress(OSError):
            if int(words[1]) in raylets and name in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


HARMS: dict[str, Harm] = {"undisturbed": nothing, "workers": kill_workers, "driver": kill_driver}

if __name__ == "__main__":
    main()
