"""Training by Ray Train against torchrun: the same weights, also after a process was killed and
after a node was lost.

python benchmarks/cluster_train.py --out benchmarks/results/cluster_train.md

Two nodes of Ray's own test cluster, of one core each, on this machine; a small generated data set.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cluster import NODE, nodes, workers
from machine import provenance
from two_hosts import difference

from pixelwise.datasets.synthetic import write_shapes

OPTIONS = shlex.split(
    "--encoder resnet18 --decoder unet --weights none --crop 64 64 --batch 4 --epochs 4 "
    "--precision float32"
    " --device cpu --set workers=0 --seed 3"
)
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--note", action="append", default=[], help="a paragraph below the figures")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, nodes() as cluster:
        folder = Path(scratch)
        write_shapes(folder / "data", train=40, val=4, test=4, size=(96, 128), seed=3)
        rows = [("torchrun", trained(folder, "one", TORCHRUN, []), "")]
        on = ["--cluster", cluster.address, "--workers", "2"]
        for name, harm in HARMS.items():
            rows.append(
                (f"Ray Train{name}", trained(folder, harm.__name__, [], on, cluster, harm), "")
            )
            rows[-1] = (*rows[-1][:2], difference(folder, harm.__name__))
    lines = [
        "| processes started by | seconds | largest difference of a weight from torchrun's |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {seconds:.0f} | {same} |" for name, seconds, same in rows]
    text = f"""# Training by Ray Train

{provenance("python benchmarks/cluster_train.py")}
Two nodes of one core each, of Ray's own cluster for tests; whole commands are timed.
Options: `{shlex.join(OPTIONS)}`

{chr(10).join(lines)}
{"".join(chr(10) + note + chr(10) for note in args.note)}"""
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def trained(
    folder: Path,
    name: str,
    start: Sequence[str],
    more: Sequence[str],
    cluster: Any = None,
    harm: Callable[[Any], None] | None = None,
) -> float:
    """Seconds of a whole command that trains into `folder`/`name` and is harmed after its first
    epoch.
    """
    words = [
        sys.executable,
        *start,
        "-m",
        "pixelwise",
        "train",
        str(folder / "data"),
        "--out",
        str(folder / name),
    ]
    began = time.monotonic()
    log = folder / f"{name}.log"
    with log.open("w") as file:
        settings = {**os.environ, "OMP_NUM_THREADS": "1"}
        job = subprocess.Popen(
            [*words, *OPTIONS, *more], env=settings, stdout=file, stderr=subprocess.STDOUT
        )
        while harm and job.poll() is None and not (folder / name / "state/last.pt").is_file():
            time.sleep(0.05)
        if harm:
            harm(cluster)
        if job.wait():
            raise SystemExit(log.read_text())
    print(log.read_text())
    return time.monotonic() - began


def nothing(cluster: Any) -> None:
    """Undisturbed."""


def kill(cluster: Any) -> None:
    os.kill(max(workers(cluster, b"RayTrainWorker")), signal.SIGKILL)


def remove(cluster: Any) -> None:
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    time.sleep(10)
    cluster.add_node(**NODE)


HARMS = {
    "": nothing,
    ", a process killed after epoch 1": kill,
    ", a node lost after epoch 1 and another one there 10 s later": remove,
}

if __name__ == "__main__":
    main()
