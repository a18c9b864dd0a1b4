"""Two pictures to a third: style transfer, whole or on the regions of some classes."""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from pixelwise.errors import ConfigError, OutputError, unknown_choice_error
from pixelwise.inference.load import load
from pixelwise.interrupt import stop_on_interrupt
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array, open_image, read_rgb, write_image
from pixelwise.malloc import retain_memory
from pixelwise.progress import Progress
from pixelwise.reports.figures import draw_losses
from pixelwise.style_transfer.features import StyleNetwork, load_network
from pixelwise.style_transfer.objective import Objective, Weights
from pixelwise.style_transfer.optimization import (
    Seen,
    Step,
    StyleConfig,
    finished,
    resized,
    transfer,
)

PRECISIONS = ("auto", "float32", "bfloat16")
FEATHER = 0.005
"""Width of a region's soft edge, as a share of the picture's diagonal."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
_DESCRIPTION = 0x010E
"""EXIF's ImageDescription."""

_FILM_SECONDS = 4


@dataclass(frozen=True)
class Setup:
    """What the work is done with.

    size: (height, width) that the result fits into, in the content's shape. network: vgg19, vgg16
    or a timm encoder. weights: of the network, `auto` or a file. precision: auto (measured),
    float32 or bfloat16.
    """

    size: tuple[int, int] = (600, 600)
    network: str = "vgg19"
    weights: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        if min(self.size) < 32:
            raise ConfigError(f"size is {self.size}: allowed is (height, width), each at least 32")
        if self.precision not in PRECISIONS:
            raise unknown_choice_error("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class Region:
    """Where the style goes: on the classes `only`, or everywhere `but` on some, as `model` finds
    them.

    styles: pictures whose style goes on single classes, by name, in place of the common one.
    """

    model: str | Path
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    styles: tuple[tuple[str, Path], ...] = ()

    def __post_init__(self) -> None:
        if (self.only and self.but) or not (self.only or self.but or self.styles):
            raise ConfigError(
                "name the classes with one of --only and --except, or give styles of classes"
            )


@dataclass(frozen=True)
class Way:
    """Pictures of the way: every so many steps, into a folder, with the curves and a film of it."""

    folder: Path
    every: int = 25

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every is {self.every}: allowed is 1 or more")


@dataclass(frozen=True, eq=False)
class Stylized:
    """The picture (H, W, 3) uint8, how the losses of the common style went, and whether somebody
    stopped it.
    """

    rgb: Array
    history: list[Step]
    stopped: bool


@retain_memory()
def stylize(
    content: str | Path,
    styles: str | Path | Sequence[tuple[str | Path, float]],
    out: str | Path | None = None,
    *,
    config: StyleConfig | None = None,
    region: Region | None = None,
    way: Way | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Stylized:
    """The picture `content` in the style of another, or of several with their weights; written to
    `out` if given.

    `options` are fields of Setup and, where no `config` is given, of StyleConfig. The result's ICC
    profile is the content's, and the settings are its EXIF description. Ctrl-C ends the work and
    keeps the picture so far. Raises ImageError for pictures that cannot be read, ConfigError for
    options that cannot be, WeightsError where the network's weights cannot be had, OutputError
    where `out` cannot be written.
    """
    progress = progress or Progress()
    config, setup = _sorted(config, options)
    target = _target(out, content)
    wanted = _pairs(styles)
    picture = _fitted(read_rgb(content), setup.size)
    pictures = [(_tensor(_fitted(read_rgb(path), setup.size)), weight) for path, weight in wanted]
    own = [
        (name, _tensor(_fitted(read_rgb(path), setup.size)))
        for name, path in (region.styles if region else ())
    ]
    masks = _masks(picture, region) if region else {}
    mask = masks.get("")
    net, said = load_network(setup.network, setup.weights)
    progress.log(said)
    config = _with_precision(config, setup.precision, net, (_tensor(picture), pictures), progress)
    film: list[Array] = []

    with stop_on_interrupt() as stop:

        def seen(step: Step, made: Callable[[], Tensor]) -> bool:
            if way and (step.number % way.every == 0 or step.number == 1):
                shown = finished(resized(made(), picture.shape[:2]), _tensor(picture), config)
                film.append(_array(_laid(shown, picture, mask)))
                write_image(way.folder / f"step_{step.number:04d}.jpg", film[-1])
            return bool(stop)

        made = transfer(
            _tensor(picture),
            pictures,
            net,
            config,
            progress=progress,
            seen=_said(seen, "", config, progress),
        )
        rgb = _array(_laid(made.image, picture, mask))
        stopped = made.stopped
        for name, style in [] if stopped else own:
            told = _said(lambda step, picture: bool(stop), f" {name}", config, progress)
            painted = transfer(
                _tensor(picture), [(style, 1.0)], net, config, progress=progress, seen=told
            )
            rgb = _array(_laid(painted.image, rgb, masks[name]))
            stopped = painted.stopped
            if stopped:
                break
    if way:
        _write_way(way, film, rgb, made.history)
    if target:
        names = [str(Path(path).name) for path, _ in wanted]
        by_class = {name: path.name for name, path in region.styles} if region else {}
        settings = {
            "content": Path(content).name,
            "styles": names,
            **by_class,
            **asdict(setup),
            **asdict(config),
        }
        _write(target, rgb, content, settings)
    return Stylized(rgb, made.history, stopped)


def _said(seen: Seen, what: str, config: StyleConfig, progress: Progress) -> Seen:
    """`seen`, with each step counted and its losses said."""
    track = iter(
        progress.track(
            range(config.steps), what=f"stylizing{what}", total=config.steps, unit="steps"
        )
    )

    def told(step: Step, made: Callable[[], Tensor]) -> bool:
        next(track, None)
        losses = step.losses
        progress.set_postfix(
            f"content {losses.content:.3g}, style {losses.style:.3g}, smooth {losses.smooth:.3g}"
        )
        return seen(step, made)

    return told


def _sorted(config: StyleConfig | None, options: dict[str, Any]) -> tuple[StyleConfig, Setup]:
    """Options given by keyword, to the dataclass that has them."""
    style, setup = ({field.name for field in fields(kind)} for kind in (StyleConfig, Setup))
    for name in options:
        if name not in (setup if config else setup | style):
            raise unknown_choice_error("option", name, setup | style)
    config = config or StyleConfig(
        **{name: value for name, value in options.items() if name in style}
    )
    return config, Setup(**{name: value for name, value in options.items() if name in setup})


def _target(out: str | Path | None, content: str | Path) -> Path | None:
    if out is None:
        return None
    path = Path(out)
    if path.resolve() == Path(content).resolve():
        raise ConfigError(f"--out {path} is the content picture itself; choose another name")
    if path.parent.exists() and not os.access(path.parent, os.W_OK):
        raise OutputError(f"cannot write {path}: {path.parent} is read-only; choose another --out")
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(
            f"--out {path}: a picture is written; let the name end in one of {', '.join(_SUFFIXES)}"
        )
    if path.is_dir():
        raise OutputError(f"{path} is a folder; choose another --out")
    return path


def _pairs(
    styles: str | Path | Sequence[tuple[str | Path, float]],
) -> list[tuple[str | Path, float]]:
    return [(styles, 1.0)] if isinstance(styles, str | Path) else list(styles)


def _fitted(rgb: Array, size: tuple[int, int]) -> Array:
    """Made smaller, where needed, to fit into `size`, in its own shape."""
    height, width = rgb.shape[:2]
    factor = min(1.0, size[0] / height, size[1] / width)
    shape = (max(1, round(width * factor)), max(1, round(height * factor)))
    return (
        rgb
        if factor == 1
        else np.asarray(Image.fromarray(rgb).resize(shape, Image.Resampling.LANCZOS))
    )


def _masks(rgb: Array, region: Region) -> dict[str, Array]:
    """How much style a pixel takes (H, W), 0 to 255, with soft edges: a class's own by its name,
    the common by ''.
    """
    predictor = load(region.model)
    names = predictor.classes.names
    for name in (*region.only, *region.but, *(name for name, _ in region.styles)):
        if name not in names:
            raise unknown_choice_error("class", name, names)
    labels = predictor.predict(rgb).labels

    found = {name: _feathered(labels == names.index(name)) for name, _ in region.styles}
    if region.only or region.but:
        chosen = np.isin(labels, [names.index(name) for name in region.only or region.but])
        found[""] = _feathered(chosen if region.only else ~chosen)
    return found


def _feathered(chosen: NDArray[np.bool_]) -> Array:
    radius = FEATHER * (chosen.shape[0] ** 2 + chosen.shape[1] ** 2) ** 0.5
    return np.asarray(
        Image.fromarray((chosen * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    )


def _with_precision(
    config: StyleConfig,
    precision: str,
    network: StyleNetwork,
    pictures: tuple[Tensor, list[tuple[Tensor, float]]],
    progress: Progress,
) -> StyleConfig:
    if precision != "auto":
        return replace(config, bfloat16=precision == "bfloat16")
    content = pictures[0][None, :, :512, :512]
    if min(content.shape[-2:]) < 64:
        return config
    seconds = {}
    for bfloat16 in (False, True):
        target = Objective(network, content, [(content, 1.0)], weights=Weights(), bfloat16=bfloat16)
        leaf = content.clone().requires_grad_()
        target.backward(leaf)
        start = time.perf_counter()
        target.backward(leaf)
        seconds[bfloat16] = time.perf_counter() - start
    gain = seconds[False] / seconds[True]
    chosen = gain > 1.1
    progress.log(
        f"precision {'bfloat16' if chosen else 'float32'}: a step in bfloat16 is {gain:.2f} "
        "times as fast"
    )
    return replace(config, bfloat16=chosen)


def _laid(image: Tensor, under: Array, mask: Array | None) -> Tensor:
    """The styled picture over the content, where the mask says."""
    if mask is None:
        return image
    share = torch.from_numpy(mask.astype(np.float32) / 255)
    return image * share + _tensor(under) * (1 - share)


def _write_way(way: Way, film: list[Array], rgb: Array, history: list[Step]) -> None:
    draw_losses(
        {
            "content": [step.losses.content for step in history],
            "style": [step.losses.style for step in history],
            "total variation": [step.losses.smooth for step in history],
        },
        way.folder / "curves.png",
    )
    shape = (rgb.shape[1], rgb.shape[0])
    frames = [Image.fromarray(frame).resize(shape) for frame in [*film, rgb]]
    pause = _FILM_SECONDS * 1000 // len(frames)
    with atomic(way.folder / "way.webp") as draft:
        frames[0].save(
            draft, save_all=True, append_images=frames[1:], duration=pause, loop=0, quality=85
        )


def _write(path: Path, rgb: Array, content: str | Path, settings: dict[str, object]) -> None:
    source = open_image(content)
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps({"pixelwise stylize": settings})
    profile = source.info.get("icc_profile") if source.mode in ("RGB", "RGBA") else None
    with atomic(path) as draft:
        Image.fromarray(rgb).save(draft, quality=95, exif=exif, icc_profile=profile)


def _tensor(rgb: Array) -> Tensor:
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255


def _array(image: Tensor) -> Array:
    return (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
