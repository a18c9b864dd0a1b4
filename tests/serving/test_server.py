"""The command: what it refuses, and a process that is stopped in the midst of work."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pixelwise.cli.main import main
from pixelwise.errors import ConfigError
from pixelwise.serving import Settings
from pixelwise.serving.client import Client, ServerError
from pixelwise.serving.server import check_host, listen, load_models, serve

from .conftest import by_brightness, pixels, predictor_of

SLOW = """
import sys
from pixelwise.serving import Settings
from pixelwise.serving.server import serve
sys.path.insert(0, sys.argv[1])
from conftest import by_brightness, predictor_of

def slow(rgb):
    if rgb.shape[2:] != (480, 640):  # the first one, drawn by the server itself
        sys.stdin.readline()
    return by_brightness(rgb)

serve({"a": predictor_of(slow)}, Settings(), host="127.0.0.1", port=0, log=lambda text: print(text, flush=True))
print("ended well", flush=True)
"""


def reached(url: str) -> bool:
    try:
        Client(url).models()
    except ServerError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM to send")
def test_a_stopped_server_finishes_what_it_holds(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW, str(Path(__file__).parent)]
    log = (tmp_path / "log").open("w")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with log, subprocess.Popen(command, **pipes, stderr=log, text=True) as process:
        try:
            line = process.stdout.readline()
            url = line.split(" on ")[1].split(";")[0]
            masks = []
            request = threading.Thread(target=lambda: masks.append(Client(url).labels(pixels())))
            request.start()
            client = Client(url)
            while b'pixelwise_held{model="a"} 1.0' not in client._request("/metrics"):
                pass
            process.send_signal(signal.SIGTERM)
            while reached(url):
                pass
            process.stdin.write("\n")
            process.stdin.flush()
            request.join()
            assert (masks[0] == predictor_of().predict(pixels()).labels).all()
            assert process.stdout.read() == "ended well\n"
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_an_address_that_others_reach_demands_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="give a --token"):
        check_host(host, Settings())
    check_host(host, Settings(token="long-enough-a-token"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_the_own_machine_needs_none(host: str) -> None:
    check_host(host, Settings())


def test_answers_do_not_wait_for_an_acknowledgement() -> None:
    """Without TCP_NODELAY each answer of two writes takes 40 ms on an idle connection."""
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_said() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match="choose another --port"),
    ):
        serve(
            {"a": predictor_of()},
            Settings(),
            host="127.0.0.1",
            port=taken.getsockname()[1],
            log=print,
        )


def test_the_models_have_worked_before_the_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def runner(rgb: np.ndarray) -> np.ndarray:
        seen.append(rgb.shape)
        return by_brightness(rgb)

    def stop(text: str) -> None:
        assert seen == [(1, 3, 480, 640)] * 2  # alone, and as one of several
        raise KeyboardInterrupt

    for name in (
        "signal.signal",
        "gc.freeze",
        "gc.set_threshold",
        "pixelwise.serving.server._log_to_stderr",
    ):
        monkeypatch.setattr(name, lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        serve({"a": predictor_of(runner)}, Settings(), host="127.0.0.1", port=0, log=stop)


def test_models_are_called_as_their_files_or_as_told(tmp_path: Path) -> None:
    (tmp_path / "run.v2").mkdir()
    models = [
        str(tmp_path / "run.v2"),
        "runs/small.onnx",
        "best=runs/a=b/model.safetensors",
        "portraits",
    ]
    loaded: list[str] = []
    predictors = load_models(
        models[:2] + models[3:], lambda model: loaded.append(model) or predictor_of()
    )
    assert list(predictors) == ["run.v2", "small", "portraits"]
    assert loaded == models[:2] + models[3:]
    joined = load_models(
        ["both=a+b", "a.onnx+b", str(tmp_path / "run.v2")], lambda _: predictor_of()
    )
    assert list(joined) == ["both", "a+b", "run.v2"]
    members: list[object] = []
    load_models(["both=a+b"], lambda names: members.append(names) or predictor_of())
    assert members == [["a", "b"]]
    with pytest.raises(ConfigError, match="two models are called 'small'"):
        load_models(["small.onnx", "other/small.xml"], lambda _: predictor_of())


def test_the_command_refuses_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "PIXELWISE_HOST", "0.0.0.0")
    monkeypatch.setattr(sys, "argv", ["pixelwise", "serve", "nowhere"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "arguments", "message"),
    [
        ({}, ["--format", "PNG", "--format", "GIFF"], "did you mean 'GIF'"),
        ({"PIXELWISE_MAX_SIDE": "-1"}, [], "max_side is -1: allowed is a number above 0"),
        ({"PIXELWISE_ALLOW_ORIGIN": "https://a.org/x"}, [], "give scheme and host"),
    ],
)
def test_options_and_variables_of_the_command_reach_the_settings(
    variables: dict[str, str],
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["pixelwise", "serve", "animals", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert message in capsys.readouterr().err
