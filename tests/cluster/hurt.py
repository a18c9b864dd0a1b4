"""A worker that can be hurt: it is slow, tells what it takes up, and dies of an image called poison."""

import os
import signal
import time
from pathlib import Path

from pixelwise.cluster.worker import Worker
from pixelwise.monitor import Monitor

LOG = "PIXELWISE_TEST_LOG"


class Hurt(Worker):
    tries = 1

    def _written(self, image: str, said: Monitor) -> str:
        if log := os.environ.get(LOG):
            (Path(log) / f"{Path(image).stem}.{os.getpid()}.{time.time_ns()}").touch()
            time.sleep(0.05)
        if "poison" in image:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._written(image, said)
