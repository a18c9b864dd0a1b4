"""A worker that can be hurt: slow, it tells what it takes up, dies of an image called poison, and
hangs when it takes up the fourth row chunk of an image for the first time; and whom to hurt.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pixelwise.cluster import watchdog as watch
from pixelwise.cluster.row_chunks import ChunkStore
from pixelwise.cluster.worker import Worker
from pixelwise.inference.tiling import RowChunk
from pixelwise.progress import Progress

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
LOG = "PIXELWISE_TEST_LOG"


class Hurt(Worker):
    max_attempts = 1

    def _label_chunk(self, image: str, chunk: RowChunk, chunks: ChunkStore) -> None:
        if log := os.environ.get(LOG):
            (
                Path(log) / f"{Path(image).stem}-{chunk.number}.{os.getpid()}.{time.time_ns()}"
            ).touch()
            if chunk.number == 3 and len(list(Path(log).glob(f"{Path(image).stem}-3.*"))) == 1:
                watch.MIN_STEP_S = 1.0
                self._watchdog.begin(1, 1e-9)
                time.sleep(3600)
        super()._label_chunk(image, chunk, chunks)

    def _label_image(self, image: str, messages: Progress) -> str:
        if log := os.environ.get(LOG):
            (Path(log) / f"{Path(image).stem}.{os.getpid()}.{time.time_ns()}").touch()
            time.sleep(0.05)
        if "poison" in image:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._label_image(image, messages)


def processes(cluster: Any, name: str) -> list[int]:
    """Those of a test cluster's nodes that do what is called `name`."""
    nodes = cluster.list_all_nodes()
    raylets = {info.process.pid for node in nodes for info in node.all_processes.get("raylet", [])}
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and name.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
