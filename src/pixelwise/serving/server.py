"""A server process: refused where others could reach it without a token, stopped without losing
the requests that it holds.
"""

import gc
import logging
import math
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from pixelwise.errors import ConfigError
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.malloc import single_arena
from pixelwise.models.checkpoint import model_name
from pixelwise.optional import require_package
from pixelwise.serving.measure import Measurement, begin_at_once, warm_up
from pixelwise.serving.settings import Settings, is_loopback

# Large enough for any burst; the kernel's own limit is net.core.somaxconn.
BACKLOG = 2048
# New objects between two collections of garbage: rarer than by default, as requests leave few.
GC_THRESHOLD = 5000


def load_models(
    models: Sequence[str], load_model: Callable[[str | list[str]], Predictor] = load
) -> dict[str, Predictor]:
    """Predictors by name: `NAME=MODEL`, or as the folder or file is called; `A+B` averages two.
    Raises ConfigError for two of one name.
    """
    single_arena()
    predictors = dict[str, Predictor]()
    for argument in models:
        name, _, model = argument.rpartition("=")
        members = [model] if Path(model).exists() else model.split("+")
        name = name or "+".join(model_name(Path(member)) for member in members)
        if name in predictors:
            raise ConfigError(f"two models are called '{name}': name them, as in first={model}")
        predictors[name] = load_model(members if len(members) > 1 else model)
    return predictors


def check_host(host: str, settings: Settings) -> None:
    """Raises ConfigError for an address that others reach, without a token."""
    if settings.token is None and not is_loopback(host):
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
    log: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests that are held. `log` receives the
    address; port 0 takes a free one.

    Each model labels a drawn image first; which runtime is fastest is measured afterwards, in a
    process behind. Raises ConfigError for an address that cannot be had and
    for one that others reach, without a token.
    """
    check_host(host, settings)
    for package in ("fastapi", "python_multipart", "prometheus_client"):
        require_package(package)
    uvicorn = require_package("uvicorn")
    from pixelwise.serving.app import create_app
    from pixelwise.serving.middleware import JsonLines

    config = uvicorn.Config(
        create_app(predictors, settings),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=math.ceil(settings.deadline) + 1,
    )
    with listen(host, port) as listener:
        unmeasured = begin_at_once(predictors)
        if unmeasured:
            log(
                f"first start with {', '.join(unmeasured)} on this machine: measures behind the "
                "server once which runtime is fastest; answers may be slower until then"
            )
        for predictor in predictors.values():
            warm_up(predictor)
        prepare_process(JsonLines())
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{listener.getsockname()[1]}"
        log(f"serving {', '.join(predictors)} on {url}; stop with Ctrl-C")
        with Measurement(unmeasured):
            uvicorn.Server(config).run(sockets=[listener])


def prepare_process(formatter: logging.Formatter, level: int = logging.INFO) -> None:
    """Log from `level` on, leave the signals to uvicorn, and keep what is there now for ever."""
    _log_to_stderr(formatter, level)
    # uvicorn handles them, and raises them again when all is done
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    gc.collect()
    # the models' objects live on: garbage is looked for among those of requests alone
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises ConfigError for an address that cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # else an answer's body waits 40 ms for an ACK
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {host} port {port} ({error}); choose another --port or --host"
        ) from error


def _log_to_stderr(formatter: logging.Formatter, level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.level = logging.WARNING
    for name in ("pixelwise", "uvicorn"):
        logging.getLogger(name).setLevel(level)
