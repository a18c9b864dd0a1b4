"""Mutated images and requests against a running server: no 500, no hang, alive afterwards, memory
as before.

python benchmarks/serve_fuzz.py --count 10000 --out benchmarks/results/serve_fuzz.md

The server is a process of its own with a model that costs nothing (labels by brightness), so that
all time goes into reading. Half of the requests carry images with bytes changed, cut, doubled or
swapped; the others have forms, parameters, headers and raw bytes of HTTP mutated. Each has three
seconds; the seed makes them the same again.
"""

import argparse
import collections
import io
import random
import re
import shlex
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from machine import provenance
from PIL import Image

SERVER = """
import numpy as np
from pixelwise.inference.predictor import Predictor
from pixelwise.serving import Settings
from pixelwise.serving.server import serve
from pixelwise.classes import Classes

def by_brightness(rgb):
    return np.concatenate([rgb[:, :1], 255 - rgb[:, :1]], axis=1).astype(np.float32)

predictor = Predictor(by_brightness, Classes.named(("dark", "light")))
formats = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
limits = Settings(max_bytes=200_000, max_pixels=4_000_000, formats=formats, deadline=2)
serve({"a": predictor}, limits, host="127.0.0.1", port=0, log=lambda text: print(text, flush=True))
"""
TIMEOUT_S = 3.0
THREADS = 16
TYPES = ["multipart/form-data", "multipart/form-data", "MULTIPART/form-data ", "text/plain"]
CHARACTERS = [
    "\0",
    "%00",
    "é",
    "'",
    '"',
    "\\",
    "../",
    "%ff",
    "&",
    "=",
    ";",
    ":",
    "1e999",
    "-1",
    "nan",
    "[]",
    "{}",
    " ",
    "ÿ" * 50,
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    log = Path("/dev/null").open("w")  # noqa: SIM115
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVER],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        port = int(re.search(r":(\d+);", server.stdout.readline())[1])
        text = attack(args, server, port)
    finally:
        server.terminate()
        server.wait(30)
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def attack(args: argparse.Namespace, server: subprocess.Popen, port: int) -> str:
    rng = random.Random(args.seed)
    images = encode_samples()
    for data in images:
        if request_status(port, encode_request(data)) != "200":
            raise SystemExit("the server does not take the images as they are")
    counts = {kind: collections.Counter() for kind in ("image", "request")}
    slowest = 0.0
    memory = [read_resident_mib(server.pid)]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(4):
            cases = []
            for number in range(args.count // 4):
                kind = ("image", "request")[number % 2]
                data = rng.choice(images)
                cases.append(
                    (
                        kind,
                        encode_request(mutate(rng, data))
                        if kind == "image"
                        else malform_request(rng, data),
                    )
                )
            for (kind, _), (status, seconds) in zip(
                cases, pool.map(partial(time_answer, port), cases), strict=True
            ):
                counts[kind][status] += 1
                slowest = max(slowest, seconds)
            time.sleep(3)
            memory.append(read_resident_mib(server.pid))
    alive = server.poll() is None and all(
        request_status(port, encode_request(data)) == "200" for data in images
    )
    state = "alive, and answers as before" if alive else "DEAD"
    rows = ["| what | status | times |", "|---|---|---|"]
    rows += [
        f"| {kind} | {status} | {times} |"
        for kind, statuses in counts.items()
        for status, times in sorted(statuses.items())
    ]
    bad = sum(statuses[status] for statuses in counts.values() for status in ("500", "hang"))
    command = shlex.join(
        ["python", "benchmarks/serve_fuzz.py", "--count", str(args.count), "--seed", str(args.seed)]
    )
    return "\n".join(
        [
            "# Mutated images and requests\n",
            provenance(command),
            f"{args.count} requests, of which {bad} ended with 500 or not at all. Slowest: "
            f"{slowest:.2f} s. "
            f"The server afterwards: {state}. Resident MiB at the start "
            f"and after each quarter: {', '.join(f'{value:.0f}' for value in memory)}.\n",
            *rows,
            "\n`more`: the request was cut, and the server waited for the rest while the "
            "client stayed.",
            "`closed`: the connection ended without an answer.\n",
        ]
    )


def encode_samples() -> list[bytes]:
    rng = np.random.default_rng(0)
    files = []
    smooth = np.asarray(
        Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((120, 90))
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    for mode in ("RGB", "L", "P", "RGBA", "CMYK", "I;16", "1"):
        picture = Image.fromarray(smooth).convert(mode if mode != "I;16" else "L")
        if mode == "I;16":
            picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 256)
        for kind, options in FORMS:
            file = io.BytesIO()
            if (
                options.get("compression") == "jpeg" and mode != "RGB"
            ):  # libtiff breaks its own memory there
                continue
            try:
                picture.save(file, format=kind, exif=exif, **options)
            except (OSError, ValueError, KeyError):  # not every format has every mode
                continue
            files.append(file.getvalue())
    return files


FORMS = [
    ("PNG", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True, "quality": 30}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "jpeg"}),
    ("TIFF", {"compression": "tiff_deflate"}),
    ("BMP", {}),
    ("GIF", {}),
]


