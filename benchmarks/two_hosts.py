"""Training on two hosts by torchrun, one of them cut off in the middle, and gone on with
afterwards.

sudo python benchmarks/two_hosts.py --out benchmarks/results/two_hosts.md

The hosts are network namespaces of one machine, each with its own address, joined by a pair of
virtual cables: the processes see each other over TCP alone, and share a disk. Needs root and `ip`.
A small generated data set.
"""

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from machine import provenance

from pixelwise.datasets.synthetic import write_shapes

HOSTS = {"pixelwise-a": "10.213.7.1", "pixelwise-b": "10.213.7.2"}
TIMEOUT = 15
OPTIONS = shlex.split(
    "--encoder resnet18 --decoder unet --weights none --crop 64 64 --batch 4 --epochs 6 "
    "--precision float32"
    f" --device cpu --set workers=0 --seed 3 --set timeout={TIMEOUT} --resume"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, hosts():
        folder = Path(scratch)
        write_shapes(folder / "data", train=40, val=4, test=4, size=(96, 128), seed=3)
        rows = [("one host, two processes", run(folder, "one", hosts=list(HOSTS)[:1]), "")]
        rows.append(("two hosts", run(folder, "two"), difference(folder, "two")))
        cut = run(folder, "cut", cut_after=2)
        rows.append(("two hosts, the second cut off after epoch 2", cut, ""))
        rows.append(("both started again", run(folder, "cut"), difference(folder, "cut")))
    lines = [
        "| run | what happened | largest difference of a weight from one host's |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {told} | {same} |" for name, told, same in rows]
    text = f"""# Training on two hosts

{provenance("python benchmarks/two_hosts.py")}
Two network namespaces joined by a virtual cable, a process of one thread each, started by `torchrun --nnodes 2`. Cut
off: the cable of the second is taken down. Options: `{shlex.join(OPTIONS)}`

{chr(10).join(lines)}
"""
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


@contextlib.contextmanager
def hosts() -> Iterator[None]:
    """Two namespaces, each with one end of a cable called `cable`."""
    one, two = HOSTS
    try:
        for name in HOSTS:
            ip("netns", "add", name)
        ip(
            "link",
            "add",
            "cable",
            "netns",
            one,
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            two,
        )
        for name, address in HOSTS.items():
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", name, "link", "set", device, "up")
        yield
    finally:
        for name in HOSTS:
            subprocess.run(["ip", "netns", "delete", name], check=False)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def run(folder: Path, name: str, *, hosts: list[str] | None = None, cut_after: int = 0) -> str:
    """Train into `folder`/`name` on the hosts; what happened. The second's cable is taken down
    after an epoch.
    """
    hosts = hosts or list(HOSTS)
    began = time.monotonic()
    jobs = [start(host, number, len(hosts), folder, name) for number, host in enumerate(hosts)]
    when = 0.0
    if cut_after:
        history = folder / name / "history.csv"
        while not (history.is_file() and len(history.read_text().splitlines()) > cut_after):
            if any(job.poll() is not None for job in jobs):
                raise SystemExit(jobs[0].communicate()[0])
            time.sleep(0.02)
        ip("-n", hosts[1], "link", "set", "cable", "down")
        when = time.monotonic()
    said = []
    ends = []
    for job in jobs:
        said.append(job.communicate()[0])
        ends.append(time.monotonic() - when)
    if not cut_after:
        if any(job.returncode for job in jobs):
            raise SystemExit("\n".join(said))
        return f"done in {time.monotonic() - began:.0f} s"
    ip("-n", hosts[1], "link", "set", "cable", "up")
    if not all(job.returncode for job in jobs):
        raise SystemExit("a host that was cut off went on:\n" + "\n".join(said))
    lines = [
        next((line for line in text.splitlines() if line.startswith("pixelwise:")), text[-300:])
        for text in said
    ]
    return (
        f"both ended, {ends[0]:.0f} and {ends[1]:.0f} s after the cut; the first said: {lines[0]}"
    )


def start(host: str, number: int, count: int, folder: Path, name: str) -> subprocess.Popen[str]:
    words = [
        *("ip", "netns", "exec", host, sys.executable, "-m", "torch.distributed.run"),
        *("--nnodes", str(count), "--node-rank", str(number), "--nproc-per-node", str(2 // count)),
        *("--master-addr", next(iter(HOSTS.values())), "--master-port", "29517"),
        *("-m", "pixelwise", "train", str(folder / "data"), "--out", str(folder / name), *OPTIONS),
    ]
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "cable"}
    return subprocess.Popen(
        words, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def difference(folder: Path, name: str) -> str:
    """The largest difference of a weight after the last epoch from those of the run called
    `one`.
    """
    one, other = (
        torch.load(folder / run / "state/last.pt", weights_only=True) for run in ("one", name)
    )
    if one["steps"] != other["steps"]:
        raise SystemExit(f"{one['steps']} and {other['steps']} steps")
    most = max(
        float((weight - other["model"][key]).abs().max()) for key, weight in one["model"].items()
    )
    return "none: equal to the last bit" if most == 0 else f"{most:.1e}"


if __name__ == "__main__":
    main()
