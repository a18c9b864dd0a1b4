"""One image to one result: the road that the command line, the server and the cluster all take."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import Classes, Colour, quantize_confidence
from pixelwise.errors import ConfigError, ModelError
from pixelwise.inference.array_input import Seen, read_source
from pixelwise.inference.label_writer import LabelRules, LabelWriter, MemoryRows
from pixelwise.inference.raster import read_raster, reads_by_window
from pixelwise.inference.regions import class_ids
from pixelwise.inference.resize import resize_pieces, resize_pixels
from pixelwise.inference.tiling import (
    OVERLAP,
    TILE,
    Piece,
    Pixels,
    RowChunk,
    TilePlan,
    stream,
)
from pixelwise.inference.tta import Logits, Runner, with_tta
from pixelwise.inference.view_size import Size, size_note, view_size
from pixelwise.io.atomic import atomic
from pixelwise.io.channels import ReadingRule, reading_rule
from pixelwise.io.images import (
    Array,
    Formats,
    Picture,
    Source,
    pixel_count,
    read_picture,
    write_image,
    write_labels,
)
from pixelwise.io.reading_notes import ReadingNotes
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.reports.overlays import add_legend, class_shares, paint

if TYPE_CHECKING:
    from torch import Tensor

# Pixels that a side of a JPEG file may have (libjpeg's JPEG_MAX_DIMENSION).
JPEG_SIDE = 65_500


@dataclass(frozen=True, eq=False)
class Result:
    """What was found in one image.

    rgb (H, W, 3) uint8, of other bands as they are shown; labels (H, W) uint8, class ids;
    confidence (H, W) float32, the softmax of the label, in [0, 1]; classes and palette by class id;
    scores (C, H, W) float16, by their kind, `probabilities` or `logits`, where they were asked for.
    notes: what reading did to the image beyond decoding it, such as scaling 12 bits to 8. valid
    (H, W): where it has values, None for everywhere; labels are void elsewhere.
    """

    rgb: Array
    labels: Array
    confidence: NDArray[np.float32]
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    scores: Mapping[str, NDArray[np.float16]] = field(default_factory=dict)
    notes: ReadingNotes = ()
    valid: NDArray[np.bool_] | None = None

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """The image tinted in the colours of its classes, at its own size; `opacity` in [0, 1]."""
        return Image.fromarray(paint(self.rgb, self.labels, self.palette, opacity))

    def __repr__(self) -> str:
        height, width = self.labels.shape
        shares = class_shares(self.labels)
        names = dict(enumerate(self.classes))
        parts = [f"{names.get(label, 'void')} {share:.0%}" for label, share in shares.items()]
        return f"<Result {height} x {width}: {', '.join(parts)}>"

    def _with_legend(self) -> Image.Image:
        painted = paint(self.rgb, self.labels, self.palette)
        return add_legend(painted, self.classes, self.palette, class_shares(self.labels))

    def _repr_png_(self) -> bytes:
        """The overlay with its legend, which a notebook shows."""
        buffer = BytesIO()
        self._with_legend().save(buffer, "PNG")
        return buffer.getvalue()

    def save(
        self,
        folder: str | Path,
        stem: str,
        *,
        overlay: bool = False,
        confidence: bool = False,
    ) -> list[Path]:
        """Write STEM.png (palette PNG of class ids), if asked STEM_overlay.jpg and
        STEM_confidence.png (255 = sure).

        The overlay carries a legend below the image; the other two have the image's size. One wider
        or higher than JPEG_SIDE cannot be written and is left out. Scores become
        STEM_probabilities.npz or STEM_logits.npz: (C, H, W) float16 under that name, and `classes`.
        Returns the paths written; the folder is made when missing. Raises OutputError when it
        cannot be written to.
        """
        written = [Path(folder) / f"{stem}.png"]
        write_labels(written[0], self.labels, self.palette)
        if overlay and max((painted := self._with_legend()).size) <= JPEG_SIDE:
            written.append(Path(folder) / f"{stem}_overlay.jpg")
            write_image(written[-1], np.asarray(painted))
        if confidence:
            written.append(Path(folder) / f"{stem}_confidence.png")
            write_image(written[-1], quantize_confidence(self.confidence))
        for kind, scores in self.scores.items():
            written.append(Path(folder) / f"{stem}_{kind}.npz")
            with atomic(written[-1]) as temp_path:
                np.savez_compressed(
                    temp_path,
                    allow_pickle=False,
                    **{kind: scores},
                    classes=np.array(self.classes),
                )
        return written


class Predictor:
    """Labels images of any size with a runner, in tiles of `tile` (height, width) that share
    `overlap` of their sides.

    `weights` of the tiles are one of WEIGHTS, as in TilePlan. `max_memory`, in bytes, is what the
    sums of logits of a picture read by window, and its rows, may take. `name` is what reports call
    the model, `reading` how its training read its data and `sizes` how large its pictures were, as
    far as known; with `exact` tiles are never made smaller, as the network takes that size alone.
    Raises ConfigError for a tile below 32
    pixels, an overlap outside [0, 1), or other weights.
    """

    def __init__(
        self,
        runner: Runner,
        classes: Classes,
        *,
        tile: tuple[int, int] = TILE,
        overlap: float = OVERLAP,
        weights: str = "linear",
        max_memory: int | None = None,
    ) -> None:
        if max_memory is not None and max_memory <= 0:
            raise ConfigError(
                f"max_memory {max_memory}: give a number above 0, or none for what is usual"
            )
        TilePlan(
            1,
            1,
            tile,
            overlap,
            weights,
        )  # refuses now what would be refused at the first image
        self.runner = runner
        self.classes = classes
        self.name = "a model"
        self.tile = tile
        self.overlap = overlap
        self.weights = weights
        self.max_memory = max_memory
        self.exact = False
        self.largest: tuple[str, ...] = ()
        self.reading: Mapping[str, Any] = {}
        self.sizes: PictureSizes | None = None

    def __repr__(self) -> str:
        return f"<Predictor {self.name}: {', '.join(self.classes.names)}>"

    def predict(
        self,
        source: "Source | Picture | Array | Tensor",
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
        smallest: int = 0,
        largest: Sequence[str] = (),
        scores: str | None = None,
        threshold: float = 0.0,
    ) -> Result:
        """Label one image: a path, a file's bytes, a PIL image, a (H, W, 3) or grey (H, W) array of
        uint8 or uint16, or a (3, H, W) tensor; for a network of other bands a path, or an array
        (H, W, bands) of values as the training's files hold them.

        Without `scales`, one larger or smaller by far than those of the training is seen at their
        size (see `view_size`); its labels have its own. A tensor holds uint8 or floats in [0, 1].
        With `tta` and `scales` the logits are averaged with those of the mirrored image and of
        other sizes (see `averaged`). Of the classes named in `largest` only the largest region
        stays, other pixels of theirs take the label that comes next (see `beside_largest`); regions
        of fewer than `smallest` pixels take the label of their largest neighbour (see `sieved`);
        last, pixels of less confidence than `threshold` become void. `scores` keeps the
        `probabilities` or `logits` of all classes. Raises ImageError for a source that cannot be
        read or has another shape, type or range, ConfigError for a class in `largest` that the
        model does not know.
        """
        class_numbers = class_ids(self.classes.names, largest or self.largest)
        seen, picture = self.see(source, scales=scales)
        return self.label(
            seen,
            self.pieces(seen.pixels, picture, tta=tta, scales=scales),
            scores=scores,
            rules=LabelRules(class_numbers, smallest, threshold),
        )

    def see(
        self, source: "Source | Picture | Array | Tensor", *, scales: Sequence[float] = ()
    ) -> tuple[Seen, Picture | None]:
        """What the network takes of a source of `predict`, with notes, and the picture where it is
        one. Raises ImageError.
        """
        if isinstance(source, str | Path | bytes | Image.Image):
            source = self.read(source)
        picture = source if isinstance(source, Picture) else None
        seen = read_source(source, self.rule)
        height, width = seen.pixels.shape[:2]
        if scales:
            return seen, picture
        notes = (*seen.notes, *self.size_notes((height, width), picture))
        return seen._replace(notes=notes), picture

    def label(
        self,
        seen: Seen,
        pieces: Iterable[Piece],
        *,
        scores: str | None = None,
        rules: LabelRules | None = None,
    ) -> Result:
        """The result of a picture by the pieces of its logits. Raises ModelError where they have
        not as many channels as there are classes.
        """
        height, width = seen.pixels.shape[:2]
        rows = MemoryRows(seen.valid)
        writer = LabelWriter(
            (height, width),
            len(self.classes),
            rows,
            confidence=np.float32,
            scores=scores,
            rules=rules,
        )
        for top, left, logits in pieces:
            self.check_channels(logits)
            writer.add(top, left, logits)
        writer.finish()
        return Result(
            seen.rgb,
            rows.labels,
            rows.confidence,
            self.classes.names,
            self.classes.palette,
            {} if scores is None or rows.scores is None else {scores: rows.scores},
            seen.notes,
            seen.valid,
        )

    def __call__(self, sources: Any, **options: Any) -> "Result | list[Result]":
        """`predict` of one image, or a list of results for a list of images."""
        if isinstance(sources, list | tuple):
            return [self.predict(source, **options) for source in sources]
        return self.predict(sources, **options)

    def view_size(self, size: Size, picture: Picture | None = None) -> Size:
        """(height, width) at which `predict` sees a picture of `size` where no scales are given, as
        `view_size` of its own module.
        """
        return view_size(self.sizes, size, picture)

    def size_notes(
        self, size: Size, picture: Picture | None = None, *, is_raster: bool = False
    ) -> ReadingNotes:
        """What is said of a picture's size where no scales are given, of one read by window as a
        raster.
        """
        view = size if is_raster else self.view_size(size, picture)
        is_raster = is_raster or (picture is not None and picture.is_raster)
        note = size_note(self.sizes, size, view, is_raster=is_raster)
        return (note,) if note else ()

    def pieces(
        self,
        pixels: Array,
        picture: Picture | None = None,
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
    ) -> Iterator[Piece]:
        """Pieces of logits at the size of `pixels` (H, W, channels), as `stream` yields them."""
        height, width = pixels.shape[:2]
        size = (height, width)
        view = size if scales else self.view_size(size, picture)
        runner = with_tta(self.runner, mirror=tta, scales=scales)
        if view == size:
            return stream(runner, pixels, self.plan(*size))
        resized = resize_pixels(pixels, view)
        return resize_pieces(stream(runner, resized, self.plan(*view)), view, size)

    def window_pieces(
        self,
        pixels: Pixels,
        plan: TilePlan,
        chunk: RowChunk | None = None,
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
    ) -> Iterator[Piece]:
        """Pieces of logits of a picture that is read by window, at its own size, or of a chunk of
        it.
        """
        return stream(with_tta(self.runner, mirror=tta, scales=scales), pixels, plan, chunk)

    @property
    def runners(self) -> tuple[Runner, ...]:
        """All that compute for it."""
        return (self.runner,)

    def wrap_runners(self, wrap: Callable[[Runner], Runner]) -> Self:
        """The same model, whose runners are what `wrap` makes of them."""
        predictor = copy(self)
        predictor.runner = wrap(self.runner)
        return predictor

    def count_tiles(self, size: Size, picture: Picture | None = None) -> int:
        """How often its runners are called for a picture of `size`."""
        plan = self.plan(*self.view_size(size, picture))
        return len(plan.rows) * len(plan.columns)

    @property
    def rule(self) -> ReadingRule:
        """How pictures are brought to what the network takes, as in its training."""
        return reading_rule(self.reading)

    def read(self, source: Source, *, formats: Formats | None = None) -> Picture:
        """A picture as the training read its own; of a raster all, as `predict_raster` reads it by
        window. Raises ImageError as `read_picture` and `open_raster`.
        """
        if isinstance(source, str | Path) and formats is None:
            path = Path(source)
            if reads_by_window(path, pixel_count(path)):
                return read_raster(path, self.rule)
        return read_picture(source, self.rule, formats=formats)

    def always(
        self,
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
        largest: Sequence[str] = (),
    ) -> Self:
        """The same model whose every prediction is as `predict` gives it with these; ConfigError as
        there.
        """
        class_ids(self.classes.names, largest)
        predictor = self.wrap_runners(partial(with_tta, mirror=tta, scales=scales))
        predictor.largest = tuple(largest)
        if scales:
            predictor.sizes = None
        return predictor

    def plan(self, height: int, width: int) -> TilePlan:
        """Where the tiles of an image of that size lie."""
        return TilePlan(height, width, self.tile, self.overlap, self.weights, self.exact)

    def check_one_class(self) -> None:
        """Raises ModelError where classes overlap, for what needs one class a pixel."""

    def check_channels(self, logits: Logits) -> None:
        """Raises ModelError where there are not as many logits as classes."""
        if len(logits) != len(self.classes):
            raise ModelError(
                f"the model gives {len(logits)} channels but {len(self.classes)} classes are named"
            )
