"""Ray: reaching a cluster, or starting one on this machine, and whether its nodes can do the
work.
"""

import logging
import os
import platform
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
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

# How long an address has to answer.
ANSWER_S = 5

# How long a node has to start a process and to tell what it has.
NODE_ANSWER_S = 120

# Bytes of shared memory of a cluster on this machine: only lists of names and one model pass
# through it.
OBJECT_STORE_BYTES = 200 * 2**20

# What the masks depend on.
_PACKAGES = ("pixelwise", "torch", "numpy", "pillow", "onnxruntime", "openvino", "rasterio")

# How a client of HTTP/2, as Ray's head node speaks it, begins, and the type of a frame that each
# side sends first (RFC 9113, sections 3.4 and 4.1).
_SETTINGS_TYPE = b"\x04"
_EMPTY_SETTINGS = b"\x00\x00\x00" + _SETTINGS_TYPE + b"\x00" * 5
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _EMPTY_SETTINGS
_FRAME_HEADER_BYTES = 9

# Ray raises plain RuntimeError and ConnectionError: only their text tells these causes.
_OTHER_VERSION = "ersion mismatch"
_OTHER_TOKEN = "AuthToken"


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
    """Ray, connected for the block; an earlier connection of this process is taken and stays.

    Raises ConfigError where Ray is not installed, no cluster answers at the address, or it runs
    other versions.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # it warns of Ray Data's own ways on standard error
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = require_package("ray")
    if ray.is_initialized():
        _silence_ray_data()
        yield ray
        return
    try:
        with _silence_stderr():
            context = _join_cluster(ray, cluster) or _start_cluster(ray)
        _silence_ray_data()
        progress.log(_describe(ray, context))
        yield ray
    finally:
        ray.shutdown()


def _describe(ray: ModuleType, context: Any) -> str:
    resources = ray.cluster_resources()
    url = context.dashboard_url
    dashboard = f"; dashboard http://{url}" if url else ""
    return (
        f"Ray at {context.address_info['gcs_address']}: {len(_live_nodes(ray))} nodes, "
        f"{resources.get('CPU', 0):.0f} cores, {resources.get('GPU', 0):.0f} GPUs{dashboard}"
    )


def _join_cluster(ray: ModuleType, cluster: Cluster) -> Any:
    """The context of a running cluster; None where one is to be started."""
    address = cluster.address
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "auto")
    if address == "local":
        return None
    if address != "auto":
        check_address(address)
    try:
        return _init(ray, address)
    except RuntimeError as error:
        if _OTHER_VERSION in str(error):
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"cluster {address}: {reason} Install the same versions here and there"
            ) from error
        raise _no_cluster(address, error) from error
    except (ConnectionError, TimeoutError, ValueError) as error:
        if _OTHER_TOKEN in str(error.__cause__):
            raise ConfigError(
                f"cluster {address} asks for another token; give this machine the nodes' in "
                "RAY_AUTH_TOKEN or ~/.ray/auth_token, and RAY_AUTH_MODE=token"
            ) from error
        if address == "auto":
            return None
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> ConfigError:
    return ConfigError(f"cluster {address}: {first_line(error)}; is that a Ray cluster's address?")


def _init(ray: ModuleType, address: str, **options: Any) -> Any:
    """ray.init, which looks for no token where an address is given; nodes started where one lies
    ask for it.
    """
    options |= {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        return ray.init(address, **options)
    except ConnectionError as error:
        if _OTHER_TOKEN not in str(error.__cause__):
            raise
        # Ray has no public way to use a token that lies in the user's folder
        setup = require_package("ray._private.authentication.authentication_token_setup")
        if not setup.maybe_enable_token_auth_if_token_available():
            raise
        return ray.init(address, **options)


def _start_cluster(ray: ModuleType) -> Any:
    try:
        return _init(
            ray,
            "local",
            num_cpus=count_threads(),
            object_store_memory=OBJECT_STORE_BYTES,
            dashboard_host="127.0.0.1",
        )
    except Exception as error:  # Ray raises no more than an Exception where its processes are slow
        raise ConfigError(
            f"Ray does not start here ({first_line(error)}); a machine that is busy may need "
            "another try"
        ) from error


def check_address(address: str) -> None:
    """Raises ConfigError, within ANSWER_S, where no head node answers: ray.init would wait for
    minutes.
    """
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise ConfigError(
            f"cluster {address!r}: give HOST:PORT of the head node, as in 10.0.0.5:6379, from a "
            "machine that is part of the cluster; or `local`, or `auto`"
        )
    try:
        speaks_http2 = _speaks_http2(host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"no cluster at {address} ({error}); start one with `ray start --head --port {port}`, "
            "give the address that it prints, or `--cluster local`"
        ) from error
    if not speaks_http2:
        raise ConfigError(
            f"what answers at {address} is no Ray cluster; give HOST:PORT that `ray start --head` "
            "prints, 6379 if not chosen otherwise"
        )


def _speaks_http2(host: str, port: int) -> bool:
    """Whether the first frame that a server sends holds HTTP/2's settings. Raises OSError where
    none comes.
    """
    with socket.create_connection((host, port), timeout=ANSWER_S) as connection:
        connection.sendall(_HTTP2_PREFACE)
        frame_header = connection.recv(_FRAME_HEADER_BYTES)
    return frame_header[3:4] == _SETTINGS_TYPE


def await_nodes(address: str, number: int, *, seconds: float = 300) -> None:
    """Returns when so many nodes are in the cluster. Raises ConfigError where they are not after so
    long.
    """
    deadline = time.monotonic() + seconds
    with connect(Cluster(address), Progress()) as ray:
        while True:
            count = len(_live_nodes(ray))
            if count >= number:
                return
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"cluster {address}: {count} of {number} nodes have joined after "
                    f"{seconds:.0f} s; look at what `ray start` prints on the others, or ask for "
                    "fewer"
                )
            time.sleep(1)


def wants_gpu(ray: ModuleType, device: str) -> bool:
    """Whether a worker is to have a GPU: as asked, else where the cluster has some. Raises
    ConfigError for one that is asked for where there is none: Ray would wait for ever.
    """
    has_gpus = ray.cluster_resources().get("GPU", 0) >= 1
    if device == "cuda" and not has_gpus:
        raise ConfigError(
            "device is 'cuda', but no node of the cluster has a GPU; choose cpu or auto, or start "
            "a node with one first"
        )
    return has_gpus and device != "cpu"


def start_on_driver_node(ray: ModuleType, kind: type) -> Any:
    """The handle of an actor on this node, which lives as long as the job."""
    node_id = ray.get_runtime_context().get_node_id()
    strategy = require_package("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    actor = ray.remote(num_cpus=0)(kind)
    return actor.options(scheduling_strategy=strategy(node_id, soft=False)).remote()


def worker_count(ray: ModuleType, cluster: Cluster, *, gpu: bool) -> int:
    """How many workers: as asked, else one for each of the GPUs, or for so many cores as one has
    threads.
    """
    resources = ray.cluster_resources()
    available = resources.get("GPU", 0) if gpu else resources.get("CPU", 0) // cluster.threads
    return cluster.workers or max(1, int(available))


def check_nodes(ray: ModuleType, paths: Sequence[Path], *, memory: int) -> None:
    """Raises ConfigError where a node lacks one of `paths` or runs other versions, and where none
    has the `memory`.
    """
    nodes = [node for node in _live_nodes(ray) if node["Resources"].get("CPU")]
    largest = max((node["Resources"].get("memory", 0) for node in nodes), default=0)
    if nodes and largest < memory:
        raise ConfigError(
            f"a worker with this model needs about {memory / 2**30:.1f} GiB, but no node has more "
            f"than {largest / 2**30:.1f} GiB; use larger nodes, a smaller model or --tile"
        )
    for name, answer in _ask_nodes(ray, nodes, paths):
        try:
            node_versions, missing = ray.get(answer, timeout=NODE_ANSWER_S)
        except Exception as error:
            raise ConfigError(
                f"node {name} cannot work ({first_line(error)}); install the same "
                "pixelwise[cluster] on every node"
            ) from error
        _check_node(name, node_versions, missing)


def _ask_nodes(
    ray: ModuleType, nodes: Sequence[Mapping[str, Any]], paths: Sequence[Path]
) -> list[tuple[str, Any]]:
    """Address, and Ray's future of `read_node_facts`, of each node: all are asked at once."""
    strategy = require_package("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    ask = ray.remote(num_cpus=0, max_retries=0)(read_node_facts)
    names = [str(path) for path in paths]
    answers = list[tuple[str, Any]]()  # two nodes may have one address
    for node in nodes:
        on_node = ask.options(scheduling_strategy=strategy(node["NodeID"], soft=False))
        answers.append((node["NodeManagerAddress"], on_node.remote(names)))
    return answers


def _check_node(name: str, node_versions: dict[str, str], missing: list[str]) -> None:
    differences = [
        f"{package} {node_versions.get(package)} there, {version} here"
        for package, version in versions().items()
        if node_versions.get(package) != version
    ]
    if differences:
        raise ConfigError(
            f"node {name} has other versions: {'; '.join(differences)}; install the same on every "
            "node"
        )
    if missing:
        raise ConfigError(
            f"node {name} does not see {missing[0]}; give folders that all nodes share, or a store "
            "such as s3://"
        )


def read_node_facts(paths: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What a node has: its versions, and those of `paths` that are not there."""
    return versions(), [path for path in paths if not Path(path).exists()]


def versions() -> dict[str, str]:
    """Of Python and of the packages that masks depend on, as they are here."""
    installed = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            installed[name] = "none"
    return installed


@contextmanager
def _silence_stderr() -> Iterator[None]:
    """Nothing reaches standard error: Ray's C++ part writes notes to file descriptor 2 that no
    setting turns off, and Python's `redirect_stderr` does not reach.
    """
    original = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(sink)


def _live_nodes(ray: ModuleType) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _silence_ray_data() -> None:
    """What Ray Data says of itself goes to its own log; the job speaks for it."""
    context = require_package("ray.data").DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)


def worker_death_errors(ray: ModuleType) -> tuple[type[Exception], ...]:
    """What Ray raises where a worker dies."""
    return ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError
