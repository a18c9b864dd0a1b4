"""Label a folder from the shell: `pixelwise predict` beside scripts with
segmentation_models.pytorch (PyTorch, ONNX Runtime, OpenVINO), Ultralytics' YOLO26-sem
and LibreYOLO's PP-LiteSeg.

python benchmarks/predict_folder.py RUN IMAGES --rivals-python PATH \\
    --out benchmarks/results/predict_folder.md

Whole commands, imports and writing included, in turn, medians of several rounds, all on the same
`--threads` cores; memory is the peak of the command's largest process. The last two are looked for
in the environment of `--rivals-python`, for instance one made with `python -m venv` in which `pip
install ultralytics libreyolo` was run. What cannot be run is listed with the reason. Each command
labels two photos first, not counted, so that nothing is compiled or exported in what is.
"""

import argparse
import shlex
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import provenance
from PIL import Image
from rivals import (
    HERE,
    YOLO_SIZES,
    Ran,
    add_options,
    copy_with_empty_masks,
    failed,
    last_line,
    limit_threads,
    place_of,
    run_alone,
    version_of,
    yolo_model,
)

from pixelwise.models.checkpoint import read_header

AUTO = "pixelwise predict (auto; its choice is measured in a first call, not counted)"
FLOAT32 = "pixelwise predict, torch float32"
YOLO_MASKS = ("save_json=True", "plots=False", "batch=1", "workers=1")
RIVAL = "segmentation_models.pytorch script, float32"


@dataclass(frozen=True)
class Labelling:
    """A command that labels the folder IMAGES, with the files that it is to write into OUT."""

    command: list[str]
    suffix: str = ".png"
    missing: str = ""
    """Why it cannot be run here, if so."""

    def words(self, images: Path, out: str, data: Path) -> list[str]:
        values = {"IMAGES": str(images), "OUT": out, "project=OUT": f"project={out}"}
        values |= {"source=IMAGES": f"source={images}", "data=DATA": f"data={data}"}
        return [values.get(word, word) for word in self.command]


