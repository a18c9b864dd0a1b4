"""Films: their cost beside that of a folder of the same frames, and what `--smooth` does.

python benchmarks/film.py CAMVID --runs RUN [RUN ...] --work WORK [--out PAGE]

CamVid's test photos are frames of two films, one a second, in the order of their names. They are
made a film, lossless for the labels and H.264 for the cost. `unchanged` is a pixel whose true class
is the same in two frames that follow each other, where the picture is too: by up to 8 of 255
(`alone`), or by up to 5 on average over 7 x 7 pixels (`around`). Flicker is the share of these whose
label changes. For a camera that stands still each of some photos becomes a shot of equal frames with
noise, as H.264. All rules but the one that is used stand in this file.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from machine import provenance
from PIL import Image, ImageFilter

import pixelwise
from pixelwise.classes import softmax
from pixelwise.inference.predict_film import predict_film
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.smoothing import ScoredFrame, similarity, smooth_scores
from pixelwise.io.read_film import FilmFrame

CLASSES = 11
SHOTS = 12
SHOT_FRAMES = 8

Array = np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="CamVid, with test/ and testannot/")
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", default=["cost", "rules", "still"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, help="only so many")
    parser.add_argument("--out", type=Path, help="page to write")
    options = parser.parse_args()
    photos = sorted((options.data / "test").iterdir())[: options.frames]
    truths = [options.data / "testannot" / f"{photo.stem}.png" for photo in photos]
    parts = {"cost": cost, "rules": rules, "still": still}
    lines = ["# Films\n", provenance(f"python benchmarks/film.py {' '.join(sys.argv[1:])}")]
    for part in options.parts:
        for line in parts[part](photos, truths, options):
            print(line, flush=True)
            lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_film(photos: list[Path], film: Path, *codec: str, rate: str = "25") -> Path:
    """The photos, all of one size, as a film."""
    if not film.exists():
        folder = film.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, photo in enumerate(photos):
            (folder / f"{number:05}{photo.suffix}").symlink_to(photo.resolve())
        source = ("-framerate", rate, "-i", folder / f"%05d{photos[0].suffix}")
        run("ffmpeg", "-v", "error", "-y", *source, *codec, film)
    return film


def run(*words: object) -> tuple[float, float]:
    """Wall and processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, cpu


def cost(photos: list[Path], _: list[Path], options: argparse.Namespace) -> Iterator[str]:
    """Whole commands, in turn; medians."""
    film = make_film(photos, options.work / "cost.mp4", "-pix_fmt", "yuv420p", "-crf", "18")
    folder = options.work / "photos"
    if not folder.exists():
        folder.mkdir()
        for photo in photos:
            shutil.copy(photo, folder)
    out = options.work / "out"
    commands = {
        "a folder, masks": (folder, "--out", out),
        "the film, masks": (film, "--out", out),
        "a folder, masks and tinted photos": (folder, "--out", out, "--overlay"),
        "the film, tinted film": (film, "--out", options.work / "out.mp4", "--overwrite"),
        "the film, masks, --smooth 1": (film, "--out", out, "--smooth", 1),
    }
    model = options.runs[0]
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    predict = (sys.executable, "-m", "pixelwise", "predict", model)
    first = options.work / "first.mp4"
    run(*predict, film, "--out", first, "--overwrite")  # measures runtimes
    for _ in range(options.rounds):
        for name, words in commands.items():
            shutil.rmtree(out, ignore_errors=True)
            seconds[name].append(run(*predict, *words))
    yield f"## Whole commands\n\n{len(photos)} frames, `{model.name}`, medians of {options.rounds} rounds in turn.\n"
    yield "| what | wall s | processor s | processor s, ratio to the folder |\n|---|---|---|---|"
    base = 0.0
    for name, times in seconds.items():
        wall = statistics.median(pair[0] for pair in times)
        cpu = statistics.median(pair[1] for pair in times)
        base = cpu if name.startswith("a folder") else base
        yield f"| {name} | {wall:.1f} | {cpu:.1f} | {cpu / base:.2f} |"


def rules(photos: list[Path], truths: list[Path], options: argparse.Namespace) -> Iterator[str]:
    """Ways to average, on frames a second apart."""
    scene = Scene([np.asarray(Image.open(p).convert("RGB")) for p in photos], read_all(truths))
    yield f"\n## Ways to average, {len(photos)} frames, one a second\n"
    yield f"Unchanged are {scene.share('alone'):.0%} (alone) and {scene.share('around'):.0%} (around).\n"
    yield "| network | rule | mean IoU | flicker, alone | flicker, around |\n|---|---|---|---|---|"
    for path in options.runs:
        scores = score_all(pixelwise.load(path), scene.pictures)
        for name, rule in RULES.items():
            labels = [np.argmax(frame, axis=0).astype(np.uint8) for frame in rule(scene, scores)]
            yield f"| {path.name} | {name} | {scene.report(labels)} |"


