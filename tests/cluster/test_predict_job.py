"""The job on two nodes of Ray's own test cluster, with a worker killed, a node removed and an image
that kills.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.cluster.engine import Cluster
from pixelwise.cluster.estimate import describe_estimate
from pixelwise.cluster.predict_job import JobSpec, predict_on_cluster
from pixelwise.errors import ConfigError, OutputError
from pixelwise.inference.label_job import Predictions
from pixelwise.inference.load import load
from pixelwise.inference.manifest import read_manifest
from pixelwise.inference.output_folder import names_in_folder
from pixelwise.inference.outputs import RECIPE
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.storage import open_store
from pixelwise.progress import Progress

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # Ray Data's of its own settings


class Said(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


def alone(model: Path, images: Path, out: Path, **choices: Any) -> dict[str, bytes]:
    """What one machine writes, by name."""
    predict_files(load(model), [images], out, choices=PredictOptions(**choices))
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name[0] != "."
    }


def test_a_job_goes_on_through_a_killed_worker_a_killing_image_and_a_removed_node(
    ray: Any, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    out = tmp_path / "out"
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(40):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(
            folder / f"{number:02}.png"
        )
    shutil.copy(folder / "00.png", folder / "poison.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    hurt = threading.Thread(target=harm, args=(ray, out))
    hurt.start()
    said = Said()
    done = predict_on_cluster(JobSpec(model, [str(folder)], str(out)), Cluster(), progress=said)
    hurt.join()
    (folder / "poison.png").unlink()
    assert len(done.written) == 40, said.lines
    reasons = {str(image): reason for image, reason in done.failed}
    assert reasons.keys() == {str(folder / "poison.png"), str(folder / "broken.png")}
    assert reasons[str(folder / "poison.png")].endswith(
        "set aside, as its worker died or hung 1 times while it was at it"
    )
    assert "cannot be read as an image" in reasons[str(folder / "broken.png")]
    expected = alone(model, folder, tmp_path / "alone")
    assert files(out) == expected, "file for file what one machine writes"
    states = Counter(row["state"] for row in read_manifest(open_store(str(out))).values())
    assert states == {"done": 40, "failed": 2}
    begun = Counter(path.name.partition(".")[0] for path in ray.test_log.iterdir())
    again = sum(begun.values()) - len(begun) - (begun["poison"] - 1)
    assert begun["poison"] == 2, "once among others, then as often alone as is allowed"
    assert again <= 3 * 3, f"only what was in work when a worker died is done again: {begun}"


def harm(ray: Any, out: Path) -> None:
    """Kill a worker when 6 images are done, and take the second node away when 16 are."""
    nodes = ray.test_cluster
    victim = None
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        done = len(list(out.glob("*.png"))) if out.is_dir() else 0
        if victim is None and done >= 6:
            victim = int(
                max(ray.test_log.iterdir(), key=lambda path: path.stat().st_mtime_ns).name.split(
                    "."
                )[1]
            )
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        if done >= 16:
            nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)
            return
        time.sleep(0.02)


def test_from_store_to_store_and_a_second_call_does_only_what_is_missing(
    ray: Any, model: Path, images: Path, s3: str, tmp_path: Path
) -> None:
    source = open_store(f"{s3}/{tmp_path.name}/in")
    out = open_store(f"{s3}/{tmp_path.name}/out")
    source.take(sorted(images.iterdir()))
    order = JobSpec(
        model, [source.root], out.root, PredictOptions(confidence=True, extras=("probabilities",))
    )
    assert len(predict_on_cluster(order, Cluster()).written) == 12
    expected = alone(model, images, tmp_path / "alone", confidence=True, extras=("probabilities",))
    assert set(out.times()) == {*expected, ".pixelwise.json"}
    from pixelwise.io.storage import filesystem

    system = filesystem(out.root)
    found = {name: system.cat_file(out.at(name)) for name in expected}
    assert {n: b for n, b in found.items() if n.endswith(".png")} == {
        n: b for n, b in expected.items() if n.endswith(".png")
    }
    system.rm_file(out.at("03.png"))
    system.rm_file(out.at("07_confidence.png"))
    before = out.times()
    again = predict_on_cluster(order, Cluster())
    assert (len(again.written), len(again.skipped), again.failed) == (2, 10, ())
    unchanged = {name for name, changed in out.times().items() if before.get(name) == changed}
    assert {f"{number:02}.png" for number in range(12) if number not in (3, 7)} <= unchanged
    assert {row["state"] for row in read_manifest(out).values()} == {"done"}
    with pytest.raises(
        ConfigError, match="masks of 12 of these images, made with another model or other options"
    ):
        predict_on_cluster(
            JobSpec(model, [source.root], out.root, PredictOptions(tta=True)), Cluster()
        )
    with pytest.raises(
        OutputError, match=r"cannot look into s3://no-such-bucket|cannot write s3://no-such-bucket"
    ):
        predict_on_cluster(JobSpec(model, [source.root], "s3://no-such-bucket/out"), Cluster())


def test_a_folder_that_workers_cannot_write_to_stops_the_job_and_says_so(
    ray: Any, model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for number in range(12):
        (out / f"{number:02}.png").mkdir()  # no file can take a folder's place
    with pytest.raises(OutputError, match=r"cannot write .*\.png.*\(reported by a worker\)"):
        predict_on_cluster(JobSpec(model, [str(images)], str(out)), Cluster())


def test_nodes_with_other_versions_or_too_little_memory_are_refused(
    ray: Any, model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = JobSpec(model, [str(images)], str(tmp_path / "out"))
    with monkeypatch.context() as patch:
        patch.setattr("pixelwise.cluster.engine.versions", lambda: {"pixelwise": "0.0.9"})
        with pytest.raises(
            ConfigError, match=r"has other versions: pixelwise \S+ there, 0\.0\.9 here"
        ):
            predict_on_cluster(order, Cluster())
    monkeypatch.setattr("pixelwise.cluster.ray_executor.PROCESS_MEMORY", 2**50)
    with pytest.raises(ConfigError, match="a worker with this model needs about 1048576"):
        predict_on_cluster(order, Cluster())
    assert files(tmp_path / "out") == {}


def test_a_mask_of_another_image_of_the_same_name_is_not_taken_for_done(
    model: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    other = tmp_path / "other"
    shutil.copytree(images, other)
    order = JobSpec(model, [str(images)], str(out))
    store = open_store(str(out))
    store.write(RECIPE, order.recipe().as_json())
    for image in sorted(images.iterdir()):
        store.take([image])  # any file of the mask's name will do
    assert len(predict_on_cluster(order, Cluster("127.0.0.1:1")).skipped) == 12, (
        "no manifest yet; it is written now"
    )
    assert len(predict_on_cluster(order, Cluster("127.0.0.1:1")).skipped) == 12
    elsewhere = replace(order, inputs=[str(other)])
    with pytest.raises(
        ConfigError, match=r"a mask 00\.png of .*/in/00\.png, another image than .*/other/00\.png"
    ):
        predict_on_cluster(elsewhere, Cluster("127.0.0.1:1"))
    shutil.rmtree(out / "manifest")
    assert len(predict_on_cluster(elsewhere, Cluster("127.0.0.1:1")).skipped) == 12, (
        "as said, for images that were moved"
    )


def test_frames_are_not_split_on_a_cluster(model: Path, images: Path, tmp_path: Path) -> None:
    choices = PredictOptions(frames="all")
    order = JobSpec(model, [str(images)], str(tmp_path / "out"), choices)
    with pytest.raises(ConfigError, match="--frames all splits files on this machine alone"):
        predict_on_cluster(order, Cluster("127.0.0.1:1"))


def test_duplicate_stems_are_refused_before_a_cluster_is_reached(
    model: Path, images: Path, tmp_path: Path
) -> None:
    Image.open(images / "00.png").save(images / "00.jpg")
    order = JobSpec(model, [str(images)], str(tmp_path / "out"))
    with pytest.raises(
        ConfigError, match=r"in/00\.jpg and .*in/00\.png would both be written as 00\.png"
    ):
        predict_on_cluster(order, Cluster("127.0.0.1:1"))


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("file://{}/in", "{}/in"),
        ("{}/in", "file://{}/in/"),
        ("{}/in/list.csv", "{}/in"),
        ("memory://{}/in/", "memory:/{}/in"),
        ("memory:/{}/in", "memory:///{}/in"),
    ],
)
def test_a_photo_in_the_folder_for_masks_is_known_by_any_spelling(
    given: str, out: str, overwrite: bool, model: Path, images: Path, tmp_path: Path
) -> None:
    open_store(f"memory:/{images}").take(images.iterdir())
    (images / "list.csv").write_text(f"image\nfile://{images}/03.png\n")
    order = JobSpec(model, [given.format(tmp_path)], out.format(tmp_path), overwrite=overwrite)
    with pytest.raises(
        ConfigError, match=r"0\d\.png, a result of .*, would overwrite an input image"
    ):
        predict_on_cluster(order, Cluster("127.0.0.1:1"))


def test_two_names_of_a_store_are_one_and_two_stores_are_two() -> None:
    pytest.importorskip("s3fs", reason="the extra cluster is not installed")
    sources = {
        "s3a://b/x/a.png": None,
        "s3://b/x/y/b.png": None,
        "memory://b/x/c.png": None,
        "/b/x/d.png": None,
    }
    assert names_in_folder(sources, open_store("s3://b/x/")) == {"a.png"}


@pytest.mark.parametrize(
    ("loading", "said"),
    [
        ({"runtime": "openvinno"}, "did you mean 'openvino'"),
        ({"runtime": "openvino"}, "openvino is not installed"),
        ({"precision": "float16"}, "unknown precision 'float16'"),
        ({"device": "gpu"}, "unknown device 'gpu': choose one of auto, cpu, cuda"),
        ({"tile": (16, 64)}, "each side must be at least 32"),
        ({"overlap": 1.0}, "choose a share of the tile"),
    ],
)
def test_options_of_the_model_that_cannot_be_are_refused_before_a_cluster_is_reached(
    loading: dict[str, Any],
    said: str,
    model: Path,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = JobSpec(
        model, [str(images)], str(tmp_path / "out"), loading={"max_memory": None, **loading}
    )
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match=said):
        predict_on_cluster(order, Cluster("127.0.0.1:1"))
    with pytest.raises(ConfigError, match=said):
        load(model, **loading)


def test_the_estimate_is_pixels_by_rate() -> None:
    assert describe_estimate([1_800_000_000] * 2, 500_000, 4) == (
        "2 images of 3600 megapixels: about 2 worker-hours at 0.50 megapixels/s a worker, 30 "
        "minutes on 4 workers"
    )


def test_images_of_a_web_server_are_labelled_as_those_on_disk(
    ray: Any, model: Path, images: Path, tmp_path: Path
) -> None:
    (images / "list.txt").write_text("\n".join(f"{number:02}.png" for number in range(12)))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=images)) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{web.server_port}/list.txt"
        done = predict_on_cluster(JobSpec(model, [address], str(tmp_path / "out")), Cluster())
        web.shutdown()
    assert (len(done.written), done.failed) == (12, ())
    (images / "list.txt").unlink()
    assert files(tmp_path / "out") == alone(model, images, tmp_path / "alone")


def test_a_job_on_shards_writes_what_one_machine_writes_for_the_files(
    ray: Any, model: Path, shards: Path, images: Path, s3: str, tmp_path: Path
) -> None:
    open_store(f"{s3}/job").take([shards / "part-0.tar"])
    order = JobSpec(
        model, [f"{s3}/job/part-0.tar", str(shards / "part-1.tar")], str(tmp_path / "out")
    )
    assert len(predict_on_cluster(order, Cluster()).written) == 12
    assert len(predict_on_cluster(order, Cluster()).skipped) == 12
    predict_files(load(model), [images], tmp_path / "alone")
    for mask in (tmp_path / "alone").glob("*.png"):
        assert (tmp_path / "out" / mask.name).read_bytes() == mask.read_bytes()


def test_one_machine_goes_on_with_a_folder_of_a_cluster_and_a_cluster_with_one_of_a_machine(
    ray: Any, model: Path, images: Path, tmp_path: Path
) -> None:
    spec = JobSpec(model, [str(images)], str(tmp_path / "out"))
    few = replace(spec, inputs=[str(images / f"{number:02}.png") for number in range(5)])
    others = [images / f"{number:02}.png" for number in range(12)]

    def on_one_machine(out: Path, inputs: list[Path]) -> Predictions:
        return predict_files(load(model), inputs, out, recipe=spec.recipe())

    predict_on_cluster(few, Cluster())
    done = on_one_machine(tmp_path / "out", others)
    assert (len(done.written), len(done.skipped)) == (7, 5)
    second = replace(spec, out=str(tmp_path / "second"))
    on_one_machine(tmp_path / "second", others[:8])
    done = predict_on_cluster(second, Cluster())
    assert (len(done.written), len(done.skipped)) == (4, 8)
    expected = alone(model, images, tmp_path / "alone")
    for out in (tmp_path / "out", tmp_path / "second"):
        assert files(out) == expected
        rows = read_manifest(open_store(out))
        assert rows.keys() == {str(image) for image in others}
        assert {row["state"] for row in rows.values()} == {"done"}
    other = tmp_path / "other/03.png"
    other.parent.mkdir()
    Image.new("RGB", (5, 5)).save(other)
    with pytest.raises(ConfigError, match=r"03\.png of .*in/03\.png, another image than .*other"):
        on_one_machine(tmp_path / "out", [other])
    with pytest.raises(ConfigError, match=r"03\.png of .*in/03\.png, another image than .*other"):
        predict_on_cluster(replace(second, inputs=[str(other)]), Cluster())


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *given: object) -> None:
        pass
