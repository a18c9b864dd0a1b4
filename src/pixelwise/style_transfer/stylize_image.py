"""Two images to a third: style transfer, whole or on the regions of some classes."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from pixelwise.config_fields import list_options, option_fields, select_fields
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.hardware import (
    check_precision,
    choose_device,
    cpu_has_bfloat16,
    gpu_has_bfloat16,
    is_out_of_memory,
)
from pixelwise.interrupt import stop_on_interrupt
from pixelwise.io.images import Array
from pixelwise.io.reading_notes import ReadingSummary
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.style_transfer.config import D2L, D2L_NETWORK, Setup, StyleConfig, Weights
from pixelwise.style_transfer.features import StyleNetwork, load_network
from pixelwise.style_transfer.image_files import (
    check_out,
    read_fitted,
    to_rgb,
    to_tensor,
    write_result,
)
from pixelwise.style_transfer.levels import WeightedStyle, resize
from pixelwise.style_transfer.objective import Objective
from pixelwise.style_transfer.optimization import (
    StyleResult,
    blend_with_content,
    transfer_style,
)
from pixelwise.style_transfer.regions import Region, composite, find_masks
from pixelwise.style_transfer.snapshots import Film, Snapshots
from pixelwise.style_transfer.steps import OnStep, Step

Styles = str | Path | Sequence[tuple[str | Path, float]]

# Pixels a side of the corner of the content on which bfloat16 is timed, and the least that is worth
# it.
_TRIAL_SIDE = 256
_MIN_TRIAL_SIDE = 64

# How many times as fast bfloat16 must be to be taken.
_MIN_GAIN = 1.1


@dataclass(frozen=True, eq=False)
class Stylized:
    """The result of `stylize`."""

    rgb: Array
    """(H, W, 3) uint8."""

    history: list[Step]
    """The steps of the common style."""

    stopped: bool
    """Whether the user ended the work early."""


@list_options(StyleConfig, Setup)
def stylize(
    content: str | Path,
    styles: Styles,
    out: str | Path | None = None,
    *,
    config: StyleConfig | None = None,
    region: Region | None = None,
    snapshots: Snapshots | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Stylized:
    """The image `content` in the style of another, or of several with their weights; written to
    `out` if given.

    `options` are fields of Setup and, where no `config` is given, of StyleConfig. The result
    is in sRGB, and the settings are its EXIF description. Ctrl-C ends the work and
    keeps the image so far. Raises ImageError for images that cannot be read, ConfigError for
    options that cannot be, WeightsError where the network's weights cannot be had, OutputError
    where `out` cannot be written.
    """
    progress = progress or default_progress()
    config, setup = _split_options(config, options)
    _check_scale(config, setup.network)
    # before any work, which takes minutes
    out = None if out is None else check_out(out, content)
    styles = [(styles, 1.0)] if isinstance(styles, str | Path) else list(styles)
    reading = ReadingSummary()
    picture = read_fitted(content, setup.size, reading)  # (H, W, 3)
    style_images = []
    for path, share in styles:
        style_images.append((to_tensor(read_fitted(path, setup.size, reading)), share))
    class_styles = []
    for name, class_path in region.styles if region else ():
        class_styles.append((name, to_tensor(read_fitted(class_path, setup.size, reading))))
    if reading.line():
        progress.log(reading.line())
    masks = find_masks(picture, region) if region else {}
    network, source = load_network(setup.network, setup.weights)
    progress.log(source)
    device = choose_device(setup.device)
    check_precision(setup.precision, device)
    network = network.to(device)
    with _enough_memory(device.type, picture):
        config = _choose_precision(config, setup.precision, network, to_tensor(picture), progress)
        painter = _Painter(picture, network, config, progress, snapshots)
        result = painter.paint(style_images, class_styles, masks)
    if out:
        names = _image_names(content, styles, region)
        settings = {**names, **asdict(setup), **asdict(config)}
        write_result(out, result.rgb, settings)
    return result


@contextmanager
def _enough_memory(device: str, picture: Array) -> Iterator[None]:
    """Raises ConfigError where the device has too little memory for the block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        height, width = picture.shape[:2]
        raise ConfigError(
            f"{device} has too little free memory for a picture of {height} x {width} pixels "
            "(height x width): choose a smaller --tile or --size"
            + (", or --device cpu" if device != "cpu" else "")
        ) from error


def _check_scale(config: StyleConfig, network: str) -> None:
    """Raises ConfigError for the book's weights of the losses with another network than the
    book's: what they multiply is of another size there, and the picture would be noise.
    """
    if network != D2L_NETWORK and config.weights == D2L.weights:
        raise ConfigError(
            f"recipe d2l with network {network}: its weights of the losses fit the scale of "
            f"{D2L_NETWORK}'s features, and the picture would be coloured noise; give --network "
            f"{D2L_NETWORK}, or leave out --recipe d2l"
        )


def _image_names(
    content: str | Path,
    styles: Sequence[tuple[str | Path, float]],
    region: Region | None,
) -> dict[str, object]:
    # names alone: a description must not tell where the user keeps the files
    names: dict[str, object] = {
        "content": Path(content).name,
        "styles": [Path(path).name for path, _ in styles],
    }
    for name, path in region.styles if region else ():
        names[name] = path.name
    return names


