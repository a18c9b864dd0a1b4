"""Ray: reaching a cluster, or starting one on this machine, and whether its nodes can do the
work.
"""

import logging
import os
import platform
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from pixelwise.errors import ConfigError, first_line
from pixelwise.hardware import count_threads
from pixelwise.optional import require_package
from pixelwise.progress import Progress

SECONDS = 5
"""How long an address has to answer."""

NODE_SECONDS = 120
"""How long a node has to start a process there and to tell what it has."""

OBJECT_STORE = 200 * 2**20
"""Bytes of shared memory of a cluster on this machine: only lists of names and one model pass
through it.
"""

_PACKAGES = ("pixelwise", "torch", "numpy", "pillow", "onnxruntime", "openvino", "rasterio")
"""What the masks depend on."""


_SETTINGS = b"\x04"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00" + _SETTINGS + b"\x00" * 5
"""How a client of HTTP/2, as Ray's head node speaks it, begins (RFC 9113, section 3.4), and the
type of the answer.
"""


@dataclass(frozen=True)
class Cluster:
    """Which cluster, and how much of it.

    address: HOST:PORT of its head node; `local` starts one on this machine for the job alone;
    `auto` is that of $RAY_ADDRESS or one that runs on this machine, else `local`. workers: how many
    at most, one for each core (or GPU) of today's nodes if None. threads: cores of each.
    """

    address: str = "auto"
    workers: int | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError(
                f"workers {self.workers}: give at least 1, or leave it out for one a core"
            )


@contextmanager
def connect(cluster: Cluster, progress: Progress) -> Iterator[ModuleType]:
    """Ray, connected for the block; where somebody has connected before, theirs is taken and stays.

    Raises ConfigError where Ray is not installed, no cluster answers at the address, or it runs
    other versions.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault(
        "RAY_BACKEND_LOG_LEVEL", "fatal"
    )  # it warns of Ray Data's own ways on standard error
    ray = require_package("ray")
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if ray.is_initialized():
        _quieten()
        yield ray
        return
    try:
        with _silent_errors():
            found = _reached(ray, cluster, quiet)
            if found is None:
                own = {
                    "num_cpus": count_threads(),
                    "object_store_memory": OBJECT_STORE,
                    "dashboard_host": "127.0.0.1",
                }
                found = _started(ray, {**own, **quiet})
        _quieten()
        resources = ray.cluster_resources()
        board = f"; dashboard http://{found.dashboard_url}" if found.dashboard_url else ""
        progress.log(
            f"Ray at {found.address_info['gcs_address']}: {len(_alive(ray))} nodes, "
            f"{resources.get('CPU', 0):.0f} cores, {resources.get('GPU', 0):.0f} GPUs{board}"
        )
        yield ray
    finally:
        ray.shutdown()


def _reached(ray: ModuleType, cluster: Cluster, quiet: dict[str, Any]) -> Any:
    """The context of a running cluster; None where one is to be started."""
    address = (
        os.environ.get("RAY_ADDRESS", "auto") if cluster.address == "auto" else cluster.address
    )
    if address == "local":
        return None
    if address != "auto":
        check_address(address)
    try:
        return _init(ray, address, quiet)
    except RuntimeError as error:
        if "ersion mismatch" not in str(error):
            raise ConfigError(
                f"cluster {address}: {first_line(error)}; is that a Ray cluster's address?"
            ) from error
        told = " ".join(str(error).split())
        raise ConfigError(
            f"cluster {address}: {told} Install the same versions here and there"
        ) from error
    except (ConnectionError, TimeoutError, ValueError) as error:
        if "AuthToken" in str(error.__cause__):
            raise ConfigError(
                f"cluster {address} asks for another token; give this machine the nodes' in "
                "RAY_AUTH_TOKEN or "
                "~/.ray/auth_token, and RAY_AUTH_MODE=token"
            ) from error
        if address == "auto":
            return None
        raise ConfigError(
            f"cluster {address}: {first_line(error)}; is that a Ray cluster's address?"
        ) from error


def _init(ray: ModuleType, address: str, quiet: dict[str, Any]) -> Any:
    """ray.init, which looks for no token where an address is given; nodes started where one lies
    ask for it.
    """
    try:
        return ray.init(address, **quiet)
    except ConnectionError as error:
        setup = require_package("ray._private.authentication.authentication_token_setup")
        if (
            "AuthToken" not in str(error.__cause__)
            or not setup.maybe_enable_token_auth_if_token_available()
        ):
            raise
        return ray.init(address, **quiet)


def _started(ray: ModuleType, options: dict[str, Any]) -> Any:
    try:
        return ray.init("local", **options)
    except Exception as error:  # Ray raises no more than an Exception where its processes are slow
        raise ConfigError(
            f"Ray does not start here ({first_line(error)}); a machine that is busy may need "
            "another try"
        ) from error


def check_address(address: str) -> None:
    """Raises ConfigError, within SECONDS, where nothing answers at the address."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise ConfigError(
            f"cluster {address!r}: give HOST:PORT of the head node, as in 10.0.0.5:6379, from "
            "a machine that is part "
            "of the cluster; or `local`, or `auto`"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS) as found:
            found.sendall(_GREETING)
            answer = found.recv(9)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"no cluster at {address} ({error}); start one with `ray start --head --port "
            f"{port}`, give the address "
            "that it prints, or `--cluster local`"
        ) from error
    if answer[3:4] != _SETTINGS:
        raise ConfigError(
            f"what answers at {address} is no Ray cluster; give HOST:PORT that `ray start "
            "--head` prints, 6379 if not "
            "chosen otherwise"
        )


