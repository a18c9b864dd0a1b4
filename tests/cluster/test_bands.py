"""Large pictures in bands: the job with workers in this process, and once on Ray with a worker that is killed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from pixelwise.cluster import predict, worker
from pixelwise.cluster.bands import FOLDER
from pixelwise.cluster.engine import Cluster
from pixelwise.cluster.manifest import read_manifest
from pixelwise.cluster.pool import Ledger
from pixelwise.cluster.predict import Order, predict_on_cluster
from pixelwise.cluster.store import Store, filesystem
from pixelwise.cluster.watch import Watch
from pixelwise.cluster.worker import Task, Worker
from pixelwise.errors import ImageError
from pixelwise.inference.choices import Choices
from pixelwise.inference.load import load
from pixelwise.inference.tiles import Band
from pixelwise.jobs.predict import predict_files
from pixelwise.monitor import Monitor

rasterio = pytest.importorskip("rasterio", reason="the extra raster is not installed")

TILES: dict[str, Any] = {"tile": (64, 64), "overlap": 0.25}
ALL = Choices(confidence=True, extras=("logits",))


class Said(Monitor):
    def __init__(self) -> None:
        self.lines = list[str]()

    def line(self, text: str) -> None:
        self.lines.append(text)


class Here:
    """In place of Ray, for the worker that labels a few images first."""

    exceptions = SimpleNamespace(RayActorError=RuntimeError)

    def remote(self, **needs: Any) -> Callable[[type[Worker]], Any]:
        def made(kind: type[Worker], task: Task) -> Any:
            self.worker = kind(task)
            return SimpleNamespace(__call__=SimpleNamespace(remote=self.worker))

        return lambda kind: SimpleNamespace(remote=partial(made, kind))

    def get(self, answer: Any) -> Any:
        return answer

    def kill(self, worker: object) -> None:
        self.worker._scratch.cleanup()


class Died(BaseException):
    """In place of a process that is killed."""


class Inline:
    """In place of a Pool: workers in this process, one after the other; a unit whose worker dies goes to another one,
    at the end.
    """

    needs: Mapping[str, Any] = {}

    def __init__(self, model: Path, workers: int, ledger: Ledger | None = None) -> None:
        self.model, self.workers, self.ledger = model, workers, ledger or Ledger()

    def run(self, worker: Callable[[Task], Worker], task: Task, rows: Sequence[dict[str, Any]]) -> Iterator[Any]:
        waiting = list(rows)
        while waiting:
            row, one = waiting.pop(0), worker(task)
            try:
                yield from one(row)
            except Died:
                waiting.append(row)
            finally:
                one._scratch.cleanup()


class Told(Worker):
    """Tells which bands it labels, and does before each what a test wants done."""

    labelled: ClassVar[list[int]]
    before: ClassVar[Callable[[Band], None]]

    def _part(self, image: str, band: Band, place: Store, scratch: Path) -> None:
        type(self).before(band)
        self.labelled.append(band.number)
        super()._part(image, band, place, scratch)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> type[Told]:
    """The workers of jobs, which run in this process."""

    class Fresh(Told):
        labelled: ClassVar[list[int]] = []
        before = staticmethod(lambda band: None)

    def pool(ray: object, cluster: Cluster, model: Path, *given: object) -> Inline:
        return Inline(model, cluster.workers or 2)

    monkeypatch.setattr(predict, "connected", lambda cluster, monitor: nullcontext(Here()))
    monkeypatch.setattr(predict.Pool, "of", pool)
    monkeypatch.setattr(predict, "Worker", Fresh)
    monkeypatch.setattr(predict, "LARGE", 100_000)
    monkeypatch.setattr(worker, "held", lambda model, loading: load(model, **loading))
    monkeypatch.setattr(worker, "asked", lambda method, *given: method(*given))
    return Fresh


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a georeferenced TIFF of 860 x 150 pixels, some of them nodata, and a photo."""
    folder, rng = tmp_path / "in", np.random.default_rng(0)
    folder.mkdir()
    bands = rng.integers(1, 256, (3, 860, 150), dtype=np.uint8)
    bands[:, 400:500, 20:90] = 0
    profile = {"driver": "GTiff", "height": 860, "width": 150, "count": 3, "dtype": "uint8", "nodata": 0}
    place = rasterio.transform.from_origin(500000, 4600000, 0.5, 0.5)
    with rasterio.open(folder / "map.tif", "w", **profile, crs="EPSG:32633", transform=place) as target:
        target.write(bands)
    Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / "photo.png")
    return folder


