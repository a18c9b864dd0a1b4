"""Objects: how well they are told apart and counted, at which cost, and how soft cut-outs are.

python benchmarks/things.py drawn
python benchmarks/things.py large --side 20000
python benchmarks/things.py learned --work WORK
python benchmarks/things.py portraits RUN PORTRAITS
python benchmarks/things.py layers

`drawn`: discs and rods, and blobs that scikit-image draws (`data.binary_blobs`), thrown so that many
touch, with exact truth; masks are exact, or rough as a network's. Beside plain connected regions
and scikit-image's own recipe (its gallery's watershed). `large`: a mask with 250 objects a
megapixel, counted in a process of its own, beside the prediction of as large a raster with the
bundled model where --predict is given. `learned`: photos are drawn of discs and rods, in which
nothing but their brightness tells touching ones apart; a network is trained with and without
--object-gap. `portraits`: error of alpha with soft and with hard edges, by a model of two classes.
`layers`: discs and squares that lie over each other and shine through, learned with all classes of
a pixel (`--multilabel`) and with one; IoU of each class against its whole layer. Tables go to the
terminal.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from skimage import data, feature, measure, segmentation

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.inference.cutouts import soft_alpha
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.object_sums import label_strip
from pixelwise.inference.objects import ObjectRules, write_objects
from pixelwise.inference.split_objects import split_touching
from pixelwise.metrics.count_interval import CountInterval
from pixelwise.metrics.layer_counts import LayerCounts
from pixelwise.metrics.object_matching import ObjectScores, number_objects
from pixelwise.progress import Progress

SIDE = 256
CLASSES = np.arange(256) == 1
# Pictures with known numbers, and new ones.
SCORED, NEW = 40, 200
TOUCHING = np.ones((3, 3))

Ids = np.ndarray
Patch = np.ndarray


def disc(rng: np.random.Generator) -> Patch:
    """A filled circle of 6 to 14 pixels' radius."""
    radius = rng.uniform(6, 14)
    y, x = np.mgrid[-15:16, -15:16]
    return np.hypot(y, x) <= radius


def rod(rng: np.random.Generator) -> Patch:
    """A bar with round ends, two to four times as long as wide, in any direction."""
    width = rng.uniform(7, 12)
    half = width * rng.uniform(0.5, 1.5)
    turn = rng.uniform(0, np.pi)
    y, x = np.mgrid[-28:29, -28:29]
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    return np.hypot(np.maximum(np.abs(along) - half, 0), across) <= width / 2


def draw_blobs() -> list[Patch]:
    """Compact ones among the blobs that scikit-image draws."""
    blobs = []
    for seed in range(12):
        image = data.binary_blobs(512, blob_size_fraction=0.06, volume_fraction=0.2, rng=seed)
        for region in measure.regionprops(measure.label(image)):
            if 150 < region.area < 900 and region.solidity > 0.9:
                blobs.append(np.pad(region.image, 1))
    return blobs


def throw(
    rng: np.random.Generator, make: Callable[[np.random.Generator], Patch], count: int
) -> Ids:
    """Ids (H, W) of objects of which none hides more than a tenth of another."""
    ids = np.zeros((SIDE, SIDE), np.int32)
    number = 0
    for _ in range(count):
        patch = make(rng)
        height, width = patch.shape
        top, left = rng.integers(0, (SIDE - height, SIDE - width))
        window = ids[top : top + height, left : left + width]
        hidden = np.bincount(window[patch], minlength=number + 1)[1:]
        sizes = np.bincount(ids.ravel(), minlength=number + 1)[1:]
        if (hidden > 0.1 * np.minimum(sizes, patch.sum())).any():
            continue
        number += 1
        window[patch & (window == 0)] = number
    return ids