@dataclass(frozen=True)
class Photos:
    """A folder of photos, and a data set of copies of them with empty masks."""

    images: Path
    data: Path

    @staticmethod
    def of(paths: list[Path], work: Path, classes: int, images: Path | None = None) -> "Photos":
        data = copy_with_empty_masks(paths, work, classes)
        return Photos(images or work / "images/train", data)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", nargs="*", default=[""], help="parts of the names of the commands to measure"
    )
    parser.add_argument("--out", type=Path, required=True)
    add_options(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        limit_threads(args.threads, Path(work))
        text = report(args, Path(work))
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def report(args: argparse.Namespace, work: Path) -> str:
    header = read_header(args.run)
    classes = len(header.classes)
    paths = sorted(args.images.glob("*.jpg"))
    photos = Photos.of(paths, work / "all", classes, args.images)
    every = commands(args.run, classes, paths[0], args.rivals_python, work)
    agreement, choice = agreement_of(every, photos)
    chosen = {n: c for n, c in every.items() if any(part in n for part in args.only)}
    runs, left_out = tried(chosen, Photos.of(paths[:2], work / "two", classes))
    rows = measure(runs, photos, args.rounds)
    lines = [
        *table(rows, len(paths)),
        "",
        *(f"Not measured: {name}: {reason}" for name, reason in left_out.items()),
        "" if left_out else "Every command wrote a file for every photo.",
        "",
        *photo(every[AUTO], paths[0], photos),
        "",
        f"Labels of the auto run that are those of torch float32: {100 * agreement:.3f} %. "
        f"{choice}",
    ]
    words = ["python", "benchmarks/predict_folder.py", "RUN", "IMAGES", "--out", "FILE"]
    words += ["--rounds", str(args.rounds), "--threads", str(args.threads)]
    words += ["--rivals-python", "PATH"] * (str(args.rivals_python) != sys.executable)
    words += [] if args.only == [""] else ["--only", *args.only]
    sizes = sorted({Image.open(path).size[::-1] for path in paths})
    size = " x ".join(map(str, sizes[0])) if len(sizes) == 1 else f"of {len(sizes)} sizes"
    versions = ", ".join(
        f"{name} {version}"
        for name in ("ultralytics", "libreyolo")
        if (version := version_of(name, args.rivals_python))
    )
    note = (
        f"{len(paths)} photos, {size}, {classes} classes; ours: {header.model.decoder} on "
        f"{header.model.encoder}, "
        f"trained. The others' weights are random, which changes no time. Each command may use "
        f"{args.threads} cores and threads. {versions}\n"
    )
    title = "# Labelling a folder from the shell\n"
    return "\n".join([title, provenance(shlex.join(words)), note, *lines, ""])


def commands(
    run: Path, classes: int, photo: Path, python: Path, work: Path
) -> dict[str, Labelling]:
    predict = [sys.executable, "-m", "pixelwise", "predict", str(run), "IMAGES", "--out", "OUT"]
    script = [sys.executable, str(HERE / "smp_onnx.py"), "IMAGES", "OUT", str(classes)]
    smp = [sys.executable, str(HERE / "smp_predict.py"), "IMAGES", "OUT", str(classes)]
    torch = [*predict, "--runtime", "torch"]
    keep = ["--model", str(work / "smp.onnx")]
    runs = {
        RIVAL: Labelling(smp),
        FLOAT32: Labelling(torch),
        "pixelwise predict, torch bfloat16": Labelling([*torch, "--precision", "bfloat16"]),
    }
    for runtime in ("onnxruntime", "openvino"):
        runs[f"pixelwise predict, {runtime} float32"] = Labelling([*predict, "--runtime", runtime])
    runs[AUTO] = Labelling(predict)
    for runtime, title in (("onnxruntime", "ONNX Runtime"), ("openvino", "OpenVINO")):
        words = [*script, "--runtime", runtime]
        name = f"segmentation_models.pytorch + {title}"
        runs[f"{name}, exported in the command"] = Labelling(words)
        runs[f"{name}, exported before"] = Labelling([*words, *keep])
    return runs | yolo_commands(classes, photo, python, work) | libreyolo_commands(classes, python)


def yolo_commands(classes: int, photo: Path, python: Path, work: Path) -> dict[str, Labelling]:
    """`predict` draws the classes over the photos and has no option for masks; `val
    save_json=True` writes them, and reads masks to score against as well.
    """
    package = place_of("ultralytics", python)
    yolo = python.parent / "yolo"
    runs = {}
    with Image.open(photo) as image:
        side = max(image.size) + -max(image.size) % 32
    for size in YOLO_SIZES:
        masks = f"Ultralytics YOLO26{size}-sem, yolo semantic val save_json=True: masks, and scores"
        drawn = f"Ultralytics YOLO26{size}-sem, yolo semantic predict: drawn photos, no masks"
        if package is None or not yolo.exists():
            reason = f"no ultralytics in the environment of {python.name}: see --rivals-python"
            runs |= dict.fromkeys((masks, drawn), Labelling([], missing=reason))
            continue
        model = yolo_model(package, size, classes, work)
        shared = [f"model={model}", f"imgsz={side}", "device=cpu", "project=OUT", "name=run"]
        runs[masks] = Labelling([str(yolo), "semantic", "val", *shared, "data=DATA", *YOLO_MASKS])
        runs[drawn] = Labelling(
            [str(yolo), "semantic", "predict", *shared, "source=IMAGES"], ".jpg"
        )
    return runs


def libreyolo_commands(classes: int, python: Path) -> dict[str, Labelling]:
    script = str(HERE / "libreyolo_ppliteseg.py")
    missing = "" if place_of("libreyolo", python) else "no libreyolo: see --rivals-python"
    words = [str(python), script, "predict", "IMAGES", "OUT", str(classes)]
    return {"LibreYOLO PP-LiteSeg t50, its Python API": Labelling(words, missing=missing)}


def tried(
    runs: dict[str, Labelling], photos: Photos
) -> tuple[dict[str, Labelling], dict[str, str]]:
    """The commands that label two photos, not counted, and why the others do not."""
    good = {}
    left_out = {}
    for name, run in runs.items():
        if run.missing:
            left_out[name] = run.missing
            continue
        with tempfile.TemporaryDirectory() as out:
            words = run.words(photos.images, out, photos.data)
            ran = run_alone(words)
            count = len(written(Path(out), run.suffix))
        if ran.status:
            left_out[name] = failed(words, ran)
        elif count != 2:
            left_out[name] = f"it wrote {count} files for two photos: {last_line(ran.output)}"
        else:
            good[name] = run
    return good, left_out


def written(out: Path, suffix: str) -> list[Path]:
    return sorted(out.rglob(f"*{suffix}"))


def agreement_of(runs: dict[str, Labelling], photos: Photos) -> tuple[float, str]:
    """Share of equal labels between the auto run and torch in float32, and what auto said of its
    choice.
    """
    with tempfile.TemporaryDirectory() as folder:
        choice = ""
        masks = []
        for name in (FLOAT32, AUTO):
            out = Path(folder, str(len(name)))
            ran = run_alone(runs[name].words(photos.images, str(out), photos.data))
            if ran.status:
                raise SystemExit(failed(runs[name].command, ran))
            lines = ran.output.splitlines()
            choice = next((line for line in lines if line.startswith("runtime ")), choice)
            masks.append(written(out, ".png"))
        same = total = 0
        for a, b in zip(*masks, strict=True):
            equal = np.asarray(Image.open(a)) == np.asarray(Image.open(b))
            same = same + int(equal.sum())
            total = total + equal.size
    return same / total, choice


def photo(auto: Labelling, path: Path, photos: Photos) -> list[str]:
    """One image from the shell: with an empty cache, in PyTorch, and with a runtime remembered."""
    rows = ["| one image | seconds | peak MiB |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as empty:
        for name, cache in (("cache empty", empty), ("runtime remembered", None)):
            found = []
            for _ in range(3):
                with tempfile.TemporaryDirectory() as out:
                    words = auto.words(path, out, photos.data)
                    found.append(run_alone(words, {"XDG_CACHE_HOME": cache} if cache else {}))
            rows.append(
                f"| {name} | {statistics.median(ran.seconds for ran in found):.1f} | "
                f"{max(ran.peak for ran in found):.0f} |"
            )
    return rows


def measure(runs: dict[str, Labelling], photos: Photos, rounds: int) -> dict[str, list[Ran]]:
    found: dict[str, list[Ran]] = {name: [] for name in runs}
    count = len(list(photos.images.glob("*.jpg")))
    for _ in range(rounds):
        for name, run in runs.items():
            with tempfile.TemporaryDirectory() as out:
                words = run.words(photos.images, out, photos.data)
                ran = run_alone(words)
                files = len(written(Path(out), run.suffix))
            if ran.status or files != count:
                raise SystemExit(f"{files} files of {count}; {failed(words, ran)}")
            found[name].append(ran)
            print(f"{name}: {ran.seconds:.1f} s, {ran.peak:.0f} MiB", file=sys.stderr, flush=True)
    return found


def table(rows: dict[str, list[Ran]], count: int) -> list[str]:
    rival = statistics.median(ran.seconds for ran in rows[RIVAL]) if RIVAL in rows else None
    lines = [
        "| command | seconds | images/s | ratio to the first script | peak MiB |",
        "|---|---|---|---|---|",
    ]
    for name, found in rows.items():
        times = [ran.seconds for ran in found]
        seconds = statistics.median(times)
        lines.append(
            f"| {name} | {seconds:.1f} ({min(times):.1f} to {max(times):.1f}) | "
            f"{count / seconds:.2f} | {f'{rival / seconds:.2f}' if rival else '-'} | "
            f"{max(ran.peak for ran in found):.0f} |"
        )
    return lines


if __name__ == "__main__":
    main()
