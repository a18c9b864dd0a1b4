"""Which runtime is fastest is measured in a process behind the server, which answers meanwhile with
the one that begins soonest.

As a program: `python -m pixelwise.serving.measure MODEL PRECISION HEIGHT WIDTH` measures, and keeps
the choice in the user's cache.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from threading import Lock, Thread
from types import TracebackType

import numpy as np

from pixelwise.datasets.synthetic import draw_scene
from pixelwise.errors import PixelwiseError
from pixelwise.inference.backends.autotune import AutoRunner
from pixelwise.inference.ensemble import Ensemble
from pixelwise.inference.layer_predictor import predict_any
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.threads import CALLS
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape

_log = logging.getLogger(__name__)


def warm_up(predictor: Predictor) -> None:
    """What the first images would wait for: memory is taken, runtimes that are still to be measured
    are, and networks are prepared for one call and for several at once.
    """
    scene, _ = draw_scene(np.random.default_rng(0), (480, 640), 7)
    channels = predictor.rule.channels
    if channels is not None:  # any values will do
        scene = np.resize(scene, (*scene.shape[:2], channels.count))
    predict_any(predictor, scene)
    with CALLS.expect_many():
        predict_any(predictor, scene)


class InterimRunner:
    """Runs what begins soonest until the choice of `auto` is known, and that from then on."""

    def __init__(self, auto: AutoRunner) -> None:
        self.auto = auto
        self.runner: Runner = auto.make_soonest()

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        return self.runner(rgb)

    def specialize_for_shape(self) -> Runner:
        """As the present runner is."""
        return specialize_for_shape(self.runner)

    def release_memory(self) -> None:
        """As the present runner does."""
        release_memory(self.runner)


def begin_at_once(predictors: Mapping[str, Predictor]) -> dict[str, Predictor]:
    """Let those with runtimes to be measured answer before they are; gives them by name."""
    unmeasured = dict[str, Predictor]()
    for name, predictor in predictors.items():
        for member in _members(predictor):
            if isinstance(member.runner, AutoRunner) and member.runner.chosen is None:
                member.runner = InterimRunner(member.runner)
                unmeasured[name if member is predictor else member.name] = member
    return unmeasured


def _members(predictor: Predictor) -> Iterator[Predictor]:
    """The models of an ensemble, or the one that it is."""
    if not isinstance(predictor, Ensemble):
        yield predictor
        return
    for member in predictor.members:
        yield from _members(member)


class Measurement:
    """While it is entered, what `begin_at_once` gave is measured, one after another, and changes
    over to the fastest.
    """

    def __init__(self, unmeasured: Mapping[str, Predictor]) -> None:
        self._unmeasured = unmeasured
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._lock = Lock()
        self._thread = Thread(target=self._measure_all, name="measure")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()
        self._thread.join()

    def _measure_all(self) -> None:
        for name, predictor in self._unmeasured.items():
            with self._lock:
                if self._stopped:
                    return
                self._process = subprocess.Popen(_command(predictor), stdin=subprocess.DEVNULL)
            self._process.wait()
            if not self._stopped:
                _change_over(name, predictor)


def _command(predictor: Predictor) -> list[str]:
    interim = predictor.runner
    precision = interim.auto.precision if isinstance(interim, InterimRunner) else None
    sides = map(str, predictor.tile)
    return [sys.executable, "-m", __name__, predictor.name, precision or "", *sides]


def _change_over(name: str, predictor: Predictor) -> None:
    interim = predictor.runner
    if not isinstance(interim, InterimRunner):
        return
    if not interim.auto.recall():
        _log.warning("%s: the runtimes could not be measured; it goes on as it began", name)
        return
    trial = Predictor(interim.auto, predictor.classes, tile=predictor.tile)
    trial.sizes = predictor.sizes
    try:
        warm_up(trial)
    except PixelwiseError as error:
        _log.warning("%s: goes on as it began, as the fastest runtime fails: %s", name, error)
        return
    interim.runner = interim.auto
    _log.info("%s: answers with the fastest runtime from now on", name)


def main(model: str, precision: str, height: str, width: str) -> None:
    """Measure the runtimes of a model, at low priority."""
    if hasattr(os, "nice"):
        os.nice(5)
    tile = (int(height), int(width))
    warm_up(load(model, runtime="auto", precision=precision or None, tile=tile, layers=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
