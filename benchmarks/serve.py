"""Requests a second and memory of `pixelwise serve`, against the bare predictor in the same run.

python benchmarks/serve.py RUN IMAGES --out benchmarks/results/serve.md

The clients are one asyncio process beside the server. Bare is Predictor.predict on the same files'
bytes in as many threads as there are clients, at most those of a folder's prediction; the mask's
PNG is not in it, but is in the server's time. They take turns.
"""

import argparse
import asyncio
import io
import itertools
import os
import random
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import provenance
from PIL import Image

from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.threads import WORKERS, map_ordered
from pixelwise.io.images import encode_image, encode_labels

# Seconds until what all clients have sent is in the queue.
WARM_UP_S = 4.0
# Requests that the server holds by default.
QUEUE_SIZE = 256


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("images", type=Path)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--seconds", type=float, default=12, help="of each measurement")
    parser.add_argument(
        "--turns", type=int, default=6, help="in which bare and server alternate over these seconds"
    )
    parser.add_argument(
        "--requests", type=int, default=10_000, help="for growth, of small pictures"
    )
    parser.add_argument("--parts", nargs="*", default=["speed", "batch", "memory"])
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 8, 64, 256, 512])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    files = [path.read_bytes() for path in sorted(args.images.iterdir())[:64]]
    lines: list[str] = []
    if "batch" in args.parts:
        lines += measure_batches(args, files)
    if {"speed", "memory"} & set(args.parts):
        with tempfile.NamedTemporaryFile("w") as log:
            process, port = start_server(args, log)
            try:
                if "speed" in args.parts:
                    lines += measure_speed(args, files, port, process.pid)
                if "memory" in args.parts:
                    lines += measure_memory(args, files, port, process.pid)
            finally:
                process.terminate()
                process.wait()
    words = ["python", "benchmarks/serve.py", "RUN", "IMAGES", "--parts", *args.parts]
    words += [
        "--runtime",
        args.runtime,
        "--precision",
        args.precision,
        "--seconds",
        f"{args.seconds:g}",
    ]
    words += ["--turns", str(args.turns), "--requests", str(args.requests)]
    text = "\n".join(["# The server under load\n", provenance(shlex.join(words)), *lines, ""])
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def start_server(args: argparse.Namespace, log) -> tuple[subprocess.Popen, int]:
    command = [sys.executable, "-m", "pixelwise", "serve", f"model={args.run}", "--port", "0"]
    command += ["--runtime", args.runtime, "--precision", args.precision]
    process = subprocess.Popen(command, stderr=log)
    for _ in range(600):
        if match := re.search(
            r"http://127\.0\.0\.1:(\d+)", Path(log.name).read_text(encoding="utf-8")
        ):
            return process, int(match[1])
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def measure_speed(args: argparse.Namespace, files: list[bytes], port: int, pid: int) -> list[str]:
    predictor = load(args.run, runtime=args.runtime, precision=args.precision)
    run_bare(predictor, files, 2)
    asyncio.run(run_clients(port, 8, files, seconds=2))
    rows = [
        "| clients | requests/s | of the bare rate, median (range) | median ms | 99th ms | "
        "refused (503) "
        "| processor ms a request: bare, server, clients |",
        "|---|---|---|---|---|---|---|",
    ]
    rates = []
    for count in args.clients:
        turns = (
            args.turns if count <= QUEUE_SIZE else 1
        )  # whoever is refused comes again after some seconds
        alone = list[float]()
        served = list[float]()
        waited = list[float]()
        refused = 0
        work = np.zeros(3)
        done = np.zeros(3)
        for _ in range(turns):
            before = cpu_seconds(os.getpid())
            alone.append(run_bare(predictor, files, args.seconds / turns, min(count, WORKERS)))
            between = cpu_seconds(os.getpid())
            stats = asyncio.run(
                run_clients(
                    port,
                    count,
                    files,
                    seconds=WARM_UP_S + args.seconds / turns,
                    warm=WARM_UP_S,
                    pid=pid,
                )
            )
            work += between - before, *stats.work
            done += alone[-1] * args.seconds / turns, len(stats.seconds), len(stats.seconds)
            served.append(len(stats.seconds) / stats.took)
            waited = waited + stats.seconds
            refused = refused + stats.refused
        alone.append(run_bare(predictor, files, args.seconds / turns, min(count, WORKERS)))
        rates += alone
        shares = [
            rate / statistics.mean(pair)
            for rate, pair in zip(served, itertools.pairwise(alone), strict=True)
        ]
        middle, late = np.percentile(waited, [50, 99]) * 1e3
        rows.append(
            f"| {count} | {statistics.median(served):.1f} | {statistics.median(shares):.2f} "
            f"({min(shares):.2f} to {max(shares):.2f}) | {middle:.0f} | {late:.0f} | {refused} | "
            f"{', '.join(f'{ms:.1f}' for ms in 1e3 * work / done)} |"
        )
    coded = time_encoding(predictor, files)
    return [
        f"{args.runtime} {args.precision}, {len(files)} images of 360 x 480. Bare: "
        f"{min(rates):.1f} to "
        f"{max(rates):.1f} images/s, measured before and after each line; a mask as PNG takes "
        f"{coded:.1f} ms more.",
        "Refused clients come again when Retry-After says, or up to half as long later.\n",
        *rows,
        "",
    ]


