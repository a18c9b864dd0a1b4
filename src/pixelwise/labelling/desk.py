"""What the page can ask for: photos, windows of their layers, strokes, classes, the next photo."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Labels
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.io.images import encode_image
from pixelwise.labelling.accepted import AcceptedPhotos
from pixelwise.labelling.live import LiveModel
from pixelwise.labelling.mask_writer import MaskWriter
from pixelwise.labelling.photo_rows import PhotoRows
from pixelwise.labelling.photos import TILE
from pixelwise.labelling.predictions import Prediction, predict_window
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.session import Session
from pixelwise.labelling.suggestions import Suggestions
from pixelwise.labelling.takeover import Takeover
from pixelwise.labelling.tools import make_stroke, shrink_labels

# Pixels of a window that are sent at once: a large screen twice over.
MAX_WINDOW = 16_000_000
_MAX_ID = 64
ORDERS = ("suggested", "any", "name")


class Desk:
    """One project, one live model, one page. Methods take numbers of photos and JSON of requests;
    they raise PixelwiseError for what cannot be.
    """

    def __init__(
        self, session: Session, live: LiveModel, suggestions: Suggestions, takeover: Takeover
    ) -> None:
        self.session = session
        self.writer = MaskWriter(session)
        self.live = live
        self.suggestions = suggestions
        self.takeover = takeover
        self.accepted = AcceptedPhotos(live)
        self.page = _page_version(session)
        self._rows = PhotoRows()
        self._rows_lock = Lock()

    def close(self) -> None:
        """End all threads and processes, and write the last masks."""
        self.takeover.close()
        self.accepted.close()
        self.suggestions.close()
        self.live.close()
        self.writer.close()
        self.session.close()

    def state(self, since: int = -1) -> dict[str, Any]:
        """All that the page shows beside the photo; of the photos those that changed after the
        revision `since`, each with its number.
        """
        with self._rows_lock:
            self._rows.update([self._photo_row(name) for name in self.session.photos.names])
            photos = self._rows.since(since)
            revision = self._rows.revision
        return {
            "page": self.page,
            "version": self.session.version,
            "folder": str(self.session.folder),
            "classes": self._classes(),
            "merged": self._merged(),
            "revision": revision,
            "photos": photos,
            "score": self._score(),
            "accepted": self.accepted.describe(),
            "model": self.takeover.describe(),
            "alert": self.writer.error,
        }

    def open_photo(self, number: int) -> dict[str, Any]:
        """Size, levels and history of a photo, which is the one in hand from now on."""
        name = self._name(number)
        try:
            photo = self.session.open(name)
        except ImageError as error:
            self.suggestions.note_error(name, error.reason)
            raise
        self.suggestions.note_error(name, None)
        self.live.current = name
        self.suggestions.prepare_after(name)
        return {
            "number": number,
            "name": name,
            "size": photo.size,
            "tile": TILE,
            "levels": [level.shape[:2] for level in photo.levels],
            **self._history(name),
        }

    def tile(self, number: int, level: int, row: int, column: int) -> bytes:
        """A tile of a photo as JPEG."""
        photo = self.session.photos.open(self._name(number))
        if not 0 <= level < len(photo.levels) or row < 0 or column < 0:
            raise DataError("there is no such tile: load the page again")
        tile = photo.tile(level, row, column)
        if not tile.size:
            raise DataError("the tile lies beyond the photo: load the page again")
        return encode_image(tile, "JPEG")

    def label_window(self, number: int, level: int, box: Box) -> Labels:
        """The labels of a window, (h, w): class keys, 254 for none and 255 for void."""
        name = self._name(number)
        self._check_window(name, level, box)
        return shrink_labels(self.session.labels(name), level, box)

    def prediction_window(
        self, number: int, level: int, box: Box, version: int
    ) -> NDArray[np.uint8] | None:
        """Predicted class keys and confidence (2, h, w) of a window, once the model has learned
        what happened before `version`; None while there is no model.
        """
        name = self._name(number)
        self._check_window(name, level, box)
        self.live.wait(min(version, self.session.version))
        prediction = self._prediction(name)
        if prediction is None:
            return None
        window = predict_window(prediction, level, box)
        return np.stack([window.labels, window.confidence])

    def stroke(self, number: int, request: Mapping[str, Any]) -> dict[str, Any]:
        """Paint; the answer comes when the stroke is on the disk."""
        name = self._name(number)
        act = _act_id(request)
        if not self.session.has_done(act):
            stroke = make_stroke(request, _PhotoCanvas(self, name))
            self.session.add(name, stroke, act)
            self.suggestions.notice(name)
        return self._history(name)

    def undo(self, number: int, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take back the last stroke."""
        name = self._name(number)
        act = _act_id(request)
        if not self.session.has_done(act) and not self.session.undo(name, act):
            raise DataError("there is nothing to undo on this photo")
        return self._history(name)

    def redo(self, number: int, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do again what was taken back last."""
        name = self._name(number)
        act = _act_id(request)
        if not self.session.has_done(act) and not self.session.redo(name, act):
            raise DataError("there is nothing to redo on this photo")
        return self._history(name)

    def change_classes(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Add, rename, recolour, merge or part again: `{"act": ..., "key": ..., ...}`."""
        act = request.get("act")
        if act == "add":
            self.session.add_class(request.get("name"), request.get("colour"))
        elif act == "change":
            key = _whole(request, "key")
            self.session.change_class(key, request.get("name"), request.get("colour"))
        elif act == "merge":
            self.session.merge_classes(_whole(request, "key"), _whole(request, "into"))
        elif act == "part":
            self.session.part_class(_whole(request, "key"))
        else:
            raise ConfigError(f"act is {str(act)[:40]}: allowed are add, change, merge and part")
        return self.state()

    def set_training(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Pause the trainings behind the page, or go on: `{"paused": true}`."""
        self.takeover.set_paused(bool(request.get("paused")))
        return self.takeover.describe()

    def next_photo(self, order: str, after: int) -> dict[str, Any]:
        """The number of a photo to label, and why."""
        if order not in ORDERS:
            raise ConfigError(f"order is {order[:40]}: allowed are {', '.join(ORDERS)}")
        names = self.session.photos.names
        current = names[after] if 0 <= after < len(names) else ""
        name, reason = self.suggestions.choose(order, current)
        return {"number": names.index(name), "name": name, "reason": reason}

    def predict(self, name: str, box: Box) -> Labels:
        """The predicted class keys of a window of the whole photo. Raises DataError while there is
        no model.
        """
        self.live.wait(self.session.version)
        prediction = self._prediction(name)
        if prediction is None:
            raise DataError(
                "there is no prediction yet: paint a stroke of each of two classes first"
            )
        return predict_window(prediction, 0, box).labels

    def _prediction(self, name: str) -> Prediction | None:
        return self.takeover.prediction(name) or self.live.prediction(name)

    def _name(self, number: int) -> str:
        names = self.session.photos.names
        if not 0 <= number < len(names):
            raise DataError(f"there is no photo {number}: load the page again")
        return names[number]

    def _check_window(self, name: str, level: int, box: Box) -> None:
        height, width = self.session.size(name)
        is_inside = (
            0 <= level <= 16
            and min(box.top, box.left) >= 0
            and min(box.height, box.width) > 0
            and (box.top + box.height - 1) << level < height
            and (box.left + box.width - 1) << level < width
        )
        if not is_inside:
            raise DataError("the window lies outside of the photo: load the page again")
        if box.height * box.width > MAX_WINDOW:
            raise DataError(f"the window has more than {MAX_WINDOW} pixels: ask for a smaller one")

    def _history(self, name: str) -> dict[str, Any]:
        record = self.session.project.photos.get(name)
        return {
            "version": self.session.version,
            "strokes": len(record.active) if record else 0,
            "redo": len(record.undone) if record else 0,
            "accepted": bool(record and record.is_accepted),
        }

    def _classes(self) -> list[dict[str, Any]]:
        classes = self.session.classes
        return [
            {"key": key, "name": name, "colour": classes.colours[key]}
            for key, name in classes.names.items()
        ]

    def _merged(self) -> list[dict[str, Any]]:
        classes = self.session.classes
        return [
            {"key": key, "name": classes.former[key][0], "into": into}
            for key, into in classes.merged.items()
        ]

    def _photo_row(self, name: str) -> dict[str, Any]:
        record = self.session.project.photos.get(name)
        row = {"name": name, "strokes": len(record.active) if record else 0}
        if record and record.is_accepted:
            row["accepted"] = True
        error = self.suggestions.errors.get(name)
        if error:
            row["error"] = error
        return row

    def _score(self) -> dict[str, Any] | None:
        scores = self.live.scores
        if scores is None:
            return None
        names = self.session.classes.names
        return {
            "mean_iou": scores.mean_iou,
            "strokes": len(scores.right),
            "right": float(np.mean(list(scores.right.values()))),
            "classes": {str(key): value for key, value in scores.iou.items() if key in names},
            "curve": self.live.curve,
        }


class _PhotoCanvas:
    """The photo in hand, for the tools."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._name = name
        self.labels = desk.session.labels(name)
        self.names = desk.session.classes.names

    def predict(self, box: Box) -> Labels:
        return self._desk.predict(self._name, box)


def _act_id(request: Mapping[str, Any]) -> str:
    """What the page calls the act, so that it is done once however often it is sent."""
    act = request.get("id", "")
    if not isinstance(act, str) or len(act) > _MAX_ID:
        raise ConfigError(f"id is {str(act)[:40]}: allowed is a text of at most {_MAX_ID} signs")
    return act


def _whole(request: Mapping[str, Any], field: str) -> int:
    value = request.get(field)
    if type(value) is not int:
        raise ConfigError(f"{field} is {str(value)[:40]}: allowed is the key of a class")
    return value


def _page_version(session: Session) -> str:
    """Changes with the page's files, the program, the project and the numbers of its photos: what
    an older page, or one of another project, sends is not for this one.
    """
    static = Path(__file__).parents[1] / "serving/static/label"
    project = [str(session.folder.resolve()), *session.photos.names]
    digest = hashlib.sha256("\0".join(project).encode(errors="surrogateescape"))
    for path in sorted(static.glob("*")):
        digest.update(path.read_bytes())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
