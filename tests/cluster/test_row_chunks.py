"""Large pictures in bands: the job with workers in this process, and once on Ray with a worker that
is killed.
"""

import errno
import os
import shutil
import subprocess
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

from pixelwise.cluster import predict_job as predict
from pixelwise.cluster import worker
from pixelwise.cluster.engine import Cluster
from pixelwise.cluster.predict_job import JobSpec, predict_on_cluster
from pixelwise.cluster.ray_executor import AttemptTracker
from pixelwise.cluster.row_chunks import FOLDER, ChunkStore
from pixelwise.cluster.watchdog import Watchdog
from pixelwise.cluster.worker import LabelTask, Worker
from pixelwise.errors import ConfigError, ImageError, OutputError
from pixelwise.inference import image_worker, predict_raster
from pixelwise.inference.batching import Batch
from pixelwise.inference.load import load
from pixelwise.inference.manifest import read_manifest
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.tiling import RowChunk
from pixelwise.io.storage import filesystem, open_store
from pixelwise.progress import Progress

rasterio = pytest.importorskip("rasterio", reason="the extra raster is not installed")

TILES: dict[str, Any] = {"tile": (64, 64), "overlap": 0.25}
ALL = PredictOptions(confidence=True, extras=("logits",))


class Said(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


class Here:
    """In place of Ray, for the worker that labels a few images first."""

    exceptions = SimpleNamespace(RayActorError=RuntimeError, OutOfMemoryError=MemoryError)

    def remote(self, **needs: Any) -> Callable[[type[Worker]], Any]:
        def made(kind: type[Worker], task: LabelTask) -> Any:
            self.worker = kind(task)
            return SimpleNamespace(__call__=SimpleNamespace(remote=self.worker))

        return lambda kind: SimpleNamespace(remote=partial(made, kind))

    def get(self, answer: Any) -> Any:
        return answer

    def kill(self, worker: object) -> None:
        self.worker._temp_folder.cleanup()


class Died(BaseException):
    """In place of a process that is killed."""


class Inline:
    """In place of a RayExecutor: workers in this process, one after the other; a unit whose worker dies
    goes to another one, at the end.
    """

    needs: Mapping[str, Any] = {}

    def __init__(self, model: Path, workers: int, attempts: AttemptTracker | None = None) -> None:
        self.model = model
        self.workers = workers
        self.attempts = attempts or AttemptTracker()

    def map(
        self, worker: Callable[[LabelTask], Worker], task: LabelTask, batches: Sequence[Batch]
    ) -> Iterator[Any]:
        waiting = [batch.as_row() for batch in batches]
        while waiting:
            row = waiting.pop(0)
            one = worker(task)
            try:
                yield from one(row)
            except Died:
                waiting.append(row)
            finally:
                one._temp_folder.cleanup()


class Told(Worker):
    """Tells which bands it labels, and does before each what a test wants done."""

    labelled: ClassVar[list[int]]
    before: ClassVar[Callable[[RowChunk], None]]

    def _label_chunk(self, image: str, chunk: RowChunk, chunks: ChunkStore) -> None:
        type(self).before(chunk)
        self.labelled.append(chunk.number)
        super()._label_chunk(image, chunk, chunks)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> type[Told]:
    """The workers of jobs, which run in this process."""

    class Fresh(Told):
        labelled: ClassVar[list[int]] = []
        before = staticmethod(lambda band: None)

    def pool(ray: object, cluster: Cluster, model: Path, *given: object) -> Inline:
        return Inline(model, cluster.workers or 2)

    monkeypatch.setattr(predict, "connect", lambda cluster, progress: nullcontext(Here()))
    monkeypatch.setattr(predict.RayExecutor, "create", pool)
    monkeypatch.setattr(predict, "Worker", Fresh)
    monkeypatch.setattr(predict, "MIN_DIVIDED_PIXELS", 100_000)
    monkeypatch.setattr(
        worker, "load_predictor", lambda model, loading, attempts: load(model, **loading)
    )
    monkeypatch.setattr(worker, "call_actor", lambda method, *given: method(*given))
    return Fresh


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a georeferenced TIFF of 860 x 150 pixels, some of them nodata, and a photo."""
    folder = tmp_path / "in"
    rng = np.random.default_rng(0)
    folder.mkdir()
    bands = rng.integers(1, 256, (3, 860, 150), dtype=np.uint8)
    bands[:, 400:500, 20:90] = 0
    profile = {
        "driver": "GTiff",
        "height": 860,
        "width": 150,
        "count": 3,
        "dtype": "uint8",
        "nodata": 0,
    }
    place = rasterio.transform.from_origin(500000, 4600000, 0.5, 0.5)
    with rasterio.open(
        folder / "map.tif", "w", **profile, crs="EPSG:32633", transform=place
    ) as target:
        target.write(bands)
    Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / "photo.png")
    return folder


def ordered(model: Path, source: Path, out: Path | str, **options: Any) -> JobSpec:
    return JobSpec(model, [str(source)], str(out), ALL, options.pop("loading", TILES), **options)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name[0] != "."
    }


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
    begun = Counter[int]()
    joins = []

    def before(band: RowChunk) -> None:
        begun[band.number] += 1
        if band.number == 2 and begun[2] == 1:
            raise Died

    def join(*given: Any, **options: Any) -> None:
        joins.append(given)
        if len(joins) == 1:
            raise Died
        joined(*given, **options)

    joined = worker.join_row_chunks
    told.before = staticmethod(before)
    monkeypatch.setattr(worker, "join_row_chunks", join)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert (len(done.written), done.failed) == (2, ())
    assert files(tmp_path / "out") == alone, "file for file what one process writes"
    assert begun == {0: 1, 1: 1, 2: 2, 3: 1}
    assert told.labelled == [0, 1, 3, 2]
    assert len(joins) == 2
    assert not (tmp_path / "out" / FOLDER).exists()
    rows = read_manifest(open_store(str(tmp_path / "out")))
    assert rows[str(source / "map.tif")] == {
        "image": str(source / "map.tif"),
        "state": "done",
        "mask": "map.tif",
        "reason": "",
        "pixels": str(860 * 150),
        "bytes": str((source / "map.tif").stat().st_size),
        "modified": str((source / "map.tif").stat().st_mtime_ns),
    }


def test_a_job_that_is_begun_anew_labels_only_the_bands_that_are_missing(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    def before(band: RowChunk) -> None:
        if band.number == 2:
            raise KeyboardInterrupt  # the driver's end, here

    told.before = staticmethod(before)
    with pytest.raises(KeyboardInterrupt):
        predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert told.labelled == [0, 1]
    rows = read_manifest(open_store(str(tmp_path / "out")))
    assert [(row["state"], row["reason"]) for row in rows.values()] == [
        ("part", "row chunk 2 of 4")
    ]
    told.before = staticmethod(lambda band: None)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=3))
    assert len(done.written) == 2
    assert told.labelled == [0, 1, 2, 3], (
        "in the bands of before, though other workers would take others"
    )
    assert files(tmp_path / "out") == alone
    assert not (tmp_path / "out" / FOLDER).exists()


def test_parts_that_were_made_otherwise_are_not_taken(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    def before(band: RowChunk) -> None:
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


def test_parts_of_another_picture_of_the_same_name_and_size_are_not_taken(
    model: Path, source: Path, begun: Path, told: type[Told], tmp_path: Path
) -> None:
    other = tmp_path / "2024/map.tif"
    map_ = source / "map.tif"
    other.parent.mkdir()
    other.write_bytes(map_.read_bytes())
    shutil.copytree(begun, tmp_path / "second")
    os.utime(map_, ns=(0, map_.stat().st_mtime_ns + 1))  # as if it had been replaced
    for picture, folder in ((other, begun), (map_, tmp_path / "second")):
        told.labelled.clear()
        predict_on_cluster(ordered(model, picture, folder), Cluster(workers=2))
        assert told.labelled == [0, 1, 2, 3], picture


def test_a_band_that_cannot_be_fails_its_image_once_and_a_later_call_needs_that_band_alone(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    def before(band: RowChunk) -> None:
        if band.number in (1, 3):
            raise ImageError(f"map.tif: cannot be read from row {band.number} on")

    told.before = staticmethod(before)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert len(done.written) == 1
    assert [reason for _, reason in done.failed] == ["map.tif: cannot be read from row 1 on"]
    rows = read_manifest(open_store(str(tmp_path / "out")))
    assert {Path(image).name: row["state"] for image, row in rows.items()} == {
        "map.tif": "failed",
        "photo.png": "done",
    }
    told.before = staticmethod(lambda band: None)
    assert (
        len(
            predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2)).written
        )
        == 1
    )
    assert told.labelled == [0, 2, 1, 3]
    assert files(tmp_path / "out") == alone


def test_from_store_to_store(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], s3: str, tmp_path: Path
) -> None:
    given = open_store(f"{s3}/{tmp_path.name}/in")
    out = open_store(f"{s3}/{tmp_path.name}/out")
    given.take(sorted(source.iterdir()))
    order = JobSpec(model, [given.root], out.root, ALL, TILES)
    assert len(predict_on_cluster(order, Cluster(workers=2)).written) == 2
    assert sorted(told.labelled) == [0, 1, 2, 3]
    system = filesystem(out.root)
    assert {name: system.cat_file(out.at(name)) for name in alone if "npz" not in name} == {
        name: data for name, data in alone.items() if "npz" not in name
    }
    assert open_store(out.at(FOLDER)).times() == {}


def test_what_a_killed_driver_left_of_finished_images_is_removed(
    model: Path, source: Path, told: type[Told], tmp_path: Path
) -> None:
    predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    left = tmp_path / "out" / FOLDER
    left.mkdir()
    for name in ("map.json", "map.0-4.tif", "map.0-4_logits.tif"):
        (left / name).touch()
        (left / f".{Path(name).stem}.ab_c1234{Path(name).suffix}").touch()
    for name in (others := {"other.0-4.tif", ".other.0-4.ab_c1234.tif", ".map.part"}):
        (left / name).touch()
    assert (
        len(
            predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2)).skipped
        )
        == 2
    )
    assert {path.name for path in left.iterdir()} == others


def test_a_worker_is_watched_while_it_has_work_with_the_pace_of_the_slowest_unit(
    model: Path, source: Path, told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[Any]()

    class Noted(Watchdog):
        def begin(self, pixels: int, pace: float) -> None:
            seen.append((pixels, pace))

        def step(self, share: float = 1.0) -> None:
            seen.append(share)

        def end(self) -> None:
            seen.append("rest")

    monkeypatch.setattr(worker, "Watchdog", Noted)
    attempts = AttemptTracker()
    assert (attempts.slowest_pace(2e-6), attempts.slowest_pace(1e-6)) == (2e-6, 2e-6)
    monkeypatch.setattr(predict.RayExecutor, "create", lambda *given: Inline(model, 2, attempts))
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


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All files in a folder and those in it, with the times they were written."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in paths
    }


@pytest.fixture
def begun(model: Path, source: Path, told: type[Told], tmp_path: Path) -> Path:
    """A folder with the results of the photo, areas, and two bands of four of the map."""
    folder = tmp_path / "begun"
    choices = replace(ALL, extras=("logits", "areas"))
    order = ordered(model, source / "photo.png", folder)
    predict_on_cluster(replace(order, choices=choices), Cluster(workers=2))
    told.before = staticmethod(stopping_at(2))
    with pytest.raises(KeyboardInterrupt):
        predict_on_cluster(ordered(model, source, folder), Cluster(workers=2))
    told.before = staticmethod(lambda band: None)
    told.labelled.clear()
    assert {"areas.csv", ".pixelwise.json", ".bands/map.json", ".bands/map.0-4.tif"} <= everything(
        folder
    ).keys()
    return folder


def stopping_at(number: int) -> Callable[[RowChunk], None]:
    """The end of the driver when a band is begun."""

    def before(band: RowChunk) -> None:
        if band.number == number:
            raise KeyboardInterrupt

    return before


@pytest.mark.parametrize("tile", [64, 96])
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_estimate_and_a_job_that_is_refused_leave_what_is_there(
    tile: int,
    overwrite: bool,
    model: Path,
    source: Path,
    begun: Path,
    told: type[Told],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = everything(begun)
    said = Said()
    loading = {**TILES, "tile": (tile, tile)}
    order = ordered(model, source / "map.tif", begun, overwrite=overwrite, loading=loading)
    predict_on_cluster(replace(order, estimate=True), Cluster(workers=2), progress=said)
    assert said.lines[-1].startswith("1 images of 0 megapixels: about")
    assert everything(begun) == before

    def refuse(*given: object) -> None:
        raise ConfigError("node 7 does not see it")

    monkeypatch.setattr(predict.RayExecutor, "create", refuse)
    with pytest.raises(ConfigError, match="node 7"):
        predict_on_cluster(order, Cluster(workers=2))
    assert everything(begun) == before


def test_after_an_estimate_a_job_may_be_another(
    model: Path, source: Path, told: type[Told], tmp_path: Path, alone: dict[str, bytes]
) -> None:
    for part in (source, source / "map.tif", source / "photo.png"):
        order = ordered(
            model, part, tmp_path / "out", loading={**TILES, "tile": (96, 96)}, estimate=True
        )
        predict_on_cluster(order, Cluster(workers=2))
        assert everything(tmp_path / "out") == {}
    assert (
        len(
            predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2)).written
        )
        == 2
    )
    assert files(tmp_path / "out") == alone


def test_an_estimate_measures_anew_and_counts_what_is_left(
    model: Path, source: Path, begun: Path, told: type[Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[Any]()
    said = Said()
    order = ordered(model, source, begun)

    def estimated(order: JobSpec) -> Any:
        predict_on_cluster(replace(order, estimate=True), Cluster(workers=2), progress=said)
        return seen[-1]

    monkeypatch.setattr(
        predict,
        "describe_estimate",
        lambda pixels, rate, workers: seen.append(sorted(pixels)) or "",
    )
    assert estimated(order) == [860 * 150 // 2]
    assert estimated(replace(order, overwrite=True)) == [2000, 860 * 150]
    assert told.labelled == [0, 1], "of the map alone: photos tell where there are some"

    def join(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(worker, "join_row_chunks", join)
        with pytest.raises(KeyboardInterrupt):
            predict_on_cluster(order, Cluster(workers=2))
    count = len(seen)
    estimated(order)
    assert (len(seen), said.lines[-1]) == (
        count,
        "nothing is left to measure: all row chunks are labelled, and only to be joined",
    )
    predict_on_cluster(order, Cluster(workers=2))
    estimated(order)
    assert (len(seen), said.lines[-1]) == (count, "nothing is left to measure: all masks exist")


def test_an_estimate_that_cannot_be_says_why(
    model: Path, source: Path, told: type[Told], tmp_path: Path
) -> None:
    def before(band: RowChunk) -> None:
        raise RuntimeError("the worker was killed")

    told.before = staticmethod(before)
    order = ordered(model, source / "map.tif", tmp_path / "out", estimate=True)
    with pytest.raises(
        ConfigError, match=r"no estimate: the worker died \(the worker was killed\)"
    ):
        predict_on_cluster(order, Cluster(workers=2))
    (source / "photo.png").write_bytes(b"\x89PNG")
    order = replace(order, inputs=[str(source / "photo.png")])
    with pytest.raises(ConfigError, match=r"no estimate.*could be labelled: .*photo\.png"):
        predict_on_cluster(order, Cluster(workers=2))
    assert everything(tmp_path / "out") == {}


def test_before_a_long_job_small_images_are_measured_and_those_count(
    model: Path, source: Path, told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "MIN_PIXELS_FOR_ESTIMATE", 1000)
    photo = (source / "photo.png").read_bytes()
    said = Said()
    assert (
        len(
            predict_on_cluster(
                ordered(model, source, tmp_path / "out"), Cluster(workers=1), progress=said
            ).written
        )
        == 2
    )
    assert not [line for line in said.lines if "about" in line], (
        "one large image and one more are not worth it"
    )
    for number in range(7):
        (source / f"{number}.png").write_bytes(photo)
    done = predict_on_cluster(
        ordered(model, source, tmp_path / "more"), Cluster(workers=1), progress=said
    )
    assert (len(done.written), done.failed) == (9, ())
    assert [line for line in said.lines if line.startswith("9 images of 0 megapixels: about")]


def test_an_image_that_is_no_more_than_others_stays_whole(
    model: Path, source: Path, alone: dict[str, bytes], told: type[Told], tmp_path: Path
) -> None:
    predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=1))
    assert told.labelled == []
    assert files(tmp_path / "out") == alone


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Data's of its own settings
def test_on_ray_with_a_worker_that_hangs_over_a_band(
    ray: Any,
    model: Path,
    source: Path,
    alone: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predict, "MIN_DIVIDED_PIXELS", 100_000)
    done = predict_on_cluster(ordered(model, source, tmp_path / "out"), Cluster(workers=2))
    assert (len(done.written), done.failed) == (2, ())
    assert files(tmp_path / "out") == alone
    begun = Counter(path.name.partition(".")[0] for path in ray.test_log.glob("map-*"))
    assert begun == {"map-0": 1, "map-1": 1, "map-2": 1, "map-3": 2}, (
        "the last one's worker was ended"
    )


def test_a_full_disk_for_temporary_files_stops_the_job_with_a_line(
    model: Path, source: Path, told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["tar", "-cf", tmp_path / "part.tar", "-C", source, "photo.png"], check=True)
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*given: object) -> None:
        raise full

    monkeypatch.setattr(image_worker, "extract_image", refuse)
    order = ordered(model, tmp_path / "part.tar", tmp_path / "out")
    with pytest.raises(
        OutputError,
        match=r"photo\.png: .*No space left on device; temporary .*\(reported by a worker\)",
    ):
        predict_on_cluster(order, Cluster(workers=2))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("choices", "loading", "said"),
    [
        (ALL, {"max_memory": 100_000}, "allow more with --max-memory, or cut the picture"),
        (
            PredictOptions(smallest=9),
            {},
            "leave out --smallest-area and --largest, or cut the picture",
        ),
    ],
)
def test_a_picture_that_is_too_large_for_what_is_asked_fails_by_name_and_the_others_go_on(
    workers: int,
    choices: PredictOptions,
    loading: dict[str, Any],
    said: str,
    model: Path,
    source: Path,
    told: type[Told],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predict_raster, "MAX_PIXELS", 100_000)
    order = ordered(model, source, tmp_path / "out", loading={**TILES, **loading})
    done = predict_on_cluster(replace(order, choices=choices), Cluster(workers=workers))
    assert (len(done.written), [image for image, _ in done.failed]) == (1, [source / "map.tif"])
    assert done.failed[0][1].startswith(f"{source / 'map.tif'}: ")
    assert said in done.failed[0][1]


def test_drafts_of_killed_workers_go_at_the_end_and_old_ones_at_the_beginning(
    model: Path, source: Path, told: type[Told], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "manifest").mkdir(parents=True)
    young = [".photo.abcdefgh.png", ".map_logits.abcdefgh.tif"]
    old = [".photo.8765abcd.png"]
    kept = [".gone.abcdefgh.png", ".photo.png", "photo.abcdefgh.png", ".notes.txt"]
    for name in (*young, *old, *kept):
        (out / name).touch()
    hours = (out / ".notes.txt").stat().st_mtime - 2 * 3600
    for name in (*old, *kept[1:]):
        os.utime(out / name, (hours, hours))
    predict_on_cluster(ordered(model, source, out), Cluster(workers=2))
    assert [name for name in (*young, *old, *kept) if (out / name).exists()] == kept


def test_an_image_that_cannot_be_read_is_said_to_be_that_however_often_its_unit_is_lost(
    model: Path, tmp_path: Path, told: type[Told]
) -> None:
    broken = tmp_path / "broken.png"
    attempts = AttemptTracker()
    broken.write_bytes(b"\x89PNG\r\n")
    one = Worker(
        LabelTask(str(tmp_path / "out"), model, {}, PredictOptions(), frozenset(), attempts)
    )
    row = {"batch": 0, "images": [str(broken)], "pixels": [1], "chunk": 0, "of": 1}
    for _ in range(6):
        (found,) = one(row)
        assert "cannot be read as an image" in found["reason"]
    for _ in range(3):
        attempts.begin(f"{broken} {RowChunk(0, 1)}")  # and a worker that dies then
    (found,) = one(row)
    assert "set aside, as its worker died or hung 3 times" in found["reason"]
    one._temp_folder.cleanup()


@pytest.mark.parametrize("place", ["disk", "memory"])
def test_folders_of_equal_names_are_mirrored_by_workers_too(
    place: str, model: Path, source: Path, told: type[Told], tmp_path: Path
) -> None:
    shutil.copytree(source, tmp_path / "two/left")
    shutil.copytree(source, tmp_path / "two/right")
    bright = Image.open(source / "photo.png").point(lambda value: 255 - value)
    bright.save(tmp_path / "two/right/photo.png")
    inputs = [str(tmp_path / "two/left"), str(tmp_path / "two/right")]
    predict_files(load(model, **TILES), inputs, tmp_path / "alone", choices=ALL)
    out = tmp_path / "out" if place == "disk" else f"memory://{tmp_path}/out"
    spec = JobSpec(model, inputs, str(out), ALL, TILES)
    done = predict_on_cluster(spec, Cluster(workers=2))
    assert (len(done.written), done.failed) == (4, ())
    assert told.labelled, "the maps go in row chunks"
    if place == "memory":
        filesystem("memory://").get(f"{out}/", str(tmp_path / "out"), recursive=True)
    for side in ("left", "right"):
        assert files(tmp_path / "out" / side) == files(tmp_path / "alone" / side)
    masks = [tmp_path / "out" / side / "photo.png" for side in ("left", "right")]
    assert masks[0].read_bytes() != masks[1].read_bytes()
    assert not list((tmp_path / "out" / FOLDER).glob("*"))
    again = predict_on_cluster(spec, Cluster(workers=2))
    assert len(again.skipped) == 4