def mutate(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed, most of them near the start, where headers are; or a part cut, doubled
    or moved.
    """
    mutated = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        place = min(int(rng.expovariate(1 / rng.choice([20, 200, 5000]))), max(len(mutated) - 1, 0))
        length = rng.choice([1, 2, 4, 4, 8, 100])
        kind_of_change = rng.randrange(7)
        if kind_of_change == 0:
            mutated[place : place + 1] = bytes([rng.randrange(256)])
        elif kind_of_change == 1:
            mutated[place : place + length] = rng.randbytes(length)
        elif kind_of_change == 2:
            mutated[place : place + length] = bytes([rng.choice([0, 255, 127, 128])]) * length
        elif kind_of_change == 3:
            del mutated[place : place + length]
        elif kind_of_change == 4:
            mutated[place:place] = mutated[place : place + length]
        elif kind_of_change == 5:
            source = rng.randrange(len(mutated) + 1)
            mutated[place : place + length] = mutated[source : source + length]
        else:
            del mutated[max(place, 10) :]
    return bytes(mutated)


def malform_request(rng: random.Random, data: bytes) -> bytes:
    kind_of_change = rng.randrange(5)
    if kind_of_change == 0:  # raw bytes
        return mutate(rng, encode_request(data))
    if kind_of_change == 1:  # the form alone, of the right length
        body = mutate(rng, encode_body(data))
        return encode_head(rng, len(body)) + body
    if kind_of_change == 2:
        return encode_request(data, f"/v1/segment?{make_query(rng)}")
    if kind_of_change == 3:
        path = rng.choice(
            ["/v1/models", "/metrics", "/healthz", "/readyz", "/openapi.json", "/", "/v1/segment"]
        )
        path += rng.choice(["", "/", "//", "/..", "%2e%2e", "?" + make_query(rng)])
        method = rng.choice(
            ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "X"]
        )
        return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    length = rng.choice([-1, 0, 5, len(encode_body(data)) + 9, 10**30])
    return encode_head(rng, length) + encode_body(data)


def make_query(rng: random.Random) -> str:
    names = ["format", "model", "threshold", "classes", "opacity", "regions", "x"]
    values = [
        "json",
        "mask",
        "overlay",
        "confidence",
        "polygons",
        "runs",
        "0.5",
        "1",
        "a",
        "dark",
        "",
        *CHARACTERS,
    ]
    pairs = [f"{rng.choice(names)}={rng.choice(values)}" for _ in range(rng.randrange(1, 6))]
    return "".join(
        letter if "!" <= letter <= "~" else f"%{ord(letter) % 256:02x}"
        for letter in "&".join(pairs)
    )


def encode_head(rng: random.Random, length: int) -> bytes:
    kind = rng.choice(
        [
            "boundary=e",
            "boundary=e",
            'boundary="e"',
            "boundary=",
            "",
            "boundary=e; charset=utf-16",
            "boundary=\xff",
            "charset=zz; boundary=e",
        ]
    )
    accept = rng.choice(
        ["*/*", "application/json", "image/png;q=9, text/html", ";;,,q=", "x" * 300]
    )
    lines = [
        "POST /v1/segment HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Content-Type: {rng.choice(TYPES)}; {kind}",
        f"Accept: {accept}",
        f"Content-Length: {length}",
        rng.choice(
            [
                "X: y",
                "Expect: 100-continue",
                "Authorization: Basic x",
                "Upgrade: websocket",
                "Content-Encoding: gzip",
            ]
        ),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def encode_body(data: bytes) -> bytes:
    return (
        b'--e\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        + data
        + b"\r\n--e--\r\n"
    )


def encode_request(data: bytes, path: str = "/v1/segment?format=json") -> bytes:
    body = encode_body(data)
    lines = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    lines += "Content-Type: multipart/form-data; boundary=e\r\n"
    return f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def time_answer(port: int, case: tuple[str, bytes]) -> tuple[str, float]:
    start = time.perf_counter()
    return request_status(port, case[1]), time.perf_counter() - start


def request_status(port: int, raw: bytes) -> str:
    """The status; `more` where a cut request was waited for until this side ended; `closed` where
    the connection ended without an answer; or `hang`.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        received = b""
        waited = False
        while True:
            try:
                if raw:
                    connection.sendall(raw)
                    raw = b""
                chunk = connection.recv(1 << 16)
            except TimeoutError:
                if waited:
                    return "hang"
                waited = True
                connection.shutdown(socket.SHUT_WR)
                continue
            except OSError:
                chunk = b""
            received += chunk
            if not chunk:
                break
    if received.startswith(b"HTTP/1.1 100 Continue"):
        received = received.partition(b"\r\n\r\n")[2]
    return (
        received[9:12].decode()
        if received.startswith(b"HTTP/1.1 ")
        else "more"
        if waited
        else "closed"
    )


def read_resident_mib(pid: int) -> float:
    return (
        int(
            re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))[1]
        )
        / 1024
    )


if __name__ == "__main__":
    main()