class _Painter:
    """Paints one image: first the common style, then those of single classes over it."""

    def __init__(
        self,
        picture: Array,
        network: StyleNetwork,
        config: StyleConfig,
        progress: Progress,
        snapshots: Snapshots | None,
    ) -> None:
        self.picture = picture
        self.content = to_tensor(picture)
        self.network = network
        self.config = config
        self.progress = progress
        self.film = Film(snapshots) if snapshots else None

    def paint(
        self,
        styles: list[WeightedStyle],
        class_styles: list[tuple[str, Tensor]],
        masks: dict[str, Array],
    ) -> Stylized:
        """The result, or what there is of it when the user interrupts."""
        mask = masks.get("")
        with stop_on_interrupt() as stop:

            def stop_if_asked(step: Step, image: Callable[[], Tensor]) -> bool:
                return bool(stop)

            def film_step(step: Step, image: Callable[[], Tensor]) -> bool:
                self._film(step, image, mask)
                return bool(stop)

            result = self._transfer(styles, "stylizing", film_step)
            rgb = to_rgb(composite(result.image, self.picture, mask))
            stopped = result.stopped
            for name, style in class_styles:
                if stopped:
                    break
                task = f"stylizing {name}"
                own = self._transfer([(style, 1.0)], task, stop_if_asked)
                rgb = to_rgb(composite(own.image, rgb, masks[name]))
                stopped = own.stopped
        if self.film:
            self.film.finish(rgb, result.history)
        return Stylized(rgb, result.history, stopped)

    def _film(self, step: Step, image: Callable[[], Tensor], mask: Array | None) -> None:
        # the image is made only for the steps that are filmed
        if self.film and self.film.takes(step):
            self.film.add(step, self._snapshot(image(), mask))

    def _transfer(self, styles: list[WeightedStyle], task: str, on_step: OnStep) -> StyleResult:
        return transfer_style(
            self.content,
            styles,
            self.network,
            self.config,
            progress=self.progress,
            on_step=_report_steps(on_step, task, self.config, self.progress),
        )

    def _snapshot(self, image: Tensor, mask: Array | None) -> Array:
        whole = resize(image, self.picture.shape[:2])
        blended = blend_with_content(whole, self.content, self.config)
        return to_rgb(composite(blended, self.picture, mask))


def _report_steps(on_step: OnStep, task: str, config: StyleConfig, progress: Progress) -> OnStep:
    """`on_step`, with each step counted and its losses shown."""
    steps = progress.track(range(config.steps), what=task, total=config.steps, unit="steps")
    counter = iter(steps)

    def report(step: Step, image: Callable[[], Tensor]) -> bool:
        next(counter, None)
        losses = step.losses
        progress.set_postfix(
            f"content {losses.content:.3g}, style {losses.style:.3g}, smooth {losses.smooth:.3g}"
        )
        return on_step(step, image)

    return report


def _split_options(
    config: StyleConfig | None, options: dict[str, Any]
) -> tuple[StyleConfig, Setup]:
    """Options given by keyword, to the dataclass that has them."""
    setup_fields = option_fields(Setup)
    all_fields = setup_fields | option_fields(StyleConfig)
    # beside a whole configuration, an option of it would contradict it
    known = setup_fields if config else all_fields
    for name in options:
        if name not in known:
            raise unknown_choice_error("option", name, all_fields)
    config = config or StyleConfig(**select_fields(options, StyleConfig))
    return config, Setup(**select_fields(options, Setup))


def _choose_precision(
    config: StyleConfig,
    precision: str,
    network: StyleNetwork,
    content: Tensor,
    progress: Progress,
) -> StyleConfig:
    """The configuration with bfloat16 where it was asked for, or measured to be faster."""
    if precision != "auto":
        return replace(config, bfloat16=precision == "bfloat16")
    device = network.mean.device
    corner = content[None, :, :_TRIAL_SIDE, :_TRIAL_SIDE].to(device)
    has_bfloat16 = cpu_has_bfloat16 if device.type == "cpu" else gpu_has_bfloat16
    if min(corner.shape[-2:]) < _MIN_TRIAL_SIDE or not has_bfloat16():
        return config
    float32_seconds = _step_seconds(network, corner, bfloat16=False)
    # without fast kernels its first pass alone takes many times as long: no second one then
    bfloat16_seconds = _step_seconds(network, corner, bfloat16=True, give_up=4 * float32_seconds)
    gain = float32_seconds / bfloat16_seconds
    chosen = gain > _MIN_GAIN
    progress.log(
        f"precision {'bfloat16' if chosen else 'float32'}: a step in bfloat16 is {gain:.2f} "
        "times as fast"
    )
    return replace(config, bfloat16=chosen)


def _step_seconds(
    network: StyleNetwork, content: Tensor, *, bfloat16: bool, give_up: float = math.inf
) -> float:
    """Seconds of a step; those of the first one, which also allocates memory and picks kernels,
    where it takes longer than `give_up`.
    """
    objective = Objective(
        network,
        content,
        [(content, 1.0)],
        weights=Weights(),
        bfloat16=bfloat16,
    )
    image = content.clone().requires_grad_()
    seconds = math.inf
    for _ in range(2):
        start = time.perf_counter()
        objective.backward(image)
        seconds = time.perf_counter() - start
        if seconds > give_up:
            break
    return seconds
