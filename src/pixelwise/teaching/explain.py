"""The drawings of `pixelwise explain` behind one function."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelwise.errors import unknown_choice_error
from pixelwise.teaching.figures import draw_checkerboard, draw_transposed
from pixelwise.teaching.lessons import compare_networks, explain_augmentation, explain_scores

LESSONS: dict[str, Callable[..., Any]] = {
    "transposed": draw_transposed,
    "checkerboard": draw_checkerboard,
    "augmentation": explain_augmentation,
    "scores": explain_scores,
    "networks": compare_networks,
}
"""The function of each lesson; its last positional parameter is the file or folder to write."""


def explain(lesson: str, *inputs: Any, out: str | Path, **options: Any) -> Any:
    """Draw one of LESSONS to `out`, a PNG (`networks`: a folder).

    inputs: what the lesson takes before it: `transposed` an input (h, w) and a kernel, 2-D tensors;
    `checkerboard` a list of (kernel, stride); `augmentation` and `networks` a data set; `scores` a
    list of models and an image. `options` are the keywords of the lesson's function, whose result
    is returned. Raises ConfigError for an unknown lesson.
    """
    if lesson not in LESSONS:
        raise unknown_choice_error("lesson", lesson, LESSONS)
    return LESSONS[lesson](*inputs, Path(out), **options)
