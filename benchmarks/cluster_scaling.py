"""SIMULATED: how long 100 million images take on 1 to 1,000 workers, with stragglers and failures,
and what bends it.

python benchmarks/cluster_scaling.py --rate 3.0 --out benchmarks/results/cluster_scaling.md

No cluster of this size was run. The images are ten jobs, one after the other, as the driver's
memory asks for. Units of work are those of `deal`; each worker takes the next one when it is free;
the driver hands them out and takes back their rows, one after the other. Measured here: the
driver's time for each image before it begins, for each unit, and for each image that comes back
(Ray Data with workers that do nothing). Given: `--rate`, megapixels/s of one core, as
benchmarks/cluster.py measures it. Assumed: see Assumed.
"""

import argparse
import heapq
import random
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from machine import provenance

from pixelwise.cluster.engine import Cluster, connect
from pixelwise.cluster.ray_executor import RayExecutor
from pixelwise.inference.batching import MAX_BATCH_PIXELS, Batch, make_batches, next_batch_pixels
from pixelwise.inference.manifest import Manifest
from pixelwise.inference.outputs import check_clashes, find_finished
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.storage import Store, open_store
from pixelwise.progress import Progress

IMAGES = 100_000_000
JOBS = 10
PIXELS = 172_800
WORKERS = (1, 10, 100, 1000)
SAMPLE = 100_000
UNITS = 200
MANY = 185


@dataclass(frozen=True)
class Assumed:
    """start: seconds until a worker has its model. spread: a unit's time varies by this share
    (log-normal sigma). slow: share of the units that take `factor` times as long. between_deaths:
    hours between deaths of one worker; it starts anew and its unit is done again from the images on
    that are not written.
    """

    start: float = 20.0
    spread: float = 0.1
    slow: float = 0.01
    factor: float = 5.0
    between_deaths: float = 24.0


ASSUMED = Assumed()
CALM = Assumed(spread=0.0, slow=0.0, between_deaths=float("inf"))


@dataclass(frozen=True)
class Costs:
    """Seconds of the driver: for an image before the first unit, for a unit, and for an image that
    comes back.
    """

    before: float
    unit: float
    image: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    costs = measured()
    lines = [
        "| workers | units | hours | speed-up | efficiency | hours without failures and "
        "stragglers |"
    ]
    lines.append("|---|---|---|---|---|---|")
    alone = IMAGES * PIXELS / 1e6 / args.rate
    for workers in WORKERS:
        units = sizes(workers)
        total, calm = (
            JOBS * simulated(workers, units, args.rate, costs, assumed)
            for assumed in (ASSUMED, CALM)
        )
        lines.append(
            f"| {workers} | {JOBS * len(units)} | {total / 3600:.1f} | {alone / total:.1f} | "
            f"{alone / total / workers:.1%} | {calm / 3600:.1f} |"
        )
    text = page(args.rate, costs, lines)
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def page(rate: float, costs: Costs, lines: list[str]) -> str:
    told = shlex.join(["python", "benchmarks/cluster_scaling.py", "--rate", f"{rate}"])
    unit = MAX_BATCH_PIXELS / 1e6
    limit = unit / rate / (costs.unit + costs.image * MAX_BATCH_PIXELS / PIXELS)
    return f"""# Scaling of batch prediction, simulated

**Simulated, not run**: no cluster of this size was at hand.

{provenance(told)}
{IMAGES} images of {PIXELS} pixels in {JOBS} jobs, {rate} megapixels/s a worker of one core. Measured on this machine:
the driver needs {1e6 * costs.before:.1f} microseconds an image before the first unit ({SAMPLE} names),
{1e3 * costs.unit:.1f} ms a unit and {1e6 * costs.image:.1f} microseconds an image that comes back ({UNITS} units of 1
and of {MANY} images). {ASSUMED}

{chr(10).join(lines)}

What bends it is the driver, one process: it looks at all names before the first unit, {costs.before * IMAGES / 60:.0f}
minutes in all that no worker shortens, and it hands out units and takes back rows one after the other. A unit of
{unit:.0f} megapixels lasts {unit / rate:.0f} s, so that one driver keeps {limit:.0f} workers busy at most. Stragglers
cost what one unit takes longer at the end of each job. Not counted: reading the headers of images whose size no
table says, and what stores and disks can carry.
"""


def sizes(workers: int) -> list[int]:
    """Pixels of each unit of a job, as `make_batches` makes them."""
    total = IMAGES // JOBS * PIXELS
    found = list[int]()
    left = total
    while left > 0:
        found.append(min(left, next_batch_pixels(left, total, workers)))
        left -= found[-1]
    return found


def simulated(workers: int, units: list[int], rate: float, costs: Costs, assumed: Assumed) -> float:
    """Seconds until the last unit of a job is done."""
    rng = random.Random(0)
    begun = costs.before * IMAGES / JOBS
    free = [begun + assumed.start] * workers
    driver = last = begun
    for pixels in units:
        begin = driver = (
            max(heapq.heappop(free), driver) + costs.unit + costs.image * pixels / PIXELS
        )
        seconds = pixels / 1e6 / rate * rng.lognormvariate(-(assumed.spread**2) / 2, assumed.spread)
        if rng.random() < assumed.slow:
            seconds *= assumed.factor
        if rng.random() < seconds / 3600 / assumed.between_deaths:
            seconds += assumed.start  # what it wrote stays; the image in work is lost beside that
        last = max(last, begin + seconds)
        heapq.heappush(free, begin + seconds)
    return last


class Nothing:
    """A worker that gives one row for each image."""

    def __init__(self, task: object) -> None:
        pass

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        mask = {"mask": "000000001.png", "pixels": PIXELS, "seconds": 0.1, "messages": ""}
        return [{"image": image, "state": "done", "reason": "", **mask} for image in row["images"]]


def measured() -> Costs:
    with connect(Cluster("local", 2), Progress()), TemporaryDirectory() as folder:
        few, many = (handing_out(images, open_store(folder)) for images in (1, MANY))
    image = (many - few) / (MANY - 1)
    return Costs(before_beginning(), few - image, image)


def handing_out(images: int, store: Store) -> float:
    """Seconds for each unit of so many images where two workers need none, its rows in the manifest
    included.
    """
    names = ("/images/000000001.jpg",) * images
    batches = [Batch(number, names, (PIXELS,) * images) for number in range(UNITS)]
    rows = RayExecutor(2, {"num_cpus": 0.1}, None, None).map(Nothing, None, batches)
    manifest = Manifest(store)
    manifest.add(next(rows))  # a worker is there
    began = time.perf_counter()
    for row in rows:
        manifest.add(row)
    manifest.close()
    return (time.perf_counter() - began) / (UNITS - 1)


def before_beginning() -> float:
    """For each image: names that clash, what is there already, and units."""
    names = [f"/images/{number:09}.jpg" for number in range(SAMPLE)]
    began = time.perf_counter()
    check_clashes(names, "/out", PredictOptions(), inputs=frozenset(), is_large=lambda image: False)
    find_finished(
        names, "/out", PredictOptions(), times={}, inputs=frozenset(), is_same_recipe=True
    )
    make_batches(names, [PIXELS] * SAMPLE, workers=WORKERS[-1])
    return (time.perf_counter() - began) / SAMPLE


if __name__ == "__main__":
    main()
