"""How well objects are told apart and counted.

python benchmarks/things.py drawn
python benchmarks/things.py learned --work WORK

`drawn`: discs and rods, and blobs that scikit-image draws (`data.binary_blobs`), thrown so that many
touch, with exact truth; masks are exact, or rough as a network's. Beside plain connected regions
and scikit-image's own recipe (its gallery's watershed). `learned`: photos are drawn of discs and
rods, in which nothing but their brightness tells touching ones apart; a network is trained with and
without --object-gap. Tables go to the terminal. What counting costs: count_large.py; cut-outs:
cutouts.py; classes that overlap: overlapping.py.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import data, feature, measure, segmentation

import pixelwise
from pixelwise.inference.object_sums import label_strip
from pixelwise.inference.split_objects import split_touching
from pixelwise.metrics.count_interval import CountInterval
from pixelwise.metrics.object_matching import ObjectScores, number_objects

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


def main() -> None:
    """Run one of the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(required=True)
    parts.add_parser("drawn").set_defaults(run_part=run_drawn)
    learned = parts.add_parser("learned")
    learned.add_argument("--work", type=Path, required=True)
    learned.add_argument("--epochs", type=int, default=30)
    learned.set_defaults(run_part=run_learned)
    args = parser.parse_args()
    args.run_part(args)


if __name__ == "__main__":
    main()
