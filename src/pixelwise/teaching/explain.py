"""The drawings of `pixelwise explain` behind one function."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelwise.errors import unknown_choice_error
from pixelwise.teaching.convolution_figures import (
    draw_bilinear,
    draw_convolution,
    draw_insertion,
    draw_matrix,
    draw_pooling,
)
from pixelwise.teaching.figures import draw_checkerboard, draw_transposed
from pixelwise.teaching.lessons import compare_networks, explain_augmentation, explain_scores
from pixelwise.teaching.matte_figure import draw_matte
from pixelwise.teaching.photo_figures import draw_heat, draw_kinds
from pixelwise.teaching.receptive_field import draw_shapes

LESSONS: dict[str, Callable[..., Any]] = {
    "kinds": draw_kinds,
    "convolution": draw_convolution,
    "matrix": draw_matrix,
    "transposed": draw_transposed,
    "insertion": draw_insertion,
    "checkerboard": draw_checkerboard,
    "bilinear": draw_bilinear,
    "pooling": draw_pooling,
    "shapes": draw_shapes,
    "heat": draw_heat,
    "augmentation": explain_augmentation,
    "matte": draw_matte,
    "scores": explain_scores,
    "networks": compare_networks,
}
"""The function of each lesson; its last positional parameter is the file or folder to write."""


def explain(lesson: str, *inputs: Any, out: str | Path, **options: Any) -> Any:
    """Draw one of LESSONS to `out`, a PNG (`networks`: a folder).

    inputs: what the lesson takes before it: `convolution`, `matrix`, `transposed` and `insertion`
    an input (h, w) and a kernel, 2-D tensors; `pooling` an input; `bilinear` nothing;
    `checkerboard` a list of (kernel, stride); `shapes` an encoder; `kinds` and `heat` an image;
    `matte` an alpha matte; `augmentation` and `networks` a data set; `scores` a list of models and
    an image. `options` are the keywords of the lesson's function, whose result is returned. Raises
    ConfigError for an unknown lesson.
    """
    if lesson not in LESSONS:
        raise unknown_choice_error("lesson", lesson, LESSONS)
    return LESSONS[lesson](*inputs, Path(out), **options)
