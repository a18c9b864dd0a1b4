"""SIMULATED: how long 100 million images take on 1 to 1,000 workers, with stragglers and failures, and what bends it.

    python benchmarks/cluster_scaling.py --rate 1.0 --out benchmarks/results/cluster_scaling.md

No cluster of this size was run. Units of work are those of `deal`; each worker takes the next one when it is free, the
driver hands them out one after the other. Measured here: the driver's time for each image before it begins, and for
each unit (of Ray Data with workers that do nothing). Given: `--rate`, megapixels/s of one core, as
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

from machine import provenance

from pixelwise.cluster.engine import Cluster, connected
from pixelwise.cluster.pool import Pool
from pixelwise.cluster.units import LARGEST, PER_WORKER, deal
from pixelwise.inference.choices import Choices
from pixelwise.jobs.results import finished, refuse_clashes
from pixelwise.monitor import Monitor

IMAGES, PIXELS = 100_000_000, 172_800
WORKERS = (1, 10, 100, 1000)
SAMPLE, UNITS = 100_000, 300


@dataclass(frozen=True)
class Assumed:
    """start: seconds until a worker has its model. spread: a unit's time varies by this share (log-normal sigma). slow:
    share of the units that take `factor` times as long. between_deaths: hours between deaths of one worker; it starts
    anew and its unit is done again from the images on that are not written.
    """

    start: float = 20.0
    spread: float = 0.1
    slow: float = 0.01
    factor: float = 5.0
    between_deaths: float = 24.0


ASSUMED = Assumed()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    before, overhead = driver_seconds() * IMAGES, handing_out()
    lines = ["| workers | units | hours | speed-up | efficiency | hours without failures and stragglers |"]
    lines.append("|---|---|---|---|---|---|")
    alone = IMAGES * PIXELS / 1e6 / args.rate
    for workers in WORKERS:
        units = -(-IMAGES * PIXELS // min(LARGEST, IMAGES * PIXELS // (workers * PER_WORKER)))
        total, calm = (before + simulated(workers, units, args.rate, overhead, a) for a in (ASSUMED, CALM))
        lines.append(
            f"| {workers} | {units} | {total / 3600:.1f} | {alone / total:.1f} | "
            f"{alone / total / workers:.1%} | {calm / 3600:.1f} |"
        )
    limit, unit = LARGEST / 1e6 / args.rate / overhead, LARGEST // 1_000_000
    told = shlex.join(["python", "benchmarks/cluster_scaling.py", "--rate", f"{args.rate}"])
    table = "\n".join(lines)
    text = f"""# Scaling of batch prediction, simulated

**Simulated, not run**: no cluster of this size was at hand.

{provenance(told)}
{IMAGES} images of {PIXELS} pixels, {args.rate} megapixels/s a worker of one core. Measured on this machine:
the driver needs {1e6 * before / IMAGES:.1f} microseconds an image before the first unit ({SAMPLE} names)
and {1e3 * overhead:.1f} ms a unit ({UNITS} units). {ASSUMED}

{table}

Two things bend it, both the driver's. It looks at all names before the first unit: {before / 60:.0f} minutes that
no worker shortens. And it hands out units one after the other: one of {unit} megapixels lasts
{unit / args.rate:.0f} s, so that it keeps {limit:.0f} workers busy at most. Not counted: the driver's memory, which
is why jobs above ten million images are to be cut, and reading the headers of images whose size no table says.
"""
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


CALM = Assumed(spread=0.0, slow=0.0, between_deaths=float("inf"))


def simulated(workers: int, units: int, rate: float, overhead: float, assumed: Assumed) -> float:
    """Seconds until the last unit is done."""
    rng, unit = random.Random(0), IMAGES * PIXELS / 1e6 / rate / units
    free = [assumed.start] * workers
    driver = last = 0.0
    for _ in range(units):
        begin = max(heapq.heappop(free), driver)
        driver = begin + overhead if driver < begin else driver + overhead
        seconds = unit * rng.lognormvariate(-(assumed.spread**2) / 2, assumed.spread)
        if rng.random() < assumed.slow:
            seconds *= assumed.factor
        if rng.random() < seconds / 3600 / assumed.between_deaths:
            seconds += assumed.start  # what it wrote stays; the image in work is lost beside that
        last = max(last, begin + seconds)
        heapq.heappush(free, begin + seconds)
    return last


class Nothing:
    """A worker that gives one row for each unit."""

    def __init__(self, task: object) -> None:
        pass

    def __call__(self, row: dict[str, object]) -> list[dict[str, object]]:
        return [{"unit": row["unit"]}]


def handing_out() -> float:
    """Seconds for each unit where workers need none."""
    with connected(Cluster("local"), Monitor()):
        rows = [{"unit": number, "images": ["/images/000000001.jpg"] * 185} for number in range(UNITS)]
        pool = Pool(1, {"num_cpus": 1}, None, None)
        found = pool.run(Nothing, None, rows)
        next(found)  # the worker is there
        began = time.perf_counter()
        assert sum(1 for _ in found) == UNITS - 1
        return (time.perf_counter() - began) / UNITS


def driver_seconds() -> float:
    """For each image: names that clash, what is there already, and units."""
    names = [f"/images/{number:09}.jpg" for number in range(SAMPLE)]
    began = time.perf_counter()
    refuse_clashes(names, "/out", Choices(), beside=frozenset(), is_large=lambda image: False)
    finished(names, "/out", Choices(), there={}, beside=frozenset(), same=True)
    deal(names, [PIXELS] * SAMPLE, workers=WORKERS[-1])
    return (time.perf_counter() - began) / SAMPLE


if __name__ == "__main__":
    main()