def ordered(model: Path, source: Path, out: Path | str, **options: Any) -> Order:
    return Order(model, [str(source)], str(out), ALL, options.pop("loading", TILES), **options)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name[0] != "."}


@pytest.fixture
def alone(model: Path, source: Path, tmp_path: Path) -> dict[str, bytes]:
    """What one process writes, by name."""
    predict_files(load(model, **TILES), [source], tmp_path / "alone", choices=ALL)
    return files(tmp_path / "alone")


def test_a_band_that_dies_and_a_join_that_dies_are_taken_up_again(
    model: Path,
    source: Path,
    alone: dict[str, bytes],
    told: type[Told],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, joins = Counter[int](), []

    def before(band: Band) -> None:
        begun[band.number] += 1
        if band.number == 2 and begun[2] == 1:
            raise Died

    def join(*given: Any, **options: Any) -> None:
        joins.append(given)
        if len(joins) == 1:
            raise Died
        joined(*given, **options)

    joined, told.before = worker.join_bands, staticmethod(before)
    monkeypatch.setattr(worker, "join_bands", join)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert (done.written, done.failed) == (2, [])
    assert files(tmp_path / "out") == alone, "file for file what one process writes"
    assert begun == {0: 1, 1: 1, 2: 2, 3: 1}
    assert told.labelled == [0, 1, 3, 2]
    assert len(joins) == 2
    assert not (tmp_path / "out" / FOLDER).exists()
    rows = read_manifest(Store(str(tmp_path / "out")))
    assert rows[str(source / "map.tif")] == {
        "image": str(source / "map.tif"), "state": "done", "mask": "map.tif", "reason": "", "pixels": str(860 * 150)
    }  # fmt: skip


def test_a_job_that_is_begun_anew_labels_only_the_bands_that_are_missing(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    def before(band: Band) -> None:
        if band.number == 2:
            raise KeyboardInterrupt  # the driver's end, here

    told.before = staticmethod(before)
    with pytest.raises(KeyboardInterrupt):
        predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert told.labelled == [0, 1]
    rows = read_manifest(Store(str(tmp_path / "out")))
    assert [(row["state"], row["reason"]) for row in rows.values()] == [("part", "band 2 of 4")]
    told.before = staticmethod(lambda band: None)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=3))
    assert done.written == 2
    assert told.labelled == [0, 1, 2, 3], "in the bands of before, though other workers would take others"
    assert files(tmp_path / "out") == alone
    assert not (tmp_path / "out" / FOLDER).exists()


def test_parts_that_were_made_otherwise_are_not_taken(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    def before(band: Band) -> None:
        if band.number == 2:
            raise KeyboardInterrupt

    for options in ({"overwrite": True}, {"loading": {**TILES, "max_memory": 2**30}}):
        told.before = staticmethod(before)
        with pytest.raises(KeyboardInterrupt):
            predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
        told.before = staticmethod(lambda band: None)
        told.labelled.clear()
        predict_on_cluster(ordered(model, source, tmp_path / "out", **options), Cluster(workers=2))
        assert told.labelled == [0, 1, 2, 3], options
        assert files(tmp_path / "out") == alone
        (tmp_path / "out/map.tif").unlink()


def test_a_band_that_cannot_be_fails_its_image_once_and_a_later_call_needs_that_band_alone(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    def before(band: Band) -> None:
        if band.number in (1, 3):
            raise ImageError(f"map.tif: cannot be read from row {band.number} on")

    told.before = staticmethod(before)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert done.written == 1
    assert [reason for _, reason in done.failed] == ["map.tif: cannot be read from row 1 on"]
    rows = read_manifest(Store(str(tmp_path / "out")))
    assert {Path(image).name: row["state"] for image, row in rows.items()} == {"map.tif": "failed", "photo.png": "done"}
    told.before = staticmethod(lambda band: None)
    assert predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2)).written == 1
    assert told.labelled == [0, 2, 1, 3]
    assert files(tmp_path / "out") == alone


