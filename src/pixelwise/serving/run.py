"""A server process: refused where it would be open to others without a token, stopped without
losing what it holds.
"""

import gc
import logging
import math
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pixelwise.datasets.synthetic import draw_scene
from pixelwise.errors import ConfigError
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.malloc import single_arena
from pixelwise.optional import require_package
from pixelwise.serving.settings import Settings, is_own


def load_all(
    models: Sequence[str], make: Callable[[str], Predictor] = load
) -> dict[str, Predictor]:
    """Predictors by name: `NAME=MODEL`, or as the folder or file is called. Raises ConfigError for
    two of one name.
    """
    single_arena()
    predictors = dict[str, Predictor]()
    for given in models:
        name, _, model = given.rpartition("=")
        name = name or _name(Path(model))
        if name in predictors:
            raise ConfigError(f"two models are called '{name}': name them, as in first={model}")
        predictors[name] = make(model)
    return predictors


def _name(model: Path) -> str:
    return (model if model.is_dir() else model.with_suffix("")).resolve().name


def check_open(host: str, settings: Settings) -> None:
    """Raises ConfigError for an address that others reach, without a token."""
    if settings.token is None and not is_own(host):
        raise ConfigError(
            f"host {host} can be reached by others: give a --token (or PIXELWISE_TOKEN), or "
            "127.0.0.1"
        )


def serve(
    predictors: dict[str, Predictor],
    settings: Settings,
    *,
    host: str,
    port: int,
    said: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is held. `said` is told the address; port 0
    takes a free one.

    Each model labels a drawn picture first. Raises ConfigError for an address that cannot be had
    and for one that others reach, without a token.
    """
    check_open(host, settings)
    for package in ("fastapi", "python_multipart", "prometheus_client"):
        require_package(package)
    uvicorn = require_package("uvicorn")
    from pixelwise.serving.app import create_app
    from pixelwise.serving.middleware import JsonLines

    app = create_app(predictors, settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=math.ceil(settings.deadline) + 1,
    )
    scene, _ = draw_scene(np.random.default_rng(0), (480, 640), 7)
    with _listener(host, port) as listener:
        for predictor in (
            predictors.values()
        ):  # what the first picture would wait for: runtimes compared, memory taken
            predictor.predict(scene)
        _log_to_stderr(JsonLines())
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
        ):  # uvicorn takes them, and raises them again when all is done
            signal.signal(number, signal.SIG_IGN)
        gc.collect()
        # the models' objects live on: garbage is looked for among those of requests alone
        gc.freeze()
        gc.set_threshold(5000)
        name = f"[{host}]" if ":" in host else host
        said(
            f"serving {', '.join(predictors)} on http://{name}:{listener.getsockname()[1]}; "
            "stop with Ctrl-C"
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # else an answer's body waits 40 ms for an ACK
        return listener
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {host} port {port} ({error}); choose another --port or --host"
        ) from error


def _log_to_stderr(form: logging.Formatter) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(form)
    root = logging.getLogger()
    root.handlers = [handler]
    root.level = logging.WARNING
    for name in ("pixelwise", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