def cpu_seconds(pid: int) -> float:
    """Seconds of the processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_bare(
    predictor: Predictor, files: list[bytes], seconds: float, calls: int = WORKERS
) -> float:
    start = time.perf_counter()
    done = 0
    in_time = itertools.takewhile(
        lambda _: time.perf_counter() - start < seconds, itertools.cycle(files)
    )
    for _ in map_ordered(predictor.predict, in_time, workers=calls):
        done += 1
    return done / (time.perf_counter() - start)


def time_encoding(predictor: Predictor, files: list[bytes]) -> float:
    results = [predictor.predict(data) for data in files[:16]]
    start = time.perf_counter()
    for result in results:
        encode_labels(result.labels, result.palette)
    return (time.perf_counter() - start) / len(results) * 1e3


class ClientStats:
    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.refused = 0
        self.took = 0.0
        self.work = np.zeros(2)


async def run_clients(
    port: int,
    count: int,
    files: list[bytes],
    *,
    seconds: float = 1e9,
    requests: int = 10**9,
    warm: float = 0,
    pid: int = 0,
) -> ClientStats:
    """What clients see from `warm` seconds on until `seconds`, and the work of the server `pid` and
    their own then.
    """
    stats = ClientStats()
    turn = itertools.count()
    start = time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() - start < seconds and (number := next(turn)) < requests:
            began = time.perf_counter()
            status, later = await send_image(reader, writer, files[number % len(files)])
            while status == 503 and time.perf_counter() - start < seconds:
                stats.refused += 1
                writer.close()  # the server would close it meanwhile
                left = seconds - (time.perf_counter() - start)
                await asyncio.sleep(min(later * random.uniform(1, 1.5), max(0, left)))
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                status, later = await send_image(reader, writer, files[number % len(files)])
            if status == 200 and warm <= time.perf_counter() - start <= seconds:
                stats.seconds.append(time.perf_counter() - began)
            elif status not in (200, 503):
                raise SystemExit(f"status {status}")
        writer.close()

    async def observer() -> None:
        await asyncio.sleep(warm)
        before = np.array([cpu_seconds(pid), cpu_seconds(os.getpid())])
        await asyncio.sleep(seconds - warm)
        stats.work = np.array([cpu_seconds(pid), cpu_seconds(os.getpid())]) - before

    observers = [observer()] if pid else []
    await asyncio.gather(*observers, *[client() for _ in range(count)])
    stats.took = min(seconds, time.perf_counter() - start) - warm
    return stats


async def send_image(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> tuple[int, int]:
    """The status, and the seconds of Retry-After."""
    body = (
        b'--e\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        + data
        + b"\r\n--e--\r\n"
    )
    head = (
        "POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
        "boundary=e\r\n"
    )
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", answer)
    await reader.readexactly(int(length[1]) if length else 0)
    later = re.search(rb"retry-after: (\d+)", answer)
    return int(answer.split()[1]), int(later[1]) if later else 0


def measure_batches(args: argparse.Namespace, files: list[bytes]) -> list[str]:
    """Images a second through the runner in stacks of several, as many calls at once as tiles are
    in work.
    """
    rows = ["| runner | one by one | stacks of 2 | of 4 | of 8 |", "|---|---|---|---|---|"]
    for runtime, precision in (
        ("openvino", "bfloat16"),
        ("torch", "bfloat16"),
        ("torch", "float32"),
    ):
        predictor = load(args.run, runtime=runtime, precision=precision)
        rates = []
        for size in (1, 2, 4, 8):
            stack = np.random.default_rng(0).integers(0, 256, (size, 3, 360, 480), dtype=np.uint8)
            best = 0.0
            for _ in range(3):
                start = time.perf_counter()
                list(map_ordered(predictor.runner, [stack] * (16 // size)))
                best = max(best, 16 / (time.perf_counter() - start))
            rates.append(f"{best:.1f}")
        rows.append(f"| {runtime} {precision} | {' | '.join(rates)} |")
    return ["Images/s of the network alone, 360 x 480, the best of three:\n", *rows, ""]


def measure_memory(args: argparse.Namespace, files: list[bytes], port: int, pid: int) -> list[str]:
    """Resident MiB: at the start, over many small requests, and in and after bursts of many
    sizes.
    """
    rng = np.random.default_rng(0)
    whole = [Image.open(io.BytesIO(data)).convert("RGB") for data in files]
    small = [encode_image(np.asarray(picture.resize((160, 120))), "JPEG") for picture in whole]
    sizes = rng.integers(200, 1200, (32, 2)).tolist()
    pictures = [
        encode_image(np.asarray(whole[i % len(whole)].resize(size)), "JPEG")
        for i, size in enumerate(sizes)
    ]
    rows = [
        "| when | MiB while it is fresh | MiB after 15 s of rest | most MiB so far |",
        "|---|---|---|---|",
    ]

    def note(when: str) -> None:
        fresh = read_status(pid, "VmRSS")
        time.sleep(15)
        rows.append(
            f"| {when} | {fresh:.0f} | {read_status(pid, 'VmRSS'):.0f} | {read_status(pid, 'VmHWM'):.0f} |"
        )
        print(rows[-1], file=sys.stderr)  # a long run that is stopped has told this much

    note("started")
    asyncio.run(run_clients(port, 8, small, requests=200))
    note("200 requests, 120 x 160 pixels")
    for part in range(1, 5):
        asyncio.run(run_clients(port, 8, small, requests=args.requests // 4))
        note(f"{args.requests // 4 * part} more")
    for burst in range(1, 4):
        asyncio.run(run_clients(port, 32, pictures, requests=len(pictures)))
        note(f"burst {burst}: 32 pictures of as many sizes, to 1200 a side, 32 clients")
    asyncio.run(run_clients(port, 8, small, requests=200))
    note("200 requests, 120 x 160 pixels")
    return [f"Memory of the server, {args.runtime} {args.precision}:\n", *rows, ""]


def read_status(pid: int, name: str) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024


if __name__ == "__main__":
    os.environ.setdefault("XDG_CACHE_HOME", tempfile.gettempdir())
    main()
