"""`label`: a project, its live model and its page, until the user stops it."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pixelwise.classes import Classes
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.labelling.options import LabelOptions
from pixelwise.malloc import single_arena
from pixelwise.notebook_progress import default_progress
from pixelwise.optional import require_package
from pixelwise.progress import Progress
from pixelwise.serving.server import check_host, listen, prepare_process
from pixelwise.serving.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pixelwise.labelling.session import Session

GIB = 2**30


def label(
    photos: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    options: LabelOptions | None = None,
    progress: Progress | None = None,
) -> None:
    """Serve the labelling page of `photos` until SIGTERM or SIGINT; port 0 takes a free one.

    photos: files, folders, a data set to correct, or the folder of a project. out: where the data
    set goes, by default beside the photos. Raises ConfigError and DataError for what cannot be,
    OutputError where the folder is another process's or cannot be written.
    """
    options = options or LabelOptions()
    settings = Settings(token=options.token)
    check_host(host, settings)
    for package in ("fastapi", "python_multipart", "prometheus_client"):
        require_package(package)
    require_package("uvicorn")
    from pixelwise.labelling.project_folder import open_project

    progress = progress or default_progress()
    single_arena()
    predictor = load(options.model, progress=progress) if options.model else None
    with (
        listen(host, port) as listener,
        open_project(
            [Path(path) for path in photos],
            classes=options.classes,
            model_classes=_classes(predictor),
            out=Path(out) if out is not None else None,
            copy=options.copy,
            progress=progress,
        ) as session,
    ):
        app = make_app(session, options, predictor, settings)
        # the terminal is a person's, who needs no line for each request
        prepare_process(logging.Formatter("%(levelname)s: %(message)s"), logging.WARNING)
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{listener.getsockname()[1]}/"
        count = len(session.photos.names)
        progress.log(
            f"{count} photo{'s' * (count != 1)}; the data set grows in {session.folder}\n"
            f"labelling on {url}; stop with Ctrl-C"
        )
        import uvicorn

        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=math.ceil(settings.deadline),
        )
        uvicorn.Server(config).run(sockets=[listener])


def make_app(
    session: "Session",
    options: LabelOptions,
    predictor: Predictor | None = None,
    settings: Settings | None = None,
) -> "FastAPI":
    """The page of an open project as an ASGI application; its end closes the project."""
    from pixelwise.labelling.app import create_label_app
    from pixelwise.labelling.desk import Desk
    from pixelwise.labelling.feature_cache import FeatureCache
    from pixelwise.labelling.features import FeatureExtractor
    from pixelwise.labelling.live import LiveModel
    from pixelwise.labelling.photo_features import FeatureStore
    from pixelwise.labelling.project_folder import read_queue
    from pixelwise.labelling.suggestions import Suggestions
    from pixelwise.labelling.takeover import Takeover

    names = session.photos.names
    queue = read_queue(options.queue, names) if options.queue is not None else []
    cache = FeatureCache(int(options.cache * GIB))
    live = LiveModel(session, FeatureStore(FeatureExtractor().extract, cache))
    suggestions = Suggestions(live, queue)
    takeover = Takeover(live, predictor, minutes=options.minutes)
    return create_label_app(Desk(session, live, suggestions, takeover), settings)


def _classes(predictor: Predictor | None) -> Classes | None:
    return None if predictor is None else predictor.classes
