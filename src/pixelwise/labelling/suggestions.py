"""Which photo comes next, and its features ahead of time: a thread that looks at all photos while
nobody waits.
"""

import logging
import random
from collections.abc import Sequence

from pixelwise.errors import DataError, PixelwiseError
from pixelwise.labelling.background import BackgroundThread
from pixelwise.labelling.live import LiveModel
from pixelwise.labelling.next_photo import Candidate, Doubt, rank_photos
from pixelwise.labelling.photo_features import Summary

# Photos that are looked at for the next one; of more, these are chosen at random.
MAX_PHOTOS = 2000
_log = logging.getLogger(__name__)


class Suggestions(BackgroundThread):
    """Follows a live model. `queue` are names of photos that are to come first, in order."""

    def __init__(self, live: LiveModel, queue: Sequence[str] = ()) -> None:
        super().__init__("next photos")
        self.live = live
        self.queue = list(queue)
        names = live.session.photos.names
        rng = random.Random(0)
        self._names = names if len(names) <= MAX_PHOTOS else rng.sample(names, MAX_PHOTOS)
        self._summaries = dict[str, Summary]()
        # photos that cannot be read, and why
        self.errors = dict[str, str]()
        self._first = list[str]()
        self._start()

    def note_error(self, name: str, reason: str | None) -> None:
        """A photo cannot be read and why, or can be (None)."""
        with self._condition:
            if reason:
                self.errors[name] = reason
            else:
                self.errors.pop(name, None)
            self._condition.notify_all()

    def notice(self, name: str) -> None:
        """A photo was painted on: it needs not be proposed."""
        if name in self.queue:
            self.queue.remove(name)

    def prepare_after(self, name: str) -> None:
        """A photo was opened: the one that comes next is made ready first."""
        with self._condition:
            self._first = [name, *(row.name for row in self.rank()[:2])]
            self._condition.notify_all()

    def rank(self) -> list[Candidate]:
        """The photos that were looked at, the most useful first."""
        summaries = dict(self._summaries)
        head = self.live.head
        classes = self.live.session.classes.names
        photos = self.live.session.project.photos
        labelled = [name for name, record in photos.items() if record.active]
        doubts = {}
        for name, summary in summaries.items():
            if name in photos and photos[name].active:
                continue
            if head is None:
                doubts[name] = Doubt(summary.vectors[:, :1] * 0 + 0.5)
            else:
                names = tuple(classes.get(key, "") for key in head.keys)
                doubts[name] = Doubt.of(head.logits(summary.vectors), names)
        means = {name: summary.mean for name, summary in summaries.items()}
        return rank_photos(means, doubts, labelled)

    def choose(self, order: str, current: str) -> tuple[str, str]:
        """A photo to go on with, and why. Raises DataError where none is left."""
        names = self.live.session.photos.names
        photos = self.live.session.project.photos
        left = [
            name
            for name in names
            if name != current
            and name not in self.errors
            and not (name in photos and photos[name].active)
        ]
        if not left:
            raise DataError("every photo has strokes: open one from the list to go on with it")
        if order == "any":
            return random.choice(left), "any photo without strokes"
        if order == "suggested":
            queued = next((name for name in self.queue if name != current), None)
            if queued:
                return queued, "the next of the queue"
            ranked = [row for row in self.rank() if row.name in left]
            if ranked:
                return ranked[0].name, ranked[0].reason
        later = names[names.index(current) + 1 :] if current in names else names
        return next((name for name in later if name in left), left[0]), "the next by name"

    def _run(self) -> None:
        while True:
            name = self._next()
            if name is None:
                return
            self.live.rest_while_busy()
            try:
                photo = self.live.session.photos.peek(name)
                self._summaries[name] = self.live.store.summary(photo, self.live.rest_while_busy)
                self.note_error(name, None)
            except PixelwiseError as error:
                self.note_error(name, getattr(error, "reason", str(error)))
            except Exception:  # one photo must not end what all others need
                _log.exception("%s could not be looked at", name)
                self.note_error(name, "could not be looked at; see the log")

    def _next(self) -> str | None:
        """A photo that was not looked at yet; None at the end."""
        with self._condition:
            while not self._closed:
                for name in (*self._first, *self._names):
                    if name not in self._summaries and name not in self.errors:
                        return name
                self._condition.wait()
        return None
