"""The network that takes over: trained behind the page, asked where it is better on strokes that
were held back, and not where it is worse.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import PixelwiseError, first_line
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.labelling.background import BackgroundThread
from pixelwise.labelling.comparison import StrokeComparison, compare_strokes
from pixelwise.labelling.live import LiveModel
from pixelwise.labelling.net_prediction import Network
from pixelwise.labelling.photos import Photo
from pixelwise.labelling.predictions import predict_window
from pixelwise.labelling.strokes import UNLABELLED
from pixelwise.labelling.training_process import (
    MIN_PHOTOS,
    TrainingProcess,
    is_held_back,
    training_folder,
    write_training_set,
)
from pixelwise.labelling.vectors import choose_pixels

_TICK = 2.0
# A training begins when there are so many strokes, and again when there are so many times more.
FIRST_STROKES = 20
GROWTH = 1.3
# Tools whose strokes say what is right: the others repeat a prediction.
_OWN_WORK = ("brush", "polygon", "fill", "smart")
_log = logging.getLogger(__name__)


class Takeover(BackgroundThread):
    """Follows a live model. `predictor` is a model that was there before, of which no stroke was
    seen; `minutes` is the length of a training, 0 for none.
    """

    def __init__(
        self, live: LiveModel, predictor: Predictor | None = None, *, minutes: float = 0.0
    ) -> None:
        super().__init__("takeover")
        self.live = live
        self.minutes = minutes
        self.network = Network(predictor) if predictor is not None else None
        self.is_asked = self.network is not None
        self.version = 0
        self.paused = False
        self.comparison: StrokeComparison | None = None
        self.error = ""
        self._is_trained = False  # else all strokes are new to it
        self._process: TrainingProcess | None = None
        self._trained_strokes = 0
        self._last_run: Path | None = None
        self._right = dict[int, float]()  # by stroke, of this network
        self._start()

    @property
    def runs(self) -> Path:
        """Where run folders go: beside the data set."""
        folder = self.live.session.folder.resolve()
        return folder.with_name(f"{folder.name}-runs")

    def close(self) -> None:
        """End the thread, and the training if one runs."""
        super().close()
        if self._process is not None:
            self._process.end()
        shutil.rmtree(training_folder(self.live.session), ignore_errors=True)

    def prediction(self, name: str) -> Any:
        """What the network says of a photo where it is the one to ask, else None."""
        network = self.network
        if network is None or not self.is_asked:
            return None
        return network.predict(self.live.session.open(name), self.live.session.classes)

    def set_paused(self, paused: bool) -> None:
        """Pause the trainings, or go on."""
        self.paused = paused
        if self._process is not None:
            self._process.pause(paused)

    def describe(self) -> dict[str, Any]:
        """For the page: who predicts, why, and how the training gets on."""
        return {
            "source": "network" if self.is_asked else "live",
            "version": self.version,
            "text": " ".join(
                part for part in (self._describe_source(), self._describe_run()) if part
            ),
            "can_pause": self._process is not None or self.paused,
            "paused": self.paused,
            "curve": self._process.curve() if self._process is not None else [],
        }

    def _describe_source(self) -> str:
        compared = f": {self.comparison}" if self.comparison is not None else ""
        if self.is_asked:
            return f"The network predicts{compared}."
        if self.network is not None:
            return f"The live model predicts, as the network is not better{compared}."
        if self.live.head is None:
            return "Nothing is predicted yet: paint a stroke of each of two classes."
        return "The live model predicts: it learns from each stroke."

    def _describe_run(self) -> str:
        if self.error:
            return f"The last training ended with an error: {self.error}"
        process = self._process
        if process is None:
            return ""
        if self.paused:
            return "Its training is paused."
        curve = process.curve()
        score = f", validation mean IoU {curve[-1][1]:.2f} so far" if curve else ""
        return f"A network is trained behind, {process.minutes:g} minutes{score}."

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._closed or self._condition.wait_for(lambda: self._closed, _TICK):
                    return
            try:
                self._step()
            except PixelwiseError as error:
                self.error = str(error)
            except Exception:
                _log.exception("the network could not be followed")

    def _step(self) -> None:
        process = self._process
        if process is not None and process.status is not None:
            self._process = None
            self._finish(process)
        elif process is None and not self.paused and self._may_train():
            self._begin()
        self._judge()

    def _may_train(self) -> bool:
        photos = self.live.session.project.photos
        strokes = sum(len(record.active) for record in photos.values())
        touched = sum(bool(record.active) for record in photos.values())
        needed = max(FIRST_STROKES, GROWTH * self._trained_strokes)
        return self.minutes > 0 and touched >= MIN_PHOTOS and strokes >= needed

    def _begin(self) -> None:
        session = self.live.session
        self._trained_strokes = sum(len(item.active) for item in session.project.photos.values())
        data = training_folder(session)
        if write_training_set(session, data) < MIN_PHOTOS:
            return
        numbers = [int(path.name) for path in self.runs.glob("*") if path.name.isdigit()]
        run = self.runs / str(max(numbers, default=0) + 1)
        self.error = ""
        self._process = TrainingProcess(data, run, minutes=self.minutes, start=self._last_run)

    def _finish(self, process: TrainingProcess) -> None:
        if process.status != 0:
            self.error = process.last_line
            return
        self._last_run = process.run
        try:
            predictor = load(process.run)
        except PixelwiseError as error:
            self.error = first_line(error)
            return
        self.network = Network(predictor)
        self._is_trained = True
        self.is_asked = False  # until it has shown that it is better
        self._right = {}
        self.comparison = None
        self.version += 1

    def _judge(self) -> None:
        """Ask the network about strokes that it has not seen, and see who is better."""
        scores = self.live.scores
        if self.network is None or scores is None:
            return
        for name, record in list(self.live.session.project.photos.items()):
            numbers = [
                number
                for number, stroke in record.active.items()
                if stroke.tool in _OWN_WORK
                and number in scores.right
                and number not in self._right
                and (not self._is_trained or is_held_back(number))
            ]
            if numbers:
                self.live.rest_while_busy()
                self._ask(self.live.session.open(name), name, numbers)
            if self._closed:
                return
        living = self._living(scores.right)
        self.comparison = compare_strokes(living, scores.right) or self.comparison
        self._decide()

    def _living(self, right: Mapping[int, float]) -> dict[int, float]:
        return {number: share for number, share in self._right.items() if number in right}

    def _ask(self, photo: Photo, name: str, numbers: list[int]) -> None:
        session = self.live.session
        assert self.network is not None
        prediction = self.network.predict(photo, session.classes)
        labels = session.labels(name)
        record = session.project.photos[name]
        for number in numbers:
            stroke = record.strokes.get(number)
            if stroke is None:
                continue
            box = stroke.area(record.size).box
            predicted = predict_window(prediction, 0, box).labels
            rows, columns = choose_pixels(stroke, record.size, number)
            truth = labels[rows, columns]
            guess = predicted[rows - box.top, columns - box.left]
            labelled = truth < UNLABELLED
            if labelled.any():
                self._right[number] = float(np.mean(guess[labelled] == truth[labelled]))

    def _decide(self) -> None:
        if self.comparison is None:
            return
        is_better = self.comparison.low > 0
        is_worse = self.comparison.high < 0
        if (is_better and not self.is_asked) or (is_worse and self.is_asked):
            self.is_asked = is_better
            self.version += 1
