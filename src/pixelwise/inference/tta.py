"""From RGB to logits. Whatever computes them is a Runner, so the predictor knows no runtime."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.models.config import check_scales

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]

# uint8 RGB (N, 3, H, W) in; float32 logits (N, C, H, W) out, at exactly the input's size, which the
# caller may change. It may be called by several threads at once; one that cannot takes turns by
# itself.
Runner = Callable[[Pixels], Logits]


def release_memory(runner: Runner) -> None:
    """Let a runner give back the memory that it keeps between calls (by its `release_memory`)."""
    getattr(runner, "release_memory", lambda: None)()


def specialize_for_shape(runner: Runner) -> Runner:
    """The runner for many inputs of one shape, where it prepares itself for that (one with a method
    `specialize_for_shape`).
    """
    prepared: Runner = getattr(runner, "specialize_for_shape", lambda: runner)()
    return prepared


def with_tta(runner: Runner, *, mirror: bool = False, scales: Sequence[float] = ()) -> Runner:
    """A runner whose logits are the mean over the image at `scales` (1 alone, as it is, if none are
    given) and, with `mirror`, over the left-right mirror of each. It takes as many times as long,
    and scales their squares.

    Images and logits are resized bilinearly. Raises ConfigError for a scale outside SCALES.
    """
    check_scales(scales)
    own_size = tuple(scales) in ((), (1,))
    if own_size and not mirror:
        return runner
    return _Averaged(runner, mirror, tuple(scales) or (1.0,))


def peak_copies(*, mirror: bool = False, scales: Sequence[float] = ()) -> float:
    """How often a `with_tta` runner holds an image's logits at once: those at another size count
    by their pixels, and are held, beside the sum, with the two copies that resizing makes of them.
    """
    resized = max((scale**2 + 2 for scale in scales if scale != 1), default=1)
    return resized + (mirror or len(scales) > 1)


@dataclass(frozen=True)
class _Averaged:
    runner: Runner
    mirror: bool
    scales: tuple[float, ...]

    def __call__(self, rgb: Pixels) -> Logits:
        runs = list[Runner]()
        for scale in self.scales:
            run = _scaled(self.runner, scale)
            runs.append(run)
            if self.mirror:
                runs.append(_mirrored(run))
        total = runs[0](rgb).copy()
        for run in runs[1:]:
            total += run(rgb)
        total /= len(runs)
        return total

    def specialize_for_shape(self) -> Runner:
        return replace(self, runner=specialize_for_shape(self.runner))


def _mirrored(runner: Runner) -> Runner:
    def run(rgb: Pixels) -> Logits:
        mirrored = np.ascontiguousarray(rgb[..., ::-1])  # runtimes take no negative strides
        logits = runner(mirrored)
        return logits[..., ::-1]

    return run


def _scaled(runner: Runner, scale: float) -> Runner:
    if scale == 1:
        return runner

    def run(rgb: Pixels) -> Logits:
        height, width = rgb.shape[-2:]
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        logits = runner(_resized(rgb, size))
        return _resized(logits, (height, width))

    return run


def _resized(planes: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Each plane of (N, C, H, W) at `size` (height, width)."""
    flat = planes.reshape(-1, *planes.shape[-2:])
    height, width = size
    resized = []
    for plane in flat:
        image = Image.fromarray(plane)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        resized.append(np.asarray(image))
    return np.stack(resized).reshape(*planes.shape[:2], height, width)
