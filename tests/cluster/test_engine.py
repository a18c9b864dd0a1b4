import platform
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from pixelwise.cli.main import with_address
from pixelwise.cluster import engine as module
from pixelwise.cluster.engine import (
    Cluster,
    await_nodes,
    check_address,
    check_nodes,
    connect,
    versions,
    wants_gpu,
)
from pixelwise.errors import ConfigError, first_line
from pixelwise.optional import require_package
from pixelwise.progress import Progress


@pytest.fixture
def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def unconnected(address: str) -> Iterator[None]:
    """`connected`, or its first question alone where another test's cluster is connected in this
    process.
    """
    if require_package("ray").is_initialized():
        check_address(address)
    else:
        with connect(Cluster(address), Progress()):
            yield


def test_an_address_where_nothing_answers_is_refused_within_seconds(free_port: int) -> None:
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    began = time.monotonic()
    with (
        pytest.raises(
            ConfigError, match=f"no cluster at 127.0.0.1:{free_port} .*start one with `ray start"
        ),
        unconnected(f"127.0.0.1:{free_port}"),
    ):
        pass
    assert time.monotonic() - began < 20, "the import of Ray included"


def test_a_server_that_is_no_cluster_is_refused_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ray.init itself waits for minutes there."""
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    monkeypatch.setattr("pixelwise.cluster.engine.ANSWER_S", 0.5)
    with (
        HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        threading.Thread(target=web.serve_forever, daemon=True).start()
        for port, said in (
            (web.server_port, "is no Ray cluster"),
            (mute.getsockname()[1], "no cluster at .*timed out"),
        ):
            with pytest.raises(ConfigError, match=said), unconnected(f"127.0.0.1:{port}"):
                pass
        web.shutdown()


def test_the_head_node_of_a_cluster_is_known_by_its_greeting(ray: Any) -> None:
    check_address(ray.test_cluster.address)


@pytest.mark.parametrize("address", ["somewhere", "ray://10.0.0.1:10001", ":6379"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="give HOST:PORT of the head node"):
        check_address(address)


def test_a_gpu_that_no_node_has_is_refused_and_not_waited_for() -> None:
    none: Any = SimpleNamespace(cluster_resources=lambda: {"CPU": 4.0})
    two: Any = SimpleNamespace(cluster_resources=lambda: {"CPU": 4.0, "GPU": 2.0})
    assert [wants_gpu(two, device) for device in ("cpu", "auto", "cuda")] == [False, True, True]
    assert [wants_gpu(none, device) for device in ("cpu", "auto")] == [False, False]
    with pytest.raises(ConfigError, match="no node of the cluster has a GPU; choose cpu or auto"):
        wants_gpu(none, "cuda")


def test_of_a_worker_that_died_in_the_making_its_own_error_is_told() -> None:
    exceptions = pytest.importorskip("ray.exceptions", reason="the extra cluster is not installed")
    try:
        raise ConfigError("openvino is not installed")
    except ConfigError as error:
        made = exceptions.RayTaskError("__init__", traceback.format_exc(), error)
    assert (
        first_line(exceptions.ActorDiedError(made))
        == "pixelwise.errors.ConfigError: openvino is not installed"
    )
    assert first_line(exceptions.ActorDiedError()) == exceptions.ActorDiedError.BASE_ERROR_MSG


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ConfigError, match=r"pip install 'pixelwise\[cluster\]'"),
        connect(Cluster(), Progress()),
    ):
        pass


def test_the_option_may_stand_without_an_address_wherever_it_stands() -> None:
    for words, after in (
        ("predict m a.jpg --cluster", "--cluster=auto"),
        ("predict m --cluster a.jpg", "--cluster=auto a.jpg"),
        ("predict m --cluster head:6379 a.jpg", "--cluster head:6379 a.jpg"),
        ("predict m --cluster local a.jpg", "--cluster local a.jpg"),
        ("predict m --cluster=head:6379 s3://b/a.jpg", "--cluster=head:6379 s3://b/a.jpg"),
        ("predict m --cluster s3://b/a.jpg", "--cluster=auto s3://b/a.jpg"),
    ):
        assert " ".join(with_address(words.split())).endswith(after)


def test_asking_for_help_imports_neither_ray_nor_torch() -> None:
    code = (
        "import sys; from pixelwise.cli.main import main; sys.argv = ['pixelwise', 'predict', "
        "'--help']\n"
        "try: main()\n"
        "finally: assert not {'ray', 'torch', 'fsspec'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "--cluster" in done.stdout


def fake(**given: Any) -> Any:
    """In place of Ray: a head node at 10.0.0.5, or whatever a test gives it."""
    found = SimpleNamespace(dashboard_url="", address_info={"gcs_address": "10.0.0.5:6379"})
    usual = {
        "is_initialized": lambda: False,
        "init": lambda *words, **options: found,
        "shutdown": lambda: None,
        "cluster_resources": lambda: {"CPU": 4.0},
        "nodes": lambda: [{"Alive": True}, {"Alive": False}],
    }
    return SimpleNamespace(**{**usual, **given})


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def put(ray: Any) -> None:
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        monkeypatch.setattr(module, "require_package", lambda name: ray)
        monkeypatch.setattr(module, "_silence_ray_data", lambda: None)

    return put


def test_another_ray_or_python_on_the_cluster_is_named_and_refused(
    in_place: Callable[[Any], None],
) -> None:
    check = pytest.importorskip(
        "ray._private.utils", reason="the extra cluster is not installed"
    ).check_version_info
    for theirs in ({"ray_version": "2.58.0"}, {"python_version": "3.9.1"}):
        mine = {
            "ray_version": require_package("ray").__version__,
            "python_version": platform.python_version(),
        }

        def init(*words: Any, there: Any = {**mine, **theirs}, **options: Any) -> None:  # noqa: B006
            check(there, "10.0.0.6")

        in_place(fake(init=init))
        with pytest.raises(ConfigError) as told, connect(Cluster(), Progress()):
            pass
        said = str(told.value)
        assert said.startswith("cluster auto: Version mismatch")
        assert all(
            part in said for part in (*theirs.values(), *mine.values(), "Install the same versions")
        )
        assert "\n" not in said


@pytest.mark.parametrize("address", ["", "127.0.0.1:8265"])
def test_the_dashboard_is_linked_where_there_is_one(
    address: str, in_place: Callable[[Any], None]
) -> None:
    lines = list[str]()
    progress: Any = SimpleNamespace(log=lines.append)
    found = SimpleNamespace(dashboard_url=address, address_info={"gcs_address": "10.0.0.5:6379"})
    in_place(fake(init=lambda *words, **options: found))
    with connect(Cluster(), progress):
        pass
    link = f"; dashboard http://{address}" if address else ""
    assert lines == [f"Ray at 10.0.0.5:6379: 1 nodes, 4 cores, 0 GPUs{link}"]


def test_nodes_are_waited_for_and_not_for_ever(
    in_place: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = iter([1, 1, 2])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    in_place(fake(nodes=lambda: [{"Alive": True}] * next(seen)))
    await_nodes("auto", 2)
    assert not list(seen)
    in_place(fake())
    with pytest.raises(ConfigError, match=r"1 of 2 nodes have joined after 0 s; look at"):
        await_nodes("auto", 2, seconds=0)


def test_every_node_is_asked_also_where_two_have_one_address(
    in_place: Callable[[Any], None],
) -> None:
    asked = list[str]()
    resources = {"CPU": 1.0, "memory": 1e9}
    nodes = [
        {"Alive": True, "NodeID": f"{n}", "NodeManagerAddress": "h", "Resources": resources}
        for n in range(2)
    ]

    def remote(**needs: Any) -> Any:
        return lambda work: SimpleNamespace(
            options=lambda scheduling_strategy: SimpleNamespace(remote=answer)
        )

    def answer(paths: Any) -> tuple[dict[str, str], list[str]]:
        asked.append("")
        return ({**versions(), "numpy": "1.0"} if len(asked) == 1 else versions()), []

    ray = fake(remote=remote, nodes=lambda: nodes, get=lambda given, timeout: given)
    ray.NodeAffinitySchedulingStrategy = lambda node, soft: None
    in_place(ray)
    with pytest.raises(ConfigError, match=r"node h has other versions: numpy 1\.0 there"):
        check_nodes(ray, [], memory=1)
    assert len(asked) == 2
