from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.inference.sources import find_images
from pixelwise.labelling.class_list import first_classes
from pixelwise.labelling.desk import Desk
from pixelwise.labelling.feature_cache import FeatureCache
from pixelwise.labelling.live import LiveModel
from pixelwise.labelling.photo_features import FeatureStore
from pixelwise.labelling.photos import Photos, name_photos
from pixelwise.labelling.session import Session
from pixelwise.labelling.suggestions import Suggestions
from pixelwise.labelling.takeover import Takeover

from .fake_features import extract_colours

NAMES = ("grass", "sky")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos of 60 x 80: green below a blue upper half."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.jpg"):
        rgb = rng.integers(0, 40, (60, 80, 3), np.uint8)
        rgb[:30, :, 2] += 180
        rgb[30:, :, 1] += 150
        Image.fromarray(rgb).save(folder / name)
    return folder


@pytest.fixture
def open_session(photos: Path, tmp_path: Path) -> Iterator[Callable[[], Session]]:
    """Opens the project as a new process would, the one before it as if it had been killed."""
    sessions: list[Session] = []

    def opened() -> Session:
        if sessions:
            sessions[-1].journal.close()
        session = Session(tmp_path / "labels", Photos(name_photos(find_images([photos]))))
        if not session.version:
            session.begin(first_classes(NAMES), {"photos": [str(photos)]})
        sessions.append(session)
        return session

    yield opened
    for session in sessions:
        session.journal.close()


@pytest.fixture
def make_desk(open_session: Callable[[], Session], tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Opens the project's desk, with features that are its colours and no training."""
    desks: list[Desk] = []

    def opened(**options: Any) -> Desk:
        store = FeatureStore(extract_colours, FeatureCache(10**8, tmp_path / "cache"))
        session = open_session()
        live = LiveModel(session, store)
        predictor = options.get("predictor")
        takeover = Takeover(live, predictor, minutes=0)
        desk = Desk(session, live, Suggestions(live, options.get("queue", ())), takeover)
        desks.append(desk)
        return desk

    yield opened
    for desk in desks:
        desk.takeover.close()
        desk.accepted.close()
        desk.suggestions.close()
        desk.live.close()
        desk.writer.close()
