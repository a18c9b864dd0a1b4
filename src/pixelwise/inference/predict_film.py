"""A film to a mask a frame, or to the film with its classes painted over it. Frames are read,
labelled and written beside each other; never more than a few are held.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import softmax
from pixelwise.errors import ConfigError, ImageError
from pixelwise.inference.areas import count_labels, describe_shares
from pixelwise.inference.array_input import Seen, read_source
from pixelwise.inference.film_folder import FilmFolder, choose_film_folder
from pixelwise.inference.label_job import Predictions, check_options
from pixelwise.inference.label_writer import LabelRules
from pixelwise.inference.output_folder import STALE_AFTER_S
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.inference.regions import class_ids
from pixelwise.inference.smoothing import ScoredFrame, smooth_scores
from pixelwise.inference.threads import CALLS, map_ordered
from pixelwise.inference.tiling import Piece
from pixelwise.io.atomic import remove_stale_temp_files
from pixelwise.io.ffmpeg import find_ffmpeg
from pixelwise.io.images import Array
from pixelwise.io.read_film import STANDARD, FilmFrame, FilmReader, is_film
from pixelwise.io.storage import is_uri
from pixelwise.io.write_film import check_written, open_film
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.reports.overlays import paint

T = TypeVar("T")

# The least probability that is told from none.
_LEAST = np.float32(1e-30)

# What is made of a mask file, or of what a film has not.
_FOR_FOLDERS = ("confidence", "extras")
_NOT_FOR_FILMS = ("cutouts", "polygons", "seams")


def find_film(inputs: Sequence[str | Path], options: PredictOptions, out: object) -> str:
    """The film, or `-`, that a command is given; empty where it is given photos.

    Raises ConfigError for a film beside other inputs, options that do not go with it, or with
    photos alone, and where there is no ffmpeg.
    """
    films = [str(name) for name in inputs if is_film(str(name))]
    if not films:
        if options.smooth:
            raise ConfigError(
                "--smooth is for films; of photos in sequence make one, as with `ffmpeg -i "
                "photos/%04d.jpg film.mkv`, or leave it out"
            )
        if out is not None and is_film(str(out)):
            raise ConfigError(f"--out {out}: a film is made of a film; give a folder for masks")
        return ""
    if len(inputs) > 1:
        raise ConfigError(f"{films[0]}: a film is labelled by itself; give it alone")
    if is_uri(films[0]):
        raise ConfigError(f"{films[0]}: films are read from this machine; fetch it first")
    check_film_options(options, films[0], str(out or ""))
    find_ffmpeg()
    return films[0]


def predict_film(
    predictor: Predictor,
    film: str | Path,
    out: str | Path | None = None,
    *,
    choices: PredictOptions | None = None,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Label the frames of `film`, a file or `-` for standard input, by the ffmpeg on the PATH.

    out: a folder, for 000001.png and so on with what else is chosen, as `predict_files` writes
    them, and frames.csv, which says when each is shown, or, without one, the folder `labelled` or
    the next that is free; or a film (.mp4, .mov, .mkv, .webm), the frames painted by class, with
    the times and the sound of `film`, put in place when it is complete; or `-`, the painted frames
    as a Matroska stream. With a `recipe`, frames whose masks exist are left, as there, and a film
    that exists is replaced with `overwrite` alone. Raises ConfigError without an ffmpeg and for
    options that do not go with a film, ImageError for a film without a frame, OutputError where
    nothing can be written. One that breaks off is in `failed` with the reason, and labelled up to
    there.
    """
    predictor.check_one_class()
    options = choices or PredictOptions()
    progress = progress or default_progress()
    film = str(film)
    out = choose_film_folder(film, options, recipe, progress) if out is None else str(out)
    check_film_options(options, film, out)
    if recipe is not None and not recipe.overwrite and is_film(out) and Path(out).exists():
        raise ConfigError(f"{out} exists already; give --overwrite to replace it, or another --out")
    find_ffmpeg()
    check_options(options, predictor.classes.names, ())
    labeller = FrameLabeller(predictor, options, progress)
    _check_bands(film, predictor)
    with FilmReader(film) as reader, CALLS.expect_many():
        if is_film(out):
            predictions = _to_film(labeller, reader, out, progress)
        else:
            folder = FilmFolder(film, out, options, recipe, progress)
            predictions = folder.run(reader, labeller.map, predictor.classes.names)
        if not reader.damage:
            return predictions
        progress.log(reader.damage)
        return replace(predictions, failed=((Path(film), reader.damage),))


