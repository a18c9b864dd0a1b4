"""Prediction of overlapping classes: a score each, and a layer of what reaches its threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit

from pixelwise.classes import VOID, Classes, Colour
from pixelwise.inference.array_input import Seen
from pixelwise.inference.predictor import JPEG_SIDE, Predictor, Result
from pixelwise.inference.result_names import layer_names
from pixelwise.inference.tta import Logits, Runner
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array, Picture, Source, write_image
from pixelwise.io.reading_notes import ReadingNotes
from pixelwise.models.checkpoint import Header, one_class_error
from pixelwise.reports.layer_overlays import layer_shares, paint_layers
from pixelwise.reports.overlays import add_legend

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class LayerResult:
    """What a model of overlapping classes sees in one image.

    rgb (H, W, 3) uint8; layers (C, H, W) uint8, 1 where a pixel is of the class, 0 where not, 255
    where the image has no values; scores (C, H, W) float16 in [0, 1]; classes and palette by class
    id; notes and valid as in Result.
    """

    rgb: Array
    layers: Array
    scores: NDArray[np.float16]
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    notes: ReadingNotes = ()
    valid: NDArray[np.bool_] | None = None

    def __repr__(self) -> str:
        _, height, width = self.layers.shape
        shares = zip(self.classes, layer_shares(self.layers), strict=True)
        parts = ", ".join(f"{name} {share:.0%}" for name, share in shares)
        return f"<LayerResult {height} x {width}: {parts}>"

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """The image tinted in the colours of its classes, at its own size; where several lie, by
        all of them.
        """
        return Image.fromarray(paint_layers(self.rgb, self.layers, self.palette, opacity))

    def _with_legend(self) -> Image.Image:
        shares = dict(enumerate(layer_shares(self.layers)))
        return add_legend(np.asarray(self.overlay()), self.classes, self.palette, shares)

    def save(
        self, folder: str | Path, stem: str, *, overlay: bool = False, scores: bool = False
    ) -> list[Path]:
        """Write a PNG a class, STEM_CLASS.png: 255 where a pixel is of it, 0 elsewhere; if asked
        STEM_overlay.jpg, and STEM_probabilities.npz as `Result.save`.

        Returns the paths written; the folder is made when missing. Raises OutputError when it
        cannot be written to.
        """
        written = []
        for name, layer in zip(layer_names(stem, self.classes), self.layers, strict=True):
            written.append(Path(folder) / name)
            write_image(written[-1], (layer == 1).astype(np.uint8) * np.uint8(255))
        if overlay and max((painted := self._with_legend()).size) <= JPEG_SIDE:
            written.append(Path(folder) / f"{stem}_overlay.jpg")
            write_image(written[-1], np.asarray(painted))
        if scores:
            written.append(Path(folder) / f"{stem}_probabilities.npz")
            with atomic(written[-1]) as draft:
                np.savez_compressed(
                    draft,
                    allow_pickle=False,
                    probabilities=self.scores,
                    classes=np.array(self.classes),
                )
        return written


class LayerPredictor(Predictor):
    """A Predictor of a model of overlapping classes, whose `predict_layers` gives layers; what
    needs one class a pixel is refused.

    thresholds: the score from which a pixel is of each class.
    """

    def __init__(
        self, runner: Runner, classes: Classes, *, thresholds: Sequence[float], **options: Any
    ) -> None:
        super().__init__(runner, classes, **options)
        self.thresholds = tuple(thresholds)

    def check_one_class(self) -> None:
        """Raises ModelError."""
        raise one_class_error(self.name, self.classes)

    def always(
        self,
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
        largest: Sequence[str] = (),
    ) -> Self:
        """As `Predictor.always`, but without `largest`, which needs one class a pixel."""
        if largest:
            self.check_one_class()
        return super().always(tta=tta, scales=scales)

    def label(self, seen: Seen, pieces: Any, **options: Any) -> Result:
        """Raises ModelError: a pixel may have several labels."""
        raise one_class_error(self.name, self.classes)

    def decide(self, logits: Logits) -> tuple[NDArray[np.float32], Array]:
        """Scores in [0, 1] and layers, both (C, h, w), of logits (C, h, w)."""
        scores: NDArray[np.float32] = expit(logits)
        least = np.array(self.thresholds, np.float32)[:, None, None]
        return scores, (scores >= least).astype(np.uint8)

    def predict_layers(
        self,
        source: "Source | Picture | Array | Tensor",
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
    ) -> LayerResult:
        """The layers of one image, which is read, tiled and averaged as in `predict`. Raises as
        that.
        """
        seen, picture = self.see(source, scales=scales)
        size = seen.pixels.shape[:2]
        scores = np.empty((len(self.classes), *size), np.float16)
        layers = np.empty(scores.shape, np.uint8)
        for top, left, logits in self.pieces(seen.pixels, picture, tta=tta, scales=scales):
            self.check_channels(logits)
            window = (..., slice(top, top + logits.shape[1]), slice(left, left + logits.shape[2]))
            scores[window], layers[window] = self.decide(logits)
        if seen.valid is not None:
            layers[:, ~seen.valid] = VOID
        return LayerResult(
            seen.rgb,
            layers,
            scores,
            self.classes.names,
            self.classes.palette,
            seen.notes,
            seen.valid,
        )


def predict_any(predictor: Predictor, source: "Source | Picture | Array") -> Result | LayerResult:
    """The labels of one image, or its layers where the model's classes overlap."""
    if isinstance(predictor, LayerPredictor):
        return predictor.predict_layers(source)
    return predictor.predict(source)


def make_predictor(runner: Runner, header: Header, **options: Any) -> Predictor:
    """The predictor of a model by its header; `options` as Predictor takes them."""
    thresholds = header.model.thresholds
    if thresholds is None:
        predictor = Predictor(runner, header.classes, **options)
    else:
        predictor = LayerPredictor(runner, header.classes, thresholds=thresholds, **options)
    predictor.reading = header.reading
    predictor.sizes = header.sizes
    return predictor