def await_nodes(address: str, number: int, *, seconds: float = 300) -> None:
    """Returns when so many nodes are in the cluster. Raises ConfigError where they are not after so
    long.
    """
    limit = time.monotonic() + seconds
    with connect(Cluster(address), Progress()) as ray:
        while (there := len(_alive(ray))) < number:
            if time.monotonic() > limit:
                raise ConfigError(
                    f"cluster {address}: {there} of {number} nodes have joined after "
                    f"{seconds:.0f} s; look at what "
                    "`ray start` says on the others, or ask for fewer"
                )
            time.sleep(1)


def wants_gpu(ray: ModuleType, device: str) -> bool:
    """Whether a worker is to have a GPU: as asked, else where the cluster has some. Raises
    ConfigError for one that is asked for and not there: Ray would wait for ever.
    """
    there = ray.cluster_resources().get("GPU", 0) >= 1
    if device == "cuda" and not there:
        raise ConfigError(
            "device is 'cuda', but no node of the cluster has a GPU; choose cpu or auto, or "
            "start a node with one first"
        )
    return there and device != "cpu"


def start_on_driver_node(ray: ModuleType, kind: type) -> Any:
    """The handle of an actor on this node, which lives as long as the job."""
    here = ray.get_runtime_context().get_node_id()
    at = require_package("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy(
        here, soft=False
    )
    return ray.remote(num_cpus=0)(kind).options(scheduling_strategy=at).remote()


def worker_count(ray: ModuleType, cluster: Cluster, *, gpu: bool) -> int:
    """How many workers: as asked, else one for each of the GPUs, or for so many cores as one has
    threads.
    """
    resources = ray.cluster_resources()
    room = resources.get("GPU", 0) if gpu else resources.get("CPU", 0) // cluster.threads
    return cluster.workers or max(1, int(room))


def check_nodes(ray: ModuleType, paths: Sequence[Path], *, memory: int) -> None:
    """Raises ConfigError where a node lacks one of `paths` or runs other versions, and where none
    has the `memory`.
    """
    nodes = [node for node in _alive(ray) if node["Resources"].get("CPU")]
    largest = max((node["Resources"].get("memory", 0) for node in nodes), default=0)
    if nodes and largest < memory:
        raise ConfigError(
            f"a worker with this model needs about {memory / 2**30:.1f} GiB, but no node has "
            "more than "
            f"{largest / 2**30:.1f} GiB; use larger nodes, a smaller model or --tile"
        )
    strategy = require_package("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    asked = [
        (
            node["NodeManagerAddress"],  # two nodes may have one
            ray.remote(num_cpus=0, max_retries=0)(read_node_facts)
            .options(scheduling_strategy=strategy(node["NodeID"], soft=False))
            .remote([str(path) for path in paths]),
        )
        for node in nodes
    ]
    mine = versions()
    for name, answer in asked:
        try:
            theirs, missing = ray.get(answer, timeout=NODE_SECONDS)
        except Exception as error:
            raise ConfigError(
                f"node {name} cannot work ({first_line(error)}); install the same "
                "pixelwise[cluster] on every node"
            ) from error
        other = [
            f"{part} {theirs.get(part)} there, {mine[part]} here"
            for part in mine
            if theirs.get(part) != mine[part]
        ]
        if other:
            raise ConfigError(
                f"node {name} has other versions: {'; '.join(other)}; install the same on "
                "every node"
            )
        if missing:
            raise ConfigError(
                f"node {name} does not see {missing[0]}; give folders that all nodes share, "
                "or a store such as s3://"
            )


def read_node_facts(paths: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What a node has: its versions, and those of `paths` that are not there."""
    return versions(), [path for path in paths if not Path(path).exists()]


def versions() -> dict[str, str]:
    """Of Python and of the packages that masks depend on, as they are here."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


@contextmanager
def _silent_errors() -> Iterator[None]:
    """Nothing reaches standard error: Ray's C++ part writes notes there that no setting turns
    off.
    """
    kept = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def _alive(ray: ModuleType) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _quieten() -> None:
    """What Ray Data says of itself goes to its own log; the job speaks for it."""
    context = require_package("ray.data").DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)


def worker_death_errors(ray: ModuleType) -> tuple[type[Exception], ...]:
    """What Ray raises where a worker dies."""
    return ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError
