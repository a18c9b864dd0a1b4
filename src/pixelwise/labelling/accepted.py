"""The running score on accepted photos: a thread that follows the live model and works while nobody
paints.
"""

import logging
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Labels
from pixelwise.errors import PixelwiseError
from pixelwise.labelling.background import BackgroundThread
from pixelwise.labelling.live import LiveModel
from pixelwise.labelling.photo_features import spread_places
from pixelwise.labelling.photo_score import (
    MIN_ACCEPTED,
    MIN_LABELLED,
    AcceptedPhoto,
    PhotoScore,
    score_photos,
)
from pixelwise.labelling.strokes import UNLABELLED

_TICK = 1.0
# Of more accepted photos these are asked, spread over all.
MAX_PHOTOS = 200
_log = logging.getLogger(__name__)


class AcceptedPhotos(BackgroundThread):
    """Follows a live model; `score` is of the accepted photos as they were a moment ago."""

    def __init__(self, live: LiveModel) -> None:
        super().__init__("accepted photos")
        self.live = live
        self.score: PhotoScore | None = None
        self._scored: object = None
        self._vectors = dict[str, NDArray[np.float16]]()
        # labels before merging at the same places, and the entry of the journal that they follow
        self._labels = dict[str, tuple[int, Labels]]()
        self._start()

    def describe(self) -> dict[str, Any]:
        """For the page: the score, the curve, what twice the photos give, and all that in words."""
        accepted = len(self._accepted())
        score = self.score
        state: dict[str, Any] = {"accepted": accepted, "text": _describe(accepted, score)}
        if score is not None and accepted >= MIN_ACCEPTED:
            state |= {"score": asdict(score.score), "curve": [asdict(row) for row in score.curve]}
            state["classes"] = {str(key): value for key, value in score.iou.items()}
            state["forecast"] = None if score.forecast is None else asdict(score.forecast)
        return state

    def _accepted(self) -> dict[str, int]:
        """The accepted photos, and the last entry of the journal on each."""
        session = self.live.session
        with session.lock:
            photos = session.project.photos
            return {
                name: photos[name].last
                for name in session.photos.names
                if name in photos and photos[name].is_accepted
            }

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._closed or self._condition.wait_for(lambda: self._closed, _TICK):
                    return
            try:
                self._step()
            except Exception:
                _log.exception("the accepted photos could not be scored")

    def _step(self) -> None:
        """Score again where a photo was accepted, or an accepted one, or the classes, changed."""
        accepted = self._accepted()
        classes = self.live.session.classes
        table = classes.table()
        current = (tuple(accepted.items()), table.tobytes())
        if current == self._scored or self.live.version < self.live.session.version:
            return
        names = list(accepted)
        chosen = names[:: -(-len(names) // MAX_PHOTOS)] if names else []
        photos = dict[str, AcceptedPhoto]()
        for name in chosen:
            if not self._proceed():
                return
            photo = self._read(name, accepted[name], table)
            if photo is not None:
                photos[name] = photo
        samples = self.live.samples.copy()
        order = self.live.session.photos.names
        score = score_photos(samples, table, photos, order, self._proceed)
        if not self._closed:
            self._scored = current
            self.score = score

    def _proceed(self) -> bool:
        """Once nobody waits; False at the end."""
        self.live.rest_while_busy()
        return not self._closed

    def _read(self, name: str, last: int, table: Labels) -> AcceptedPhoto | None:
        """The pixels of a photo by which it is judged; None where it cannot be read, or has no
        label there.
        """
        session = self.live.session
        try:
            size = session.check_unchanged(name).size
            if name not in self._vectors:
                photo = session.photos.peek(name)
                self._vectors[name] = self.live.store.spread(photo, self.live.rest_while_busy)
        except PixelwiseError as error:
            _log.warning("not scored: %s", error)
            return None
        if self._labels.get(name, (None, None))[0] != last:
            self._labels[name] = (last, session.unmerged_labels(name)[spread_places(size)])
        keys = table[self._labels[name][1]]
        known = keys < UNLABELLED
        return AcceptedPhoto(self._vectors[name][known], keys[known]) if known.any() else None


def _describe(accepted: int, score: PhotoScore | None) -> str:
    """What is known, what is not yet, and why."""
    if accepted < MIN_ACCEPTED:
        count = f" ({accepted} so far)" if accepted else ""
        return (
            f"With {MIN_ACCEPTED} accepted photos{count} there is a score on whole photos; of "
            "fewer it would be chance."
        )
    if score is None:
        return "The score on accepted photos is being made."
    text = (
        f"on {score.accepted} accepted photos (95 % interval {score.score.low:.2f} to "
        f"{score.score.high:.2f}), each asked of a live model without it and its neighbours."
    )
    if score.forecast is None:
        return (
            f"{text} What more photos would give is said from {MIN_LABELLED} labelled ones on "
            f"({score.labelled} so far): halves of fewer tell nothing."
        )
    return f"{text} {_describe_forecast(score)}"


def _signed(value: float) -> str:
    rounded = round(value, 2)
    return f"{rounded:+.2f}".replace("-", "\N{MINUS SIGN}") if rounded else "0"


def _describe_forecast(score: PhotoScore) -> str:
    assert score.forecast is not None
    gain = f"{_signed(score.forecast.low)} to {_signed(score.forecast.high)}"
    if score.forecast.low <= 0:
        return f"Twice as many labelled photos: no gain that can be told from chance ({gain})."
    return (
        f"Twice as many labelled photos: about {score.forecast.mean_iou:.2f} ({gain}), if it goes "
        "on as from the half to now."
    )
