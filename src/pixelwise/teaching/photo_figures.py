"""Drawings on a photo: the kinds of segmentation side by side, and a classifier that slides."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from timm.data.imagenet_info import ImageNetInfo
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.inference.load import load
from pixelwise.inference.object_sums import label_strip
from pixelwise.inference.objects import object_classes
from pixelwise.io.images import Array, read_rgb
from pixelwise.models.pretrained import read_packaged
from pixelwise.palette import CLASS_COLOURS
from pixelwise.reports.figure_style import COLOUR_MAP, make_grid, save_png, set_title
from pixelwise.reports.overlays import class_shares, paint

_CLASSIFIER = "tf_efficientnet_lite0"
# Longest side of a photo in these drawings, in pixels.
_SIDE = 480
# How much closer two pixels of one colour are for being neighbours, in the clustering.
_PLACE_WEIGHT = 1.0
_COLUMNS = 2
# Blur before the clustering, as a share of the longer side: fur would be a thousand regions.
_BLUR = 0.012


def draw_kinds(
    image: str | Path, path: str | Path, *, model: str | Path = "animals", regions: int = 16
) -> tuple[int, dict[str, int]]:
    """Write a PNG of a photo beside its three segmentations: into `regions` by colour and place,
    which needs no labels and gives no names; into classes, by `model`; and into objects, which
    here are the parts of a class that do not touch. Returns how many regions there are, and the
    objects by class.
    """
    if not 2 <= regions <= 255:
        raise ConfigError(f"regions {regions}: choose 2 to 255")
    result = load(model).predict(image)
    rgb = result.rgb
    parts = cluster_pixels(rgb, regions)
    ids = label_strip(result.labels, object_classes(result.classes))
    count = int(ids.max())
    objects = {}
    for label in class_shares(result.labels):
        if label < len(result.classes):
            inside = np.unique(ids[(result.labels == label) & (ids > 0)])
            objects[result.classes[label]] = len(inside)
    objects = {name: number for name, number in objects.items() if number}
    cycle = itertools.cycle(CLASS_COLOURS)
    colours = ((0, 0, 0), *itertools.islice(cycle, min(count, 254)))
    numbered = np.minimum(ids, 254).astype(np.uint8)
    names = ", ".join(objects) or "nothing"
    listed = ", ".join(f"{name} x {number}" for name, number in objects.items()) or "none"
    panels = {
        "photo": rgb,
        f"image segmentation: {parts.max() + 1} regions, no names": _paint_means(rgb, parts),
        f"semantic segmentation: {names}": paint(rgb, result.labels, result.palette),
        f"instance segmentation: {listed}": paint(rgb, numbered, colours),
    }
    _save_panels(panels, Path(path))
    return int(parts.max()) + 1, objects


def cluster_pixels(rgb: Array, regions: int) -> Array:
    """Regions (H, W) from 0 of pixels alike in colour and place: k-means on both, as in SLIC
    (Achanta et al. 2012) but over the whole image.
    """
    height, width = rgb.shape[:2]
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    blur = _BLUR * max(height, width)
    smooth = ndimage.gaussian_filter(rgb.astype(np.float64), (blur, blur, 0))
    pixels = np.dstack([smooth / 255, _PLACE_WEIGHT * rows, _PLACE_WEIGHT * columns])
    samples = pixels.reshape(-1, 5)  # (H W, 5)
    steps = np.linspace(0, len(samples) - 1, regions).astype(int)
    _, labels = kmeans2(samples, samples[steps], minit="matrix", missing="warn")
    _, dense = np.unique(labels, return_inverse=True)  # a cluster may have lost all its pixels
    flat: Array = dense.astype(np.uint8)
    return flat.reshape(height, width)


def _paint_means(rgb: Array, parts: Array) -> Array:
    """Each region in its mean colour, outlined."""
    count = int(parts.max()) + 1
    sizes = np.bincount(parts.ravel(), minlength=count)
    means = [
        np.bincount(parts.ravel(), rgb[:, :, channel].ravel(), count) / sizes
        for channel in range(3)
    ]
    flat: Array = np.stack(means, axis=1).astype(np.uint8)[parts]
    return paint(flat, parts, ((0, 0, 0),) * count)


def draw_heat(image: str | Path, path: str | Path, *, top: int = 3) -> dict[str, float]:
    """Write a PNG of where a photo looks like which of ImageNet's 1,000 classes: the classifier
    EfficientNet-Lite0 with its last layer as a 1 x 1 convolution, which slides over the photo. Of
    the classes with the highest probability anywhere, `top` are drawn. Returns their probability
    at their best place.
    """
    if not 1 <= top <= 8:
        raise ConfigError(f"top {top}: choose 1 to 8 classes")
    rgb = read_rgb(Path(image))
    scores = slide_classifier(rgb)  # (1000, h, w)
    heat = scores.softmax(0)
    peaks = heat.flatten(1).amax(1)  # (1000,)
    height, width = rgb.shape[:2]
    info = ImageNetInfo()
    panels: dict[str, Array | NDArray[np.float32]] = {"photo": rgb}
    result = {}
    for index in peaks.topk(top).indices.tolist():
        name = info.index_to_description(index).partition(",")[0]
        result[name] = float(peaks[index])
        enlarged = F.interpolate(heat[None, index : index + 1], (height, width), mode="nearest")
        cells = f"{heat.shape[1]} x {heat.shape[2]}"
        panels[f"{name}: up to {result[name]:.2f} in {cells} places"] = enlarged[0, 0].numpy()
    _save_panels(panels, Path(path))
    return result


@torch.no_grad()
def slide_classifier(rgb: Array) -> Tensor:
    """ImageNet's scores (1000, H / 32, W / 32), before softmax, of every place of an image (H, W,
    3) uint8 whose longest side is brought to _SIDE pixels or stays below it.
    """
    network = load_classifier()
    config = timm.get_pretrained_cfg(_CLASSIFIER)
    assert config is not None
    mean = torch.tensor(config.mean)[:, None, None]
    std = torch.tensor(config.std)[:, None, None]
    pixels = torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255  # (3, H, W)
    height, width = rgb.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    size = (max(32, round(height * factor)), max(32, round(width * factor)))
    batch = F.interpolate(
        ((pixels - mean) / std)[None], size, mode="bilinear", antialias=True
    )  # (1, 3, H', W')
    features = network.forward_features(batch)  # type: ignore[operator]
    head = network.classifier
    assert isinstance(head, nn.Linear)
    scores = F.conv2d(features, head.weight[:, :, None, None], head.bias)
    return scores[0]


def load_classifier() -> nn.Module:
    """EfficientNet-Lite0 with ImageNet's weights and its last layer, in eval mode."""
    network: nn.Module = timm.create_model(_CLASSIFIER, pretrained=False)
    network.load_state_dict(read_packaged(_CLASSIFIER))
    return network.eval()


def _save_panels(panels: Mapping[str, Array | NDArray[np.float32]], path: Path) -> None:
    height, width = next(iter(panels.values())).shape[:2]
    rows = -(-len(panels) // _COLUMNS)  # rounded up
    figure, grid = make_grid(rows, _COLUMNS, ratio=height / width)
    for axes, (title, picture) in zip(grid.flat, panels.items(), strict=False):
        axes.imshow(picture, cmap=COLOUR_MAP, vmin=0, vmax=255 if picture.ndim == 3 else 1)
        set_title(axes, title)
    save_png(figure, path)
