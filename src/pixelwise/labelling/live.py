"""The live model: a thread that learns from each stroke while the next one is drawn."""

import logging
import time
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from pixelwise.errors import PixelwiseError
from pixelwise.labelling.background import BackgroundThread
from pixelwise.labelling.folds import FoldScores, score_folds
from pixelwise.labelling.head import Head
from pixelwise.labelling.photo_features import FeatureStore
from pixelwise.labelling.predictions import HeadPrediction
from pixelwise.labelling.samples import SampleStore, TrainingSet, fit_training_set
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import Stroke

# Work that nobody waits for rests so long after each stroke and each look at a prediction.
QUIET_SECONDS = 0.7
_MAX_PREDICTIONS = 2
_log = logging.getLogger(__name__)


class LiveModel(BackgroundThread):
    """Follows a session. `version` is the session's version that `head` answers."""

    def __init__(self, session: Session, store: FeatureStore) -> None:
        super().__init__("live model")
        self.session = session
        self.store = store
        self.head: Head | None = None
        self.version = 0
        self.scores: FoldScores | None = None
        self.curve = list[tuple[int, float]]()
        self.current = ""
        self.samples = SampleStore()
        self._data: TrainingSet | None = None
        self._pending = set(session.project.photos)
        self._changed = True
        self._scored = 0
        self._busy_until = 0.0
        self._predictions = OrderedDict[tuple[str, int], HeadPrediction]()
        session.listeners.append(self._notice)
        self._start()

    def wait(self, version: int, timeout: float = 30.0) -> bool:
        """Until the head answers that version of the session; False where it takes longer."""
        self.mark_busy()
        with self._condition:
            return self._condition.wait_for(
                lambda: self.version >= version or self._closed, timeout
            )

    def mark_busy(self) -> None:
        """Somebody waits: work in the background rests for a moment."""
        self._busy_until = time.monotonic() + QUIET_SECONDS

    def rest_while_busy(self) -> None:
        """Return when nobody has waited for anything for a moment."""
        while not self._closed and time.monotonic() < self._busy_until:
            time.sleep(0.05)

    def prediction(self, name: str) -> HeadPrediction | None:
        """What the head says of a photo; None while there are not strokes of two classes. Raises
        ImageError where the photo cannot be read.
        """
        head = self.head
        if head is None:
            return None
        key = (name, id(head))
        prediction = self._predictions.get(key)
        if prediction is None or prediction.head is not head:
            prediction = HeadPrediction(self.store.get(self.session.open(name)), head)
            self._predictions[key] = prediction
            while len(self._predictions) > _MAX_PREDICTIONS:
                self._predictions.popitem(last=False)
        return prediction

    def training_data(self) -> TrainingSet | None:
        """What the head was fitted on last."""
        return self._data

    def _notice(self, name: str, _: int, __: Stroke | None) -> None:
        self.mark_busy()
        with self._condition:
            if name:
                self._pending.add(name)
            self._changed = True
            self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._changed or self._closed, QUIET_SECONDS)
                if self._closed:
                    return
                changed = self._changed
                self._changed = False
            try:
                if changed:
                    self._learn()
                elif self._scored != self.version and time.monotonic() > self._busy_until:
                    self._score()
            except Exception:  # a photo must not end the thread that all others need
                _log.exception("the live model failed on a stroke")
                self._publish(self.head, self.session.version)

    def _learn(self) -> None:
        version = self.session.version
        while self._pending:
            name = self._next_pending()
            self._take_samples(name)
            if self._changed or (name == self.current and self._pending):
                break  # somebody waits for this one: the others come after it
        self._fit(version)
        if self._pending:
            self._changed = True

    def _next_pending(self) -> str:
        with self._condition:
            name = self.current if self.current in self._pending else min(self._pending)
            self._pending.discard(name)
        return name

    def _take_samples(self, name: str) -> None:
        session = self.session
        with session.lock:
            record = session.project.photos.get(name)
            if record is None or name not in session.photos.paths:
                return
            active = record.active
            labels = session.unmerged_labels(name)  # a merge may be undone
        try:
            missing = [number for number in active if not self.samples.has(name, number)]
            if missing:
                features = self.store.get(session.open(name))
                for number in missing:
                    self.samples.add(name, number, active[number], record.size, features)
        except PixelwiseError as error:  # the photo is gone, or another one
            _log.warning("not learned from: %s", error)
            return
        self.samples.refresh(name, labels, active)

    def _fit(self, version: int) -> None:
        classes = self.session.classes
        data = self.samples.training_set(classes.table())
        if data is None:
            self._data = None
            self._publish(None, version)
            return
        keys = tuple(sorted(int(key) for key in np.unique(data.keys)))
        head = fit_training_set(data, keys)
        if self.scores is not None:
            head = replace(head, temperature=self.scores.temperature)
        self._data = data
        self._publish(head, version)

    def _repeated(self) -> set[int]:
        """The strokes that took a prediction over: the model would be asked for its own words."""
        with self.session.lock:
            return {
                number
                for record in self.session.project.photos.values()
                for number, stroke in record.active.items()
                if stroke.tool in ("accept", "take")
            }

    def _publish(self, head: Head | None, version: int) -> None:
        with self._condition:
            self.head = head
            self.version = version
            self._condition.notify_all()

    def _score(self) -> None:
        """Refit without each fold of strokes, while nobody draws."""
        version = self.version
        data = self._data
        head = self.head
        self._scored = version
        if data is None or head is None:
            self.scores = None
            return
        self.scores = score_folds(data, head, self._repeated())
        if self.scores is not None:
            strokes = len(self.scores.right)
            self.curve = [row for row in self.curve if row[0] < strokes]
            self.curve.append((strokes, self.scores.mean_iou))
            with self._condition:
                if self.head is head:
                    self.head = replace(head, temperature=self.scores.temperature)