def still(photos: list[Path], truths: list[Path], options: argparse.Namespace) -> Iterator[str]:
    """Shots of a camera that does not move, through the film's whole road."""
    chosen = range(0, len(photos), max(1, len(photos) // SHOTS))
    numbers = [number for number in chosen for _ in range(SHOT_FRAMES)]
    clean = make_film([photos[n] for n in numbers], options.work / "clean.mkv", "-c:v", "ffv1")
    film = options.work / "still.mp4"
    noise = ("-vf", "noise=alls=12:allf=t", "-pix_fmt", "yuv420p", "-crf", "28")
    run("ffmpeg", "-v", "error", "-y", "-i", clean, *noise, film)
    truth = read_all(truths)
    yield f"\n## A camera that stands still: {len(chosen)} shots of {SHOT_FRAMES} frames with noise\n"
    yield "| network | --smooth | mean IoU | flicker within a shot |\n|---|---|---|---|"
    for path in options.runs:
        predictor = pixelwise.load(path)
        for smooth in (0, 1, 2, 4):
            out = options.work / "still-out"
            shutil.rmtree(out, ignore_errors=True)
            done = predict_film(predictor, film, out, choices=PredictOptions(smooth=smooth))
            labels = [np.asarray(Image.open(mask)) for mask in done.written]
            hits = sum(confusion(truth[n], mask) for n, mask in zip(numbers, labels, strict=True))
            pairs = [i for i in range(1, len(numbers)) if numbers[i] == numbers[i - 1]]
            changed = np.mean([(labels[i] != labels[i - 1]).mean() for i in pairs])
            yield f"| {path.name} | {smooth} | {mean_iou(hits):.4f} | {changed:.4f} |"


class Scene:
    """Pictures (H, W, 3) in sequence, their true labels, and which pixels stay from each to the
    next.
    """

    def __init__(self, pictures: list[Array], truths: list[Array]) -> None:
        self.pictures = pictures
        self.truths = truths
        self.unchanged: dict[str, list[Array]] = {"alone": [], "around": []}
        for number in range(1, len(pictures)):
            before, now = pictures[number - 1 : number + 1]
            difference = (np.maximum(before, now) - np.minimum(before, now)).max(axis=2)
            around = Image.fromarray(difference).filter(ImageFilter.BoxBlur(3))
            same = (truths[number] == truths[number - 1]) & (truths[number] < CLASSES)
            self.unchanged["alone"].append(same & (difference <= 8))
            self.unchanged["around"].append(same & (np.asarray(around) <= 5))

    def share(self, kind: str) -> float:
        return float(np.mean(self.unchanged[kind]))

    def report(self, labels: list[Array]) -> str:
        hits = sum(confusion(*pair) for pair in zip(self.truths, labels, strict=True))
        flicker = []
        for kind in ("alone", "around"):
            changed = count = 0
            for number, unchanged in enumerate(self.unchanged[kind], 1):
                changed += int((labels[number] != labels[number - 1])[unchanged].sum())
                count += int(unchanged.sum())
            flicker.append(f"{changed / count:.4f}")
        return f"{mean_iou(hits):.4f} | {' | '.join(flicker)}"


def read_all(paths: list[Path]) -> list[Array]:
    return [np.asarray(Image.open(path)) for path in paths]


def confusion(truth: Array, labels: Array) -> Array:
    known = truth < CLASSES
    pairs = truth[known].astype(int) * CLASSES + labels[known]
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def mean_iou(hits: Array) -> float:
    return float(np.nanmean(np.diag(hits) / (hits.sum(0) + hits.sum(1) - np.diag(hits))))


def score_all(predictor: Predictor, pictures: list[Array]) -> list[Array]:
    """Logits of each picture, in half precision: all are held."""
    scores = []
    for rgb in pictures:
        logits = np.empty((CLASSES, *rgb.shape[:2]), np.float16)
        for top, left, piece in predictor.pieces(rgb):
            logits[:, top : top + piece.shape[1], left : left + piece.shape[2]] = piece
        scores.append(logits)
    return scores


Rule = Callable[[Scene, list[Array]], Iterator[Array]]


def alone(_: Scene, scores: list[Array]) -> Iterator[Array]:
    yield from scores


def used(reach: int) -> Rule:
    """The rule of `--smooth`."""

    def average(scene: Scene, scores: list[Array]) -> Iterator[Array]:
        frames = (
            ScoredFrame(FilmFrame(n, n, scene.pictures[n]), softmax(logits.astype(np.float32)))
            for n, logits in enumerate(scores)
        )
        for frame in smooth_scores(frames, reach):
            yield frame.scores

    return average


def window(
    offsets: tuple[int, ...],
    *,
    weigh: Callable[[Array, Array], Array] = similarity,
    of_logits: bool = False,
) -> Rule:
    """The mean with the frames at these offsets."""

    def average(scene: Scene, scores: list[Array]) -> Iterator[Array]:
        read = (
            (lambda s: s.astype(np.float32))
            if of_logits
            else (lambda s: softmax(s.astype(np.float32)))
        )
        for number, own in enumerate(scores):
            total = read(own)
            weights = np.ones(total.shape[1:], np.float32)
            for other in (number + offset for offset in offsets):
                if 0 <= other < len(scores):
                    weight = weigh(scene.pictures[number], scene.pictures[other])
                    total += weight * read(scores[other])
                    weights += weight
            yield total / weights

    return average


def exponential(most: float) -> Rule:
    """A mean over all frames before, each pixel's count of frames held to `most`."""

    def average(scene: Scene, scores: list[Array]) -> Iterator[Array]:
        mean = softmax(scores[0].astype(np.float32))
        count = np.ones(mean.shape[1:], np.float32)
        yield mean
        for number in range(1, len(scores)):
            weight = similarity(scene.pictures[number], scene.pictures[number - 1])
            weight *= np.minimum(count, most)
            mean = (softmax(scores[number].astype(np.float32)) + weight * mean) / (1 + weight)
            count = 1 + weight
            yield mean

    return average


def always(first: Array, _: Array) -> Array:
    return np.ones(first.shape[:2], np.float32)


RULES: dict[str, Rule] = {
    "each frame alone": alone,
    "`--smooth 1`: centred, one each way, by similarity": used(1),
    "`--smooth 2`": used(2),
    "centred, one each way, all alike": window((-1, 1), weigh=always),
    "centred, one each way, by similarity, of logits": window((-1, 1), of_logits=True),
    "causal, two before, by similarity": window((-2, -1)),
    "causal, exponential, up to 3 frames, by similarity": exponential(3),
}

if __name__ == "__main__":
    main()