def check_film_options(options: PredictOptions, film: str, out: str) -> None:
    """Raises ConfigError for what does not go with a film, or with one as `out`, and where that
    would take the place of `film`.
    """
    for extra in _NOT_FOR_FILMS:
        if extra in options.extras:
            raise ConfigError(f"{extra} is for photos and rasters, not for films; leave it out")
    if options.to:
        raise ConfigError(
            f"--to {options.to} is for photos: save the frames that are to be corrected as photos"
        )
    if options.frames:
        raise ConfigError(
            "--frames is for pictures of several frames, such as GIF; all frames of a film are "
            "labelled: leave it out"
        )
    if not is_film(out):
        return
    check_written(out)
    if out != STANDARD and Path(out).resolve() == Path(film).resolve():
        raise ConfigError(f"--out {out} would replace the film itself; give it another name")
    for name in _FOR_FOLDERS:
        if getattr(options, name):
            option = "--also" if name == "extras" else f"--{name}"
            raise ConfigError(f"{option} goes with masks: give a folder as --out, not {out}")


def _check_bands(film: str, predictor: Predictor) -> None:
    """Raises ImageError where the network takes other bands than a film has."""
    try:
        read_source(np.zeros((1, 1, 3), np.uint8), predictor.rule)
    except ImageError as error:
        advice = f"the model takes other bands: {predictor.rule.channels}; give it images of these"
        raise ImageError.of_file(film, "a film has red, green and blue", advice) from error


class FrameLabeller:
    """Labels frames by a predictor and options, several at once."""

    def __init__(self, predictor: Predictor, options: PredictOptions, progress: Progress) -> None:
        self.predictor = predictor
        self._progress = progress
        self._options = options
        largest = options.largest or predictor.largest
        self._rules = LabelRules(
            class_ids(predictor.classes.names, largest), options.smallest, options.threshold
        )

    def map(
        self, frames: Iterable[FilmFrame], use: Callable[[FilmFrame, Result], T]
    ) -> Iterator[T]:
        """What `use`, in threads of its own, makes of each frame and its result, in order."""
        frames = self._describe(frames)
        if not self._options.smooth:
            yield from map_ordered(lambda frame: use(frame, self._label(frame)), frames)
            return
        scored = smooth_scores(map_ordered(self._score, frames), self._options.smooth)
        yield from map_ordered(lambda pair: use(pair.frame, self._read(pair)), scored)

    def _describe(self, frames: Iterable[FilmFrame]) -> Iterator[FilmFrame]:
        """Pass frames on; of the first, say what is unusual about its size."""
        for number, frame in enumerate(frames):
            if number == 0 and not self._options.scales:
                height, width = frame.rgb.shape[:2]
                for note in self.predictor.size_notes((height, width)):
                    self._progress.log(f"its frames are {note}")
            yield frame

    def _label(self, frame: FilmFrame) -> Result:
        return self._result(frame, self._pieces(frame))

    def _score(self, frame: FilmFrame) -> ScoredFrame:
        height, width = frame.rgb.shape[:2]
        scores = np.empty((len(self.predictor.classes), height, width), np.float32)
        for top, left, piece in self._pieces(frame):
            self.predictor.check_channels(piece)
            place = np.s_[:, top : top + piece.shape[1], left : left + piece.shape[2]]
            scores[place] = softmax(piece)
        return ScoredFrame(frame, scores)

    def _read(self, scored: ScoredFrame) -> Result:
        logits = np.log(np.maximum(scored.scores, _LEAST))  # whose softmax they are again
        return self._result(scored.frame, [(0, 0, logits)])

    def _pieces(self, frame: FilmFrame) -> Iterator[Piece]:
        options = self._options
        seen = self._see(frame)
        return self.predictor.pieces(seen.pixels, tta=options.tta, scales=options.scales)

    def _see(self, frame: FilmFrame) -> Seen:
        return read_source(frame.rgb, self.predictor.rule)

    def _result(self, frame: FilmFrame, pieces: Iterable[Piece]) -> Result:
        return self.predictor.label(
            self._see(frame), pieces, scores=self._options.scores, rules=self._rules
        )


def _to_film(
    labeller: FrameLabeller, reader: FilmReader, out: str, progress: Progress
) -> Predictions:
    """The painted film; ends without one where the block is interrupted."""
    names = labeller.predictor.classes.names
    pixels = np.zeros(256, np.int64)
    count = 0
    place = Path(out)
    remove_stale_temp_files(place.parent, names=[place.name], older=STALE_AFTER_S)
    try:
        with open_film(out, reader) as writer:
            painted = labeller.map(reader, _paint)
            total = reader.facts.frames
            for frame, picture, counts in progress.track(
                painted, what="predicting", total=total, unit="frames"
            ):
                writer.write(frame, picture)
                pixels += counts
                count += 1
    except KeyboardInterrupt:
        if out != STANDARD:
            progress.log("no film is written before its end; a folder as --out keeps each mask")
        raise
    return Predictions((place,), shares=describe_shares(pixels, names), folder=out, frames=count)


def _paint(frame: FilmFrame, result: Result) -> tuple[FilmFrame, Array, NDArray[np.int64]]:
    picture = paint(result.rgb, result.labels, result.palette)
    return frame, picture, count_labels(result.labels)