def roughen(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """The mask with a border that wanders by about a pixel."""
    distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    noise = ndimage.gaussian_filter(rng.normal(size=mask.shape), 2)
    return distance + noise / noise.std() > 0.5


def by_regions(mask: np.ndarray) -> Ids:
    """Plain connected regions."""
    return ndimage.label(mask, TOUCHING)[0]


def by_recipe(mask: np.ndarray) -> Ids:
    """As scikit-image's gallery does it ("Watershed segmentation")."""
    distance = ndimage.distance_transform_edt(mask)
    places = feature.peak_local_max(distance, footprint=TOUCHING, labels=mask.astype(int))
    peaks = np.zeros(distance.shape, bool)
    peaks[tuple(places.T)] = True
    markers, _ = ndimage.label(peaks)
    return segmentation.watershed(-distance, markers, mask=mask)


def by_splitting(mask: np.ndarray) -> Ids:
    """As `predict --also objects --split-touching`."""
    return split_touching(label_strip(mask.astype(np.uint8), CLASSES))


WAYS = {
    "connected regions": by_regions,
    "scikit-image's recipe": by_recipe,
    "--split-touching": by_splitting,
}


def pictures(kind: str, count: int, seed: int, *, rough: bool) -> Iterator[tuple[Ids, np.ndarray]]:
    """True ids and mask of each."""
    blobs = draw_blobs() if kind == "blobs" else []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        if kind == "blobs":
            ids = throw(rng, lambda rng: blobs[rng.integers(len(blobs))], int(rng.integers(20, 90)))
        else:
            ids = throw(
                rng, lambda rng: (disc if rng.random() < 0.5 else rod)(rng), rng.integers(20, 90)
            )
        yield ids, roughen(rng, ids > 0) if rough else ids > 0


def run_drawn(_: argparse.Namespace) -> None:
    """F1 and the numbers of all ways on all sets."""
    print("| objects | masks | way | F1 at .5 | at .75 | PQ at .5 | predicted / true | in 95 % |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("discs and rods", "blobs"):
        for rough in (False, True):
            scored = list(pictures(kind, SCORED, 0, rough=rough))
            new = list(pictures(kind, NEW, 1, rough=rough))
            for name, way in WAYS.items():
                known = score(scored, way).counts()[:, 1].T
                scores = score(new, way)
                (_, half), (_, strict) = scores.figures(("background", "object"))
                interval = CountInterval(*known)
                counts = scores.counts()[:, 1]
                covered = 0
                for true, predicted in counts:
                    low, high = interval.of(np.array([predicted]))
                    covered += low <= true <= high
                ratio = counts[:, 1].sum() / counts[:, 0].sum()
                print(
                    f"| {kind} | {'rough' if rough else 'exact'} | {name} | {half[1].f1:.3f} | "
                    f"{strict[1].f1:.3f} | {half[1].pq:.3f} | {ratio:.3f} | "
                    f"{100 * covered / len(counts):.1f} of 100 |",
                    flush=True,
                )


def score(images: list[tuple[Ids, np.ndarray]], way: Callable[[np.ndarray], Ids]) -> ObjectScores:
    """The objects of one way against the true ones."""
    scores = ObjectScores(2)
    for ids, mask in images:
        truth = number_objects(ids, (ids > 0).astype(np.uint8), CLASSES)
        predicted = number_objects(way(mask), mask.astype(np.uint8), CLASSES)
        scores.update(truth, predicted, np.zeros(ids.shape, bool))
    return scores


def draw_photo(ids: Ids, rng: np.random.Generator) -> np.ndarray:
    """(H, W) uint8: objects a little brighter than the ground, each by its own amount, in noise."""
    levels = np.concatenate([[90.0], rng.uniform(110, 170, ids.max())])
    smooth = ndimage.gaussian_filter(levels[ids], 0.7)
    return (smooth + rng.normal(0, 14, ids.shape)).clip(0, 255).astype(np.uint8)


def write_photos(root: Path) -> None:
    """60 photos to train on and 40 to score, with masks of an id an object."""
    for split, count, seed in (("train", 60, 5), ("test", 40, 6)):
        for part in ("images", "masks"):
            (root / part / split).mkdir(parents=True)
        drawn = pictures("discs and rods", count, seed, rough=False)
        for number, (ids, _) in enumerate(drawn):
            rgb = draw_photo(ids, np.random.default_rng((seed, number))).repeat(3)
            picture = Image.fromarray(rgb.reshape(*ids.shape, 3))
            picture.save(root / "images" / split / f"{number:03}.png")
            mask = Image.fromarray(ids.astype(np.uint16))
            mask.save(root / "masks" / split / f"{number:03}.png")


def run_learned(options: argparse.Namespace) -> None:
    """F1 of the objects of networks that were trained with and without gaps."""
    data = options.work / "photos"
    if not data.is_dir():
        write_photos(data)
    print(
        "| trained | objects | F1 at .5 | at .75 | PQ at .5 | predicted / true | IoU of the class |"
    )
    print("|---|---|---|---|---|---|---|")
    for gap in (0, 1, 2):
        run = options.work / f"gap{gap}"
        if not (run / "report.html").is_file():
            pixelwise.train(data, run, epochs=options.epochs, instances=True, object_gap=gap)
        for split in (False, True):
            result = pixelwise.evaluate(
                run, data, split="test", instances=True, objects=True, split_touching=split
            )
            objects = result.metrics.objects
            (_, half), (_, strict) = objects.figures(result.classes.names)
            counts = objects.counts()[:, 1]
            print(
                f"| {f'`--object-gap {gap}`' if gap else 'as it is'} | "
                f"{'--split-touching' if split else 'connected regions'} | {half[1].f1:.3f} | "
                f"{strict[1].f1:.3f} | {half[1].pq:.3f} | "
                f"{counts[:, 1].sum() / counts[:, 0].sum():.3f} | {result.scores.iou[1]:.3f} |",
                flush=True,
            )


def write_large(path: Path, side: int) -> None:
    """A raster of discs, 250 a megapixel, of which some touch."""
    import rasterio

    rng = np.random.default_rng(0)
    per_side = int(side / 1000 * np.sqrt(250))
    cell = side // per_side
    y, x = np.mgrid[-24:25, -24:25]
    labels = np.zeros((side, side), np.uint8)
    for row in range(per_side):
        for column in range(per_side):
            corner = np.array([row, column]) * cell + cell // 2 + rng.integers(-14, 15, 2)
            top, left = np.clip(corner - 24, 0, side - 49)
            labels[top : top + 49, left : left + 49][np.hypot(y, x) <= rng.integers(8, 22)] = 1
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    place = {"crs": "EPSG:32632", "transform": rasterio.transform.from_origin(5e5, 5.5e6, 0.1, 0.1)}
    with rasterio.open(path, "w", **profile, **tiles, **place) as target:
        target.write(labels, 1)


def run_large(args: argparse.Namespace) -> None:
    """Each way to count in a process of its own, and prediction alone."""
    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "mask.tif"
        write_large(mask, args.side)
        print(f"| {args.side} x {args.side} | objects | processor s | seconds | peak MiB |")
        print("|---|---|---|---|---|")
        for way in ("no outlines", "outlines", "split")[: args.ways]:
            subprocess.run([sys.executable, __file__, "count", str(mask), way], check=True)
        if args.predict:
            photo = Path(folder) / "photo.tif"
            write_photo(photo, mask)
            subprocess.run([sys.executable, __file__, "label", str(photo), "-"], check=True)


def write_photo(path: Path, mask: Path) -> None:
    """A raster of the mask's size and place, with noise."""
    import rasterio

    rng = np.random.default_rng(0)
    with rasterio.open(mask) as source:
        profile = {**source.profile, "count": 3}
        with rasterio.open(path, "w", **profile) as target:
            for top in range(0, source.height, 512):
                window = ((top, min(top + 512, source.height)), (0, source.width))
                labels = source.read(1, window=window)
                noise = rng.integers(0, 60, (3, *labels.shape), dtype=np.uint8)
                target.write(noise + 120 * labels, window=window)


def count_one(args: argparse.Namespace) -> None:
    """A row of `large`."""
    mask = Path(args.path)
    if args.way == "no outlines":
        import pixelwise.inference.objects as module

        module.write_object_polygons = lambda *_: None
    begin = time.time()
    used = time.process_time()
    rules = ObjectRules(split=args.way == "split")
    line = write_objects(mask.parent, [mask], ("background", "cell"), rules)
    report(f"counting, {args.way}", line.removeprefix("cell "), begin, used)


def label_one(args: argparse.Namespace) -> None:
    """The row of prediction alone."""
    begin = time.time()
    used = time.process_time()
    pixelwise.predict("animals", args.path, Path(args.path).parent / "out")
    report("prediction alone, bundled model", "", begin, used)


def report(what: str, objects: str, begin: float, used: float) -> None:
    """A row."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.time() - begin
    print(f"| {what} | {objects} | {time.process_time() - used:.1f} | {seconds:.1f} | {peak:.0f} |")


def run_portraits(args: argparse.Namespace) -> None:
    """Mean absolute error of alpha, in all pixels and near the edge of the true matte."""
    model = pixelwise.load(args.run)
    stays = np.arange(256) == 1
    errors: dict[str, list[tuple[float, float]]] = {"hard edges": [], "soft edges": []}
    seconds = dict.fromkeys(errors, 0.0)
    mattes = sorted((Path(args.images) / "testing").glob("*_matte.png"))
    for matte in mattes:
        truth = np.asarray(Image.open(matte).convert("L")) / 255
        edge = ndimage.maximum_filter((truth > 0.02) & (truth < 0.98), 9)
        photo = matte.with_name(matte.name.replace("_matte.png", ".jpg"))
        for kind, own in errors.items():
            begin = time.process_time()
            is_soft = kind == "soft edges"
            result = model.predict(photo, scores="probabilities" if is_soft else None)
            alpha = soft_alpha(result, stays) if is_soft else stays[result.labels]
            seconds[kind] += time.process_time() - begin
            off = np.abs(alpha - truth)
            own.append((off.mean(), off[edge].mean()))
    print("| edge | error of alpha | near the edge | processor s a photo |")
    print("|---|---|---|---|")
    for kind, own in errors.items():
        everywhere, near = np.mean(own, axis=0)
        print(f"| {kind} | {everywhere:.4f} | {near:.4f} | {seconds[kind] / len(mattes):.2f} |")


def draw_layers(rng: np.random.Generator) -> tuple[Patch, np.ndarray]:
    """RGB (H, W, 3) of discs that add red and squares that add blue to a noisy ground, and their
    layers (2, H, W): about half of what is drawn lies under the other class.
    """
    side = 128
    y, x = np.mgrid[:side, :side]
    layers = np.zeros((2, side, side), bool)
    for _ in range(3):
        row, column = rng.uniform(10, side - 10, 2)
        radius = rng.uniform(14, 30)
        layers[0] |= np.hypot(y - row, x - column) < radius
        row += rng.uniform(-radius, radius)
        column += rng.uniform(-radius, radius)
        layers[1] |= np.maximum(abs(y - row), abs(x - column)) < rng.uniform(12, 26)
    rgb = np.full((side, side, 3), 90.0) + rng.uniform(-20, 20, 3)
    rgb[layers[0]] += (80, 0, -20)
    rgb[layers[1]] += (-20, 20, 90)
    rgb += rng.normal(0, 8, rgb.shape)
    return rgb.clip(0, 255).astype(np.uint8), layers


def write_layers(root: Path) -> None:
    """A data set with a mask a class."""
    for split, count, seed in (("train", 60, 1), ("val", 12, 2), ("test", 40, 3)):
        rng = np.random.default_rng(seed)
        for number in range(count):
            rgb, layers = draw_layers(rng)
            files = {f"images/{split}/{number:03}.png": rgb}
            for name, layer in zip(("disc", "square"), layers, strict=True):
                files[f"masks/{split}/{number:03}_{name}.png"] = layer * np.uint8(255)
            for name, pixels in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)


def run_layers(args: argparse.Namespace) -> None:
    """IoU of each class against its layer, of a model of layers and one of a class a pixel."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        write_layers(root)
        reading = pixelwise.DataOptions(multilabel=True)
        dataset = open_dataset(root, reading, layers=True)
        # colours tell all: a network of a few seconds a hundred steps will do
        options = {"encoder": "test_resnet", "decoder": "unet", "weights": "none"}
        options |= {"epochs": args.epochs, "crop": (128, 128), "predict_scale": 1.0}
        print("| trained with | disc IoU | square IoU | mean IoU | threshold | processor s |")
        print("|---|---|---|---|---|---|")
        for multilabel in (True, False):
            begin = time.process_time()
            run = Path(folder) / f"run-{multilabel}"
            pixelwise.train(root, run, multilabel=multilabel, progress=Progress(), **options)
            seconds = time.process_time() - begin
            model = pixelwise.load(run, layers=True)
            counts = LayerCounts(2)
            for pair in dataset.pairs("test"):
                if isinstance(model, LayerPredictor):
                    layers = model.predict_layers(pair.image).layers
                else:  # 0 is the background
                    layers = np.stack([model.predict(pair.image).labels == n for n in (1, 2)])
                truth = dataset.read_labels(pair.mask)
                counts.update(torch.from_numpy(truth), torch.from_numpy(layers))
            scores = counts.scores()
            way = "`--multilabel`" if multilabel else "one class a pixel"
            thresholds = getattr(model, "thresholds", ())
            print(
                f"| {way} | {scores.iou[0]:.3f} | {scores.iou[1]:.3f} | {scores.mean_iou:.3f} | "
                f"{', '.join(f'{value:.2f}' for value in thresholds)} | {seconds:.0f} |"
            )
        truths = [dataset.read_labels(pair.mask) == 1 for pair in dataset.pairs("test")]
        twice = sum(int(truth.all(0).sum()) for truth in truths)
        drawn = sum(int(truth.any(0).sum()) for truth in truths)
        print(f"of the pixels drawn on, {twice / drawn:.0%} are of both classes")


def main() -> None:
    """Run one of the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(required=True)
    parts.add_parser("drawn").set_defaults(run_part=run_drawn)
    large = parts.add_parser("large")
    large.add_argument("--side", type=int, default=20000)
    large.add_argument("--predict", action="store_true")
    large.add_argument("--ways", type=int, default=3, help="so many of the three ways to count")
    large.set_defaults(run_part=run_large)
    for name, part in (("count", count_one), ("label", label_one)):
        own = parts.add_parser(name)  # what `large` calls
        own.add_argument("path")
        own.add_argument("way")
        own.set_defaults(run_part=part)
    learned = parts.add_parser("learned")
    learned.add_argument("--work", type=Path, required=True)
    learned.add_argument("--epochs", type=int, default=30)
    learned.set_defaults(run_part=run_learned)
    portraits = parts.add_parser("portraits")
    portraits.add_argument("run")
    portraits.add_argument("images")
    portraits.set_defaults(run_part=run_portraits)
    layers = parts.add_parser("layers")
    layers.add_argument("--epochs", type=int, default=12)
    layers.set_defaults(run_part=run_layers)
    args = parser.parse_args()
    args.run_part(args)


if __name__ == "__main__":
    main()