def test_from_store_to_store(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], s3: str, tmp_path: Path
) -> None:
    given, out = Store(f"{s3}/{tmp_path.name}/in"), Store(f"{s3}/{tmp_path.name}/out")
    given.take(sorted(source.iterdir()))
    order = Order(model, [given.root], out.root, ALL, TILES)
    assert predict_on_cluster(order, Cluster(workers=2)).written == 2
    assert sorted(told.labelled) == [0, 1, 2, 3]
    system = filesystem(out.root)
    assert {name: system.cat_file(out.at(name)) for name in alone if "npz" not in name} == {
        name: data for name, data in alone.items() if "npz" not in name
    }
    assert Store(out.at(FOLDER)).times() == {}


def test_what_a_killed_driver_left_of_finished_images_is_removed(
    model: Path, source: Path, told: type[Told], tmp_path: Path
) -> None:
    predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    left = tmp_path / "out" / FOLDER
    left.mkdir()
    for name in ("map.json", "map.0-4.tif", "map.0-4_logits.tif", "other.0-4.tif"):
        (left / name).touch()
    assert predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2)).skipped == 2
    assert [path.name for path in left.iterdir()] == ["other.0-4.tif"]


def test_a_worker_is_watched_while_it_has_work_with_the_pace_of_the_slowest_unit(
    model: Path, source: Path, told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[Any]()

    class Noted(Watch):
        def begin(self, pixels: int, pace: float) -> None:
            seen.append((pixels, pace))

        def step(self, share: float = 1.0) -> None:
            seen.append(share)

        def rest(self) -> None:
            seen.append("rest")

    monkeypatch.setattr(worker, "Watch", Noted)
    ledger = Ledger()
    assert (ledger.slowest(2e-6), ledger.slowest(1e-6)) == (2e-6, 2e-6)
    monkeypatch.setattr(predict.Pool, "of", lambda *given: Inline(model, 2, ledger))
    predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    units = [list[Any]()]
    for what in seen:
        units[-1].append(what)
        if what == "rest":
            units.append([])
    assert units.pop() == []
    assert [unit[0] for unit in units] == [(860 * 150 // 4, 2e-6)] * 4 + [(2000, 2e-6)]
    assert [unit.count(1 / 12) for unit in units] == [12, 0, 12, 12, 0], (
        "a step for each tile, and each part that is joined"
    )
    assert [unit.count(1 / 15) for unit in units] == [0, 15, 0, 15, 0]


def test_bands_that_were_measured_for_the_estimate_are_not_labelled_again(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    said, order = Said(), ordered(model, source / "map.tif", tmp_path / "out")
    predict_on_cluster(replace(order, estimate=True), Cluster(workers=2), monitor=said)
    assert said.lines[0] == f"{source / 'map.tif'}: 860 x 150 pixels in 4 bands"
    assert said.lines[1].startswith("1 images of 0 megapixels: about")
    assert told.labelled == [0, 1]
    assert predict_on_cluster(order, Cluster(workers=2)).written == 1
    assert told.labelled == [0, 1, 2, 3]
    assert all(data == alone[name] for name, data in files(tmp_path / "out").items())


def test_an_image_that_is_no_more_than_others_stays_whole(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=1))
    assert told.labelled == []
    assert files(tmp_path / "out") == alone


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Data's of its own settings
def test_on_ray_with_a_worker_that_hangs_over_a_band(
    ray: Any, model: Path, source: Path, alone: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "LARGE", 100_000)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert (done.written, done.failed) == (2, [])
    assert files(tmp_path / "out") == alone
    begun = Counter(path.name.partition(".")[0] for path in ray.test_log.glob("map-*"))
    assert begun == {"map-0": 1, "map-1": 1, "map-2": 1, "map-3": 2}, "the last one's worker was ended"
