import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pixelwise
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError, DataError, OutputError
from pixelwise.inference import label_job
from pixelwise.inference.label_job import Predictions
from pixelwise.inference.manifest import read_manifest
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sources import find_images
from pixelwise.inference.threads import WORKERS
from pixelwise.io.storage import Store, filesystem, open_store
from pixelwise.progress import Progress


class Lines(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


def quarters(rgb: np.ndarray) -> np.ndarray:
    """Instead of a model: the class is the red channel's quarter."""
    return np.stack([rgb[:, 0] // 64 == quarter for quarter in range(4)], axis=1).astype(np.float32)


def predictor() -> Predictor:
    return Predictor(quarters, Classes.named(("a", "b", "c", "d")))


def test_masks_have_the_inputs_size_and_the_classes_palette(photo: Path, tmp_path: Path) -> None:
    done = predict_files(
        predictor(),
        [photo],
        tmp_path / "out",
        choices=PredictOptions(overlay=True, confidence=True),
    )
    assert done.written == (tmp_path / "out/photo.png",)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["photo.png", "photo_confidence.png", "photo_overlay.jpg"]
    with Image.open(done.written[0]) as mask, Image.open(photo) as image:
        assert mask.size == image.size
        assert mask.mode == "P"
        red = np.asarray(image)[..., 0].astype(int)
        assert np.array_equal(np.asarray(mask), red * 4 // 256)


def test_a_broken_image_is_named_and_the_others_go_on(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(photo, folder / "a.jpg")
    (folder / "b.jpg").write_bytes(photo.read_bytes()[:300])
    shutil.copy(photo, folder / "c.jpg")
    (folder / "readme.txt").touch()
    done = predict_files(predictor(), [folder, tmp_path / "absent.jpg"], tmp_path / "out")
    assert [path.name for path in done.written] == ["a.png", "c.png"]
    assert [path.name for path, _ in done.failed] == ["b.jpg", "absent.jpg"]


def test_what_reading_did_is_counted_over_the_run(tmp_path: Path) -> None:
    eight = np.random.default_rng(0).integers(0, 256, (12, 10), dtype=np.uint8)
    eight[0, 0] = 255
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.tif"):
        Image.fromarray(eight.astype(np.uint16) << 2).save(folder / name)
    Image.fromarray(eight).save(folder / "plain.png")
    Image.fromarray(np.dstack([eight, eight // 255 * 0])).save(folder / "z.png")
    progress = Lines()
    done = predict_files(predictor(), [folder], tmp_path / "out", progress=progress)
    assert not done.failed
    assert progress.lines == [done.reading]
    assert done.reading == (
        "how the pictures were read: 2 of 16 bits with values to 1020 are scaled from 10 bits; "
        "1 with transparent parts is put on white"
    )
    for name in ("a", "b", "plain"):
        with Image.open(tmp_path / f"out/{name}.png") as mask:
            assert np.array_equal(np.asarray(mask), eight // 64), name
    with Image.open(tmp_path / "out/z.png") as mask:
        assert (np.asarray(mask) == 3).all(), "white"


def write_scan(path: Path) -> Path:
    """Three pages of sizes of their own, of classes 0, 2 and 3; the last is cut off."""
    pages = [
        Image.new("RGB", (size, size + 2), (red, 0, 0))
        for size, red in ((10, 9), (14, 150), (8, 250))
    ]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    path.write_bytes(path.read_bytes()[:-30])
    return path


def test_each_page_gets_a_mask_and_one_that_is_cut_off_fails_alone(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.tif")
    Image.new("RGB", (5, 5), (70, 0, 0)).save(tmp_path / "plain.png")
    options = PredictOptions(frames="all")
    recipe = Recipe({"model": "one"})
    inputs = [scan, tmp_path / "plain.png"]
    done = predict_files(predictor(), inputs, tmp_path / "out", choices=options, recipe=recipe)
    names = [path.name for path in done.written]
    assert sorted(names) == ["plain.png", "scan_0001.png", "scan_0002.png"]
    assert not done.reading
    ((page, reason),) = done.failed
    assert str(page) == f"{scan}#frame=3"
    assert reason.startswith(f"{scan}, frame 3: cannot be read as an image")
    for name, value, size in (("scan_0001", 0, (10, 12)), ("scan_0002", 2, (14, 16))):
        with Image.open(tmp_path / f"out/{name}.png") as mask:
            assert mask.size == size
            assert (np.asarray(mask) == value).all()
    rows = read_manifest(open_store(str(tmp_path / "out")))
    assert rows[f"{scan}#frame=2"]["mask"] == "scan_0002.png"
    again = predict_files(predictor(), inputs, tmp_path / "out", choices=options, recipe=recipe)
    assert len(again.skipped) == 3
    assert len(again.failed) == 1


@pytest.mark.parametrize(
    ("frames", "reading"),
    [
        (
            None,
            "how the pictures were read: 1 of up to 3 frames or pages is read by the first of "
            "them alone; --frames all labels each",
        ),
        ("first", ""),
    ],
)
def test_the_first_page_is_labelled_and_its_choice_silences_the_note(
    tmp_path: Path, frames: str | None, reading: str
) -> None:
    scan = write_scan(tmp_path / "scan.tif")
    choices = PredictOptions(frames=frames)
    done = predict_files(predictor(), [scan], tmp_path / "out", choices=choices)
    assert [path.name for path in done.written] == ["scan.png"]
    assert done.reading == reading


def test_pages_do_not_take_the_names_of_other_results(tmp_path: Path) -> None:
    write_scan(tmp_path / "scan.tif")
    Image.new("RGB", (5, 5)).save(tmp_path / "scan_0002.jpg")
    with pytest.raises(ConfigError, match=r"scan\.tif#frame=2 .*scan_0002\.png"):
        predict_files(
            predictor(), [tmp_path], tmp_path / "out", choices=PredictOptions(frames="all")
        )


def test_an_unknown_choice_of_frames_is_refused() -> None:
    with pytest.raises(ConfigError, match="frames is 'each': allowed is one of first, all"):
        PredictOptions(frames="each")


def test_a_model_reads_more_than_8_bits_as_its_training_did(tmp_path: Path) -> None:
    path = tmp_path / "dark.tif"
    Image.fromarray(np.full((8, 8), 1000, np.uint16)).save(path)
    model = predictor()
    assert (model.predict(path).labels == 3).all(), "1000 of 1023"
    model.reading = {"common_bits": 12}
    result = model.predict(path)
    assert (result.labels == 0).all(), "1000 of 4095"
    assert [str(note) for note in result.notes] == [
        "of 16 bits with values to 1000, scaled from 12 bits"
    ]
    predict_files(model, [path], tmp_path / "out")
    with Image.open(tmp_path / "out/dark.png") as mask:
        assert not np.asarray(mask).any()


def test_files_in_a_folder_that_are_no_pictures_are_counted(
    photo: Path, tmp_path: Path, model_file: Callable[..., Path]
) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    shutil.copy(photo, folder / "one.JPG")
    shutil.copy(photo, folder / "two.jfif")
    Image.open(photo).save(folder / "three.avif")
    for name in ("clip.mp4", "a.txt", "b.txt", "._one.JPG", "Thumbs.db", "noending"):
        (folder / name).write_bytes(b"x")
    progress = Lines()
    done = pixelwise.predict(
        model_file(), folder, tmp_path / "out", progress=progress, runtime="torch"
    )
    assert [path.name for path in done.written] == ["one.png", "three.png", "two.png"]
    assert "4 files left aside: .txt 2, .mp4 1, without ending 1" in progress.lines
    for name in ("one.JPG", "two.jfif", "three.avif"):
        (folder / name).unlink()
    with pytest.raises(DataError, match=r"no images in .* \(4 files left aside: \.txt 2,"):
        find_images([folder])


def test_results_that_would_collide_are_refused_before_anything_is_written(
    photo: Path, tmp_path: Path
) -> None:
    other = tmp_path / "photo.png"
    Image.open(photo).save(other)
    with pytest.raises(ConfigError, match=r"both be written as photo\.png"):
        predict_files(predictor(), [photo, other], tmp_path / "out")
    with pytest.raises(ConfigError, match="overwrite an input"):
        predict_files(predictor(), [other], tmp_path)
    assert not (tmp_path / "out").exists()


def test_nothing_to_predict_and_nowhere_to_write_are_said(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images in"):
        predict_files(predictor(), [tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(OutputError, match="is a file"):
        predict_files(predictor(), [photo], photo)


def test_patterns_and_lists_name_images(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "deep/c.jpg", "odd[1].jpg"):
        shutil.copy(photo, folder / name)
    (folder / "list.txt").write_text(
        "\ufeff# chosen\n\nb.jpg\n../in/deep/c.jpg\n", encoding="utf-8"
    )
    names = lambda *given: [p.name for p in find_images(given)]  # noqa: E731
    assert names(f"{folder}/?.jpg") == ["a.jpg", "b.jpg"]
    assert names(f"{folder}/**/*.jpg") == ["a.jpg", "b.jpg", "c.jpg", "odd[1].jpg"]
    assert names(folder / "odd[1].jpg") == ["odd[1].jpg"]
    assert names(folder / "list.txt") == ["b.jpg", "c.jpg"]
    assert names(folder / "a.jpg", f"{folder}/?.jpg") == ["a.jpg", "b.jpg"], "the same image once"
    with pytest.raises(DataError, match=r"no file matches .*\*\.webp"):
        find_images([f"{folder}/*.webp"])
    with pytest.raises(DataError, match=r"no\.txt: cannot be read as a list"):
        find_images([folder / "no.txt"])


def test_extras_are_written_and_a_second_call_misses_none(photo: Path, tmp_path: Path) -> None:
    choices = PredictOptions(extras=("probabilities", "areas", "seams"))
    recipe = Recipe({"model": "a"})
    said: list[str] = []
    progress = Progress()
    progress.log = said.append  # type: ignore[method-assign]
    predict_files(
        predictor(), [photo], tmp_path / "out", choices=choices, recipe=recipe, progress=progress
    )
    assert said == ["photo.jpg: one tile, so no seams"]
    with (
        np.load(tmp_path / "out/photo_probabilities.npz") as found,
        Image.open(tmp_path / "out/photo.png") as mask,
    ):
        scores = found["probabilities"]
        assert scores.dtype == np.float16
        np.testing.assert_allclose(scores.astype(float).sum(0), 1, atol=2e-3)
        assert np.array_equal(scores.argmax(0), np.asarray(mask))
        assert found["classes"].tolist() == ["a", "b", "c", "d"]
    table = (tmp_path / "out/areas.csv").read_text()
    again = predict_files(predictor(), [photo], tmp_path / "out", choices=choices, recipe=recipe)
    assert again.skipped == (photo,)
    assert (tmp_path / "out/areas.csv").read_text() == table
    other = predict_files(
        predictor(),
        [photo],
        tmp_path / "out",
        choices=PredictOptions(extras=("logits",)),
        recipe=recipe,
    )
    assert len(other.written) == 1, "its logits were not there yet"


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"extras": ("polygon",)}, "did you mean 'polygons'"),
        ({"extras": ("logits", "probabilities")}, "choose one"),
        ({"smallest": -1}, "smallest area -1"),
        ({"scales": (1.0, 5.0)}, "scale 5.0: choose from 0.25 to 4.0"),
    ],
)
def test_choices_that_cannot_be_are_refused(choices: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        PredictOptions(**choices)


def test_a_folder_that_takes_no_files_is_named(photo: Path) -> None:
    with pytest.raises(OutputError, match="cannot write /proc/pixelwise"):
        predict_files(predictor(), [photo], "/proc/pixelwise")


def test_a_full_disk_keeps_what_is_written_and_leaves_no_half_file(
    photo: Path, tmp_path: Path
) -> None:
    rough = tmp_path / "rough.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)).save(
        rough
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signals = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        with pytest.raises(OutputError, match=r"rough\.png: no space left"):
            predict_files(predictor(), [photo, rough], tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signals)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.png"]


def test_a_file_that_vanishes_on_the_way_is_named(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    shutil.copy(photo, other)

    def thief(rgb: np.ndarray) -> np.ndarray:
        other.unlink(missing_ok=True)
        return quarters(rgb)

    images = [tmp_path / f"{n}.jpg" for n in range(WORKERS + 1)]
    for image in images:
        shutil.copy(photo, image)
    done = predict_files(
        Predictor(thief, Classes.named(("a", "b", "c", "d"))), [*images, other], tmp_path / "out"
    )
    assert [(path.name, "no such file" in why) for path, why in done.failed] == [
        ("other.jpg", True)
    ]
    assert len(done.written) == WORKERS + 1


def always(label: int) -> Predictor:
    def run(rgb: np.ndarray) -> np.ndarray:
        return (
            np.repeat(np.eye(4, dtype=np.float32)[label].reshape(1, 4, 1, 1), len(rgb), 0)
            + 0 * rgb[:, :1]
        )

    return Predictor(run, Classes.named(("a", "b", "c", "d")))


def labels(path: Path) -> list[int]:
    with Image.open(path) as mask:
        return np.unique(np.asarray(mask)).tolist()


@pytest.mark.parametrize("more", [{"confidence": True}, {"overlay": True}, {"extras": ("logits",)}])
def test_masks_of_another_model_are_refused_also_when_more_is_asked_for(
    more: dict, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_files(always(1), [photo], out, recipe=Recipe({"model": "a"}))
    with pytest.raises(ConfigError, match="masks of 1 of these images, made with another model"):
        predict_files(
            always(2), [photo], out, choices=PredictOptions(**more), recipe=Recipe({"model": "b"})
        )
    assert labels(out / "photo.png") == [1]
    assert len(
        predict_files(
            always(1), [photo], out, choices=PredictOptions(**more), recipe=Recipe({"model": "a"})
        ).written
    )


def test_a_mask_of_another_image_is_not_taken_for_ones_own(photo: Path, tmp_path: Path) -> None:
    days = [tmp_path / "day1", tmp_path / "day2"]
    out = tmp_path / "out"
    recipe = Recipe({"model": "m"})
    for shift, day in enumerate(days):
        day.mkdir()
        Image.fromarray(np.roll(np.asarray(Image.open(photo)), 40 * shift, axis=1)).save(
            day / "a.png"
        )

    def labelled(day: Path, recipe: Recipe = recipe) -> tuple[int, int]:
        done = predict_files(predictor(), [day], out, recipe=recipe)
        return len(done.written), len(done.skipped)

    assert labelled(days[0]) == (1, 0)
    assert labelled(days[0]) == (0, 1)
    with pytest.raises(ConfigError, match=r"has a mask a.png of .*day1.*give --overwrite"):
        labelled(days[1])
    shutil.copy(days[1] / "a.png", days[0] / "a.png")  # the image is replaced by another
    assert labelled(days[0]) == (1, 0)
    days[0].rename(tmp_path / "moved")
    assert labelled(tmp_path / "moved") == (0, 1)
    red = np.asarray(Image.open(days[1] / "a.png"))[..., 0].astype(int)
    assert np.array_equal(np.asarray(Image.open(out / "a.png")), red * 4 // 256)
    assert labelled(days[1], Recipe({"model": "m"}, overwrite=True)) == (1, 0)
    assert labelled(days[1]) == (0, 1)
    with pytest.raises(ConfigError, match="another image than"):
        labelled(tmp_path / "moved")
    last_part = max((out / "manifest").iterdir())
    last_part.write_text(last_part.read_text()[:-9])  # a crash cut its last line
    assert labelled(days[1]) == (0, 1), "written after the image and by the same recipe"
    later = (out / "a.png").stat().st_mtime + 10
    os.utime(days[1] / "a.png", (later, later))
    assert labelled(days[1]) == (1, 0), "the image has changed since"


def test_drafts_of_a_killed_command_go_once_they_are_old(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    old, young, foreign = (
        out / name for name in (".photo.5vugtfqm.png", ".photo.abcd_123.png", ".my.settings.png")
    )
    for path in (old, young, foreign):
        path.touch()
    for path in (old, foreign):
        os.utime(path, (0, 0))
    predict_files(predictor(), [photo], out)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [young.name, foreign.name, "photo.png"]
    )


def test_an_image_beside_which_its_mask_goes_is_no_mask(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "plain.tif")
    done = predict_files(
        always(1), [tmp_path / "plain.tif"], tmp_path, recipe=Recipe({"model": "a"})
    )
    assert [path.name for path in done.written] == ["plain.png"]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("y_overlay.jpg", PredictOptions(overlay=True)),
        ("y_confidence.png", PredictOptions(confidence=True)),
    ],
)
def test_no_result_takes_the_place_of_an_input(
    name: str, choices: PredictOptions, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(photo, folder / "y.jpg")
    Image.open(photo).save(folder / name)
    before = (folder / name).read_bytes()
    (tmp_path / "link").symlink_to(folder)
    for out in (folder, tmp_path / "link"):
        with pytest.raises(
            ConfigError, match=rf"{name}, a result of .*y\.jpg, would overwrite an input"
        ):
            predict_files(predictor(), [folder / "y.jpg", folder / name], out, choices=choices)
    assert (folder / name).read_bytes() == before
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("order", [1, -1])
def test_a_confidence_and_a_mask_of_one_name_are_refused(
    order: int, photo: Path, tmp_path: Path
) -> None:
    images = [tmp_path / "z.jpg", tmp_path / "z_confidence.jpg"][::order]
    for image in images:
        shutil.copy(photo, image)
    with pytest.raises(ConfigError, match=r"both be written as z_confidence\.png"):
        predict_files(
            predictor(), images, tmp_path / "out", choices=PredictOptions(confidence=True)
        )
    assert len(predict_files(predictor(), images, tmp_path / "out").written) == 2


@pytest.mark.parametrize("said", ["rasterio is not installed", "labelled in strips"])
def test_an_overwrite_that_cannot_be_leaves_the_folder_as_it_was(
    said: str, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    old = Recipe({"model": "a"})
    new = Recipe({"model": "a", "smallest": 9}, overwrite=True)
    predict_files(predictor(), [photo], out, recipe=old)
    if said == "labelled in strips":
        monkeypatch.setattr(label_job, "MAX_PIXELS", 1000)
    else:
        monkeypatch.setitem(sys.modules, "rasterio.features", None)
    with pytest.raises(ConfigError, match=said):
        predict_files(predictor(), [photo], out, choices=PredictOptions(smallest=9), recipe=new)
    assert predict_files(predictor(), [photo], out, recipe=old).skipped == (photo,)


def test_the_table_of_areas_grows_and_goes_with_the_masks(photo: Path, tmp_path: Path) -> None:
    images = [tmp_path / f"{name}.png" for name in "abc"]
    for image in images:
        Image.open(photo).save(image)
    out = tmp_path / "out"
    recipe = Recipe({"model": "a"})
    areas = PredictOptions(extras=("areas",))

    def table() -> dict[str, list[str]]:
        rows = [line.split(",") for line in (out / "areas.csv").read_text().splitlines()]
        assert rows[0][0] == "mask"
        return {
            mask: [row[1] for row in rows if row[0] == mask]
            for mask in sorted({row[0] for row in rows[1:]})
        }

    predict_files(always(1), images[:2], out, choices=areas, recipe=recipe)
    predict_files(always(1), images[2:], out, choices=areas, recipe=recipe)
    assert table() == {"a.png": ["b"], "b.png": ["b"], "c.png": ["b"]}
    (out / "a.png").unlink()
    again = Recipe({"model": "a"}, overwrite=True)
    predict_files(always(2), images[1:2], out, choices=areas, recipe=again)
    assert table() == {"b.png": ["c"], "c.png": ["b"]}, (
        "one mask is gone, one was made anew, one stayed"
    )
    predict_files(always(3), images, out, recipe=again)
    assert not (out / "areas.csv").exists(), "it would name other labels than the masks have"
    (out / "areas.csv").write_text("somebody's own\n")
    predict_files(always(3), images, out, recipe=again)
    assert (out / "areas.csv").read_text() == "somebody's own\n"


def test_names_that_are_no_unicode_are_written_into_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "t.png")
    (tmp_path / "t.png").rename(os.fsdecode(os.fsencode(folder) + b"/b\xe4.png"))
    for _ in range(2):
        done = predict_files(
            always(1), [folder], tmp_path / "out", choices=PredictOptions(extras=("areas",))
        )
        assert len(done.written) == 1
    Image.new("RGB", (20, 20)).save(tmp_path / "t.png")
    predict_files(
        always(1), [tmp_path / "t.png"], tmp_path / "out", choices=PredictOptions(extras=("areas",))
    )
    lines = (tmp_path / "out/areas.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1:] == [r"b\udce4.png,b,400,1.000000,", "t.png,b,400,1.000000,"]


@pytest.mark.parametrize("size", [(66_000, 4), (40, 65_490)])
def test_an_overlay_that_no_jpeg_can_hold_is_left_out_and_the_others_go_on(
    size: tuple[int, int], photo: Path, tmp_path: Path
) -> None:
    """Of 65,490 rows the image alone would fit, but not with its legend."""
    Image.new("RGB", size).save(tmp_path / "long.png")
    said: list[str] = []
    progress = Progress()
    progress.log = said.append  # type: ignore[method-assign]
    images = [tmp_path / "long.png", photo]
    choices = PredictOptions(overlay=True)
    done = predict_files(always(1), images, tmp_path / "out", choices=choices, progress=progress)
    assert [path.name for path in done.written] == ["long.png", "photo.png"]
    assert [line.split(": ")[1] for line in said] == [
        "no overlay, as a JPEG file holds 65500 pixels a side at most"
    ]
    assert [path.name for path in (tmp_path / "out").glob("*.jpg")] == ["photo_overlay.jpg"]


def test_no_more_tiles_run_at_once_than_are_said_however_many_images(tmp_path: Path) -> None:
    running = [0]
    most = [0]
    lock = threading.Lock()

    def counted(rgb: np.ndarray) -> np.ndarray:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.003)
        with lock:
            running[0] -= 1
        return quarters(rgb)

    images = [tmp_path / f"{n}.png" for n in range(6)]
    for image in images:
        Image.new("RGB", (160, 160)).save(image)
    predict_files(
        Predictor(counted, Classes.named(tuple("abcd")), tile=(32, 32)), images, tmp_path / "out"
    )
    assert 1 < most[0] <= WORKERS


def content(store: Store) -> dict[str, bytes]:
    """The results in a store, by name."""
    system = filesystem(store.root)
    return {name: system.cat_file(store.at(name)) for name in store.times() if name[0] != "."}


@pytest.mark.parametrize("kind", ["s3", "memory"])
def test_from_store_to_store_without_a_cluster_and_again_only_what_is_missing(
    kind: str, images: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root = request.getfixturevalue("s3") if kind == "s3" else "memory://"
    source = open_store(f"{root}{'/' if kind == 's3' else ''}{tmp_path.name}/in")
    out = open_store(f"{root}{'/' if kind == 's3' else ''}{tmp_path.name}/out")
    source.take(sorted(images.iterdir()))
    source.write("broken.png", "no picture")
    choices = PredictOptions(confidence=True, extras=("logits",))
    recipe = Recipe({"model": "m"})

    def labelled() -> Predictions:
        return predict_files(
            predictor(), [f"{source.root}/*.png"], out.root, choices=choices, recipe=recipe
        )

    first = labelled()
    assert len(first.written) == 12
    assert set(first.written) == {out.at(f"{number:02}.png") for number in range(12)}
    ((image, reason),) = first.failed
    assert str(image).endswith("/in/broken.png")
    assert reason.startswith(f"{image}: cannot be read as an image")
    predict_files(predictor(), [images], tmp_path / "alone", choices=choices)
    masks = {path.name: path.read_bytes() for path in (tmp_path / "alone").glob("*.png")}
    assert {name: data for name, data in content(out).items() if name.endswith(".png")} == masks
    out.remove(["03.png", "07_confidence.png"])
    second = labelled()
    assert sorted(second.written) == [out.at("03.png"), out.at("07.png")]
    assert len(second.skipped) == 10
    assert {row["state"] for row in read_manifest(out).values()} == {"done", "failed"}


def test_a_photo_of_a_web_server_and_one_of_a_shard_are_labelled_into_a_folder(
    images: Path, shards: Path, tmp_path: Path
) -> None:
    pytest.importorskip("aiohttp", reason="the extra cluster is not installed")

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *given: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=images)) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{web.server_port}/07.png"
        inputs = [uri, str(shards / "part-0.tar")]
        done = predict_files(predictor(), inputs, tmp_path / "out")
        web.shutdown()
    assert (len(done.written), done.failed) == (7, ())
    predict_files(predictor(), [images], tmp_path / "alone")
    for mask in (tmp_path / "out").glob("*.png"):
        assert mask.read_bytes() == (tmp_path / "alone" / mask.name).read_bytes()


def test_areas_of_masks_in_a_store_are_refused(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="areas: the table is made of masks on disk"):
        predict_files(
            predictor(),
            [photo],
            f"memory://{tmp_path.name}",
            choices=PredictOptions(extras=("areas",)),
        )


def test_a_raster_in_a_store_gets_the_files_of_one_on_disk(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="the extra raster is not installed")
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "height": 90, "width": 150, "count": 3, "dtype": "uint8"}
    place = rasterio.transform.from_origin(500000, 4600000, 0.5, 0.5)
    with rasterio.open(
        folder / "map.tif", "w", **profile, crs="EPSG:32633", transform=place
    ) as target:
        target.write(rng.integers(0, 256, (3, 90, 150), dtype=np.uint8))
    source = open_store(f"memory://{tmp_path.name}/in")
    out = open_store(f"memory://{tmp_path.name}/out")
    source.take([folder / "map.tif"])
    choices = PredictOptions(confidence=True, extras=("polygons",))
    tiled = Predictor(quarters, Classes.named(("a", "b", "c", "d")), tile=(64, 64))
    assert len(predict_files(tiled, [source.root], out.root, choices=choices).written) == 1
    predict_files(tiled, [folder], tmp_path / "alone", choices=choices)
    alone = {path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()}
    assert content(out) == alone
    small = Predictor(quarters, Classes.named(("a", "b", "c", "d")), max_memory=1000)
    ((image, reason),) = predict_files(small, [source.root], f"{out.root}2").failed
    assert reason.startswith(f"{image}: ")
    assert "allow more with --max-memory" in reason


def test_the_command_goes_from_store_to_store(
    model: Path, images: Path, s3: str, tmp_path: Path
) -> None:
    source = open_store(f"{s3}/{tmp_path.name}/in")
    out = open_store(f"{s3}/{tmp_path.name}/out")
    source.take(sorted(images.iterdir()))
    words = ["predict", str(model), f"{source.root}/0*.png", "--out", out.root]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert f"10 masks in {out.root}" in first.output.replace("\n", "")
    again = CliRunner().invoke(app, [*words[:2], source.root, *words[3:]])
    assert again.exit_code == 0, again.output
    assert f"2 masks in {out.root}, 10 existed already" in again.output.replace("\n", "")
    assert len(content(out)) == 12
