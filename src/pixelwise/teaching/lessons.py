"""The lessons: drawings from real images and models, and the comparison of networks that the course
makes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError
from pixelwise.inference.load import load
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, read_rgb
from pixelwise.models.checkpoint import load_model, read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.decoders.fcn import FCN
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.teaching.figures import draw_augmentation, draw_race, draw_scores
from pixelwise.training.config import TrainConfig
from pixelwise.training.loaders import dice
from pixelwise.training.run import train
from pixelwise.training.transforms import AUGMENTATIONS, Augmentation, as_tensors

SAMPLES = 7

NETWORKS = {"unet": "unet", "linknet": "resnet18"}
"""The encoders of the papers: U-Net's own contracting path; LinkNet's is that of ResNet-18."""


def explain_augmentation(
    data: str | Path, out: str | Path, *, crop: tuple[int, int] | None = None, seed: int = 0
) -> None:
    """Write a PNG of the first training image with its mask, and what is seen of it in SAMPLES
    epochs, usually.
    """
    dataset = open_dataset(data, DataOptions(seed=seed))
    pair = dataset.pairs("train")[0]
    rgb = read_rgb(pair.image)
    labels = dataset.read_labels(pair.mask)
    augment = Augmentation(
        crop or (labels.shape[0], labels.shape[1]), **AUGMENTATIONS[TrainConfig().augment]
    )
    samples = [("original", rgb, labels)]
    for epoch in range(1, SAMPLES + 1):
        image, target = augment(*as_tensors(rgb, labels), dice(seed, epoch, 0))
        samples.append((f"epoch {epoch}", image.permute(1, 2, 0).numpy(), target.numpy()))
    draw_augmentation(samples, Path(out), dataset.classes)


def explain_scores(models: Sequence[str | Path], image: str | Path, out: str | Path) -> None:
    """Write a PNG of the class scores by stride of one or more FCN models on one photo.

    Raises ConfigError for a model of another decoder and for models of unlike classes.
    """
    rgb = read_rgb(Path(image))
    rows = list[tuple[str, dict[int, Tensor], Array]]()
    classes = None
    for path in models:
        model, header = load_model(Path(path))
        if not isinstance(model.decoder, FCN):
            raise ConfigError(
                f"model {path}: its decoder is no FCN; give runs of fcn32s, fcn16s or fcn8s"
            )
        if classes not in (None, header.classes):
            raise ConfigError(
                f"model {path}: other classes than the model before it; give models of one data set"
            )
        classes = header.classes
        picture = torch.from_numpy(rgb.copy()).permute(2, 0, 1)  # (3, H, W)
        rows.append((Path(path).name, fused_scores(model, picture), load(path).predict(rgb).labels))
    if classes is None:
        raise ConfigError("no model given; give one or more runs of fcn32s, fcn16s or fcn8s")
    draw_scores(rgb, rows, Path(out), classes)


@torch.no_grad()
def fused_scores(model: Segmenter, image: Tensor) -> dict[int, Tensor]:
    """The class scores (C, h, w) of an FCN at each of its strides, coarse to fine, after what is
    coarser was added.

    image: uint8 (3, H, W).
    """
    found: list[Tensor] = []
    decoder = model.decoder
    assert isinstance(decoder, FCN)
    layers = [*decoder.fusions, decoder.upsample]
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0][0]))
        for layer in layers
    ]
    try:
        model.eval()(image[None].float() / 255)
    finally:
        for hook in hooks:
            hook.remove()
    return dict(zip(map(int, decoder.scores), found, strict=True))


@dataclass(frozen=True)
class Network:
    """One network of the comparison: millions of weights, GFLOPs (multiply and add counted apart)
    for one image of the crop's size, images/s and seconds an epoch of training, and validation mean
    IoU by epoch.
    """

    name: str
    encoder: str
    million_weights: float
    gflops: float
    images_per_second: float
    epoch_seconds: float
    mean_iou: tuple[float, ...]


def compare_networks(
    data: str | Path,
    out: str | Path,
    *,
    epochs: int = 5,
    crop: tuple[int, int] | None = None,
    batch: int = 8,
    seed: int = 0,
    matte_threshold: int = 128,
    progress: Progress | None = None,
) -> list[Network]:
    """Train U-Net and LinkNet as in their papers, from scratch, on the same data, and write the
    comparison to `out`: networks.md, iou.png, and each one's run folder.
    """
    out = Path(out)
    progress = progress or Progress()
    found = []
    for decoder, encoder in NETWORKS.items():
        progress.log(f"{decoder} on {encoder}, as published, from scratch")
        config = TrainConfig(
            decoder=decoder,
            encoder=encoder,
            plain=True,
            weights="none",
            epochs=epochs,
            crop=crop,
            batch=batch,
            seed=seed,
        )
        run = train(
            data, out / decoder, config=config, progress=progress, matte_threshold=matte_threshold
        )
        header = read_header(run.path)
        height, width = header.training["crop"]
        weights, flops = cost(header.model, (height, width))
        rate = max(row.images_per_second for row in run.history)
        seconds = min(
            after - before
            for before, after in pairwise([0.0, *(row.seconds for row in run.history)])
        )
        scores = tuple(row.val_mean_iou for row in run.history)
        found.append(Network(decoder, encoder, weights, flops, rate, seconds, scores))
    write_text(out / "networks.md", table(found))
    draw_race({n.name: n.mean_iou for n in found}, out / "iou.png", ylabel="validation mean IoU")
    return found


def cost(config: ModelConfig, size: tuple[int, int]) -> tuple[float, float]:
    """Millions of weights, and GFLOPs for one image of `size` (height, width)."""
    model = build_segmenter(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, *size))
    return sum(p.numel() for p in model.parameters()) / 1e6, counter.get_total_flops() / 1e9


def table(networks: Sequence[Network]) -> str:
    """Markdown, with a last line that says how the second compares with the first."""
    lines = [
        "| network | encoder | million weights | GFLOPs an image | training images/s | s an "
        "epoch | mean IoU |",
        "|---|---|---|---|---|---|---|",
    ]
    for n in networks:
        lines.append(
            f"| {n.name} | {n.encoder} | {n.million_weights:.1f} | {n.gflops:.1f} | "
            f"{n.images_per_second:.2f} | "
            f"{n.epoch_seconds:.0f} | {n.mean_iou[-1]:.3f} |"
        )
    if len(networks) == 2:
        a, b = networks
        lines.append(
            f"\n{b.name} has {b.million_weights / a.million_weights:.2f} of {a.name}'s "
            "weights and trains "
            f"{b.images_per_second / a.images_per_second:.1f} times as fast."
        )
    return "\n".join(lines) + "\n"
