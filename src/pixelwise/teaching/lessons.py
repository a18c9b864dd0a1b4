"""The lessons: drawings from real images and models, and the comparison of networks that the course
makes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.inference.load import load
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, read_rgb
from pixelwise.models.checkpoint import Header, load_model, read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.decoders.fcn import FCN
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.reports.plots import draw_augmentation
from pixelwise.teaching.figures import draw_curves_by_network, draw_fcn_scores
from pixelwise.training.config import TrainConfig
from pixelwise.training.loaders import seeded_generator
from pixelwise.training.run import Run
from pixelwise.training.train import train
from pixelwise.training.transforms import AUGMENTATIONS, Augmentation, as_tensors

EPOCHS_SHOWN = 7

# The fields of Augmentation that change something, and what.
_CHANGES = {
    "mirror": "mirrored",
    "scale": "scaled",
    "rotate": "turned",
    "jitter": "light and contrast",
    "hue": "hue",
    "corruptions": "blur, noise or JPEG",
}
_DRAWS = 20

# The encoders of the papers: U-Net's own contracting path; LinkNet's is that of ResNet-18.
NETWORKS = {"unet": "unet", "linknet": "resnet18"}


def explain_augmentation(
    data: str | Path,
    out: str | Path,
    *,
    crop: tuple[int, int] | None = None,
    augment: str | None = None,
    each: bool = False,
    seed: int = 0,
) -> None:
    """Write a PNG of the first training image with its mask, and what is seen of it in EPOCHS_SHOWN
    epochs: with the augmentation `augment`, as `train` has it (none: a crop and no more), by
    default the usual one; or, with `each`, of every change in it by itself. Raises ConfigError for
    another name.
    """
    dataset = open_dataset(data, DataOptions(seed=seed))
    pair = dataset.pairs("train")[0]
    rgb = read_rgb(pair.image)
    labels = dataset.read_labels(pair.mask)
    height, width = labels.shape
    preset = augment or TrainConfig().augmentation.augment or "strong"
    if preset not in AUGMENTATIONS:
        raise unknown_choice_error("augmentation", preset, AUGMENTATIONS)
    samples = [("original", rgb, labels)]
    if each:
        samples += augment_by_each(rgb, labels, crop or (height, width), preset, seed)
        draw_augmentation(samples, Path(out), dataset.classes)
        return
    draw_sample = Augmentation(crop or (height, width), **AUGMENTATIONS[preset])
    for epoch in range(1, EPOCHS_SHOWN + 1):
        # as the training seeds it: what is drawn is what a run sees
        generator = seeded_generator(seed, epoch, 0)
        image, target = _augment(draw_sample, rgb, labels, generator)
        samples.append((f"epoch {epoch}", image, target))
    draw_augmentation(samples, Path(out), dataset.classes)


def augment_by_each(
    rgb: Array, labels: Array, crop: tuple[int, int], preset: str, seed: int
) -> Iterator[tuple[str, Array, Array]]:
    """A crop, and each change of a preset alone, of the whole image, at a strength that shows."""
    whole = (labels.shape[0], labels.shape[1])
    generator = seeded_generator(seed, 0, 0)
    still = AUGMENTATIONS["none"]
    plain = Augmentation(crop, **still)
    yield ("crop", *_augment(plain, rgb, labels, generator))
    chosen = {"mirror": True, **AUGMENTATIONS[preset]}
    for field, title in _CHANGES.items():
        value = chosen.get(field)
        if not value or value == still.get(field):
            continue
        # of all samples, where a training does it to a share
        change = Augmentation(whole, **{**still, field: 1.0 if field == "corruptions" else value})
        image, target = _augment(change, rgb, labels, generator)
        for _ in range(_DRAWS):
            if not np.array_equal(image, rgb):  # half of the samples are not mirrored
                break
            image, target = _augment(change, rgb, labels, generator)
        yield title, image, target


def _augment(
    augment: Augmentation,
    rgb: Array,
    labels: Array,
    generator: torch.Generator,
) -> tuple[Array, Array]:
    image, target = augment(*as_tensors(rgb, labels), generator)
    pixels = image.permute(1, 2, 0)  # (H, W, 3)
    return pixels.numpy(), target.numpy()


def explain_scores(models: Sequence[str | Path], image: str | Path, out: str | Path) -> None:
    """Write a PNG of the class scores by stride of one or more FCN models on one photo.

    Raises ConfigError for a model of another decoder and for models of unlike classes.
    """
    rgb = read_rgb(Path(image))
    # a copy, as PyTorch warns of arrays that cannot be written to
    pixels = torch.from_numpy(rgb.copy())
    pixels = pixels.permute(2, 0, 1)  # (3, H, W)
    rows = list[tuple[str, dict[int, Tensor], Array]]()
    classes = None
    for path in models:
        model, header = _load_fcn(Path(path))
        if classes not in (None, header.classes):
            raise ConfigError(
                f"model {path}: other classes than the model before it; give models of one data set"
            )
        classes = header.classes
        labels = load(path).predict(rgb).labels
        rows.append((Path(path).name, fused_scores(model, pixels), labels))
    if classes is None:
        raise ConfigError("no model given; give one or more runs of fcn32s, fcn16s or fcn8s")
    draw_fcn_scores(rgb, rows, Path(out), classes)


def _load_fcn(path: Path) -> tuple[Segmenter, Header]:
    model, header = load_model(path)
    if not isinstance(model.decoder, FCN):
        raise ConfigError(
            f"model {path}: its decoder is no FCN; give runs of fcn32s, fcn16s or fcn8s"
        )
    return model, header


@torch.no_grad()
def fused_scores(model: Segmenter, image: Tensor) -> dict[int, Tensor]:
    """The class scores (C, h, w) of an FCN at each of its strides, coarse to fine, after what is
    coarser was added.

    image: uint8 (3, H, W). Raises ConfigError for a model of another decoder.
    """
    decoder = model.decoder
    if not isinstance(decoder, FCN):
        raise ConfigError("its decoder is no FCN; give a model of fcn32s, fcn16s or fcn8s")
    scores: list[Tensor] = []

    def note_scores(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        batch = inputs[0]  # (1, C, h, w)
        scores.append(batch[0])

    hooks = []
    # what an upsampling takes is what was added up before it
    for layer in (*decoder.fusions, decoder.upsample):
        hooks.append(layer.register_forward_pre_hook(note_scores))
    batch = image[None].float() / 255  # (1, 3, H, W)
    try:
        model.eval()(batch)
    finally:
        for hook in hooks:
            hook.remove()
    strides = map(int, decoder.scores)
    return dict(zip(strides, scores, strict=True))


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
    progress = progress or default_progress()
    networks = []
    for decoder, encoder in NETWORKS.items():
        progress.log(f"{decoder} on {encoder}, as published, from scratch")
        config = TrainConfig.from_flat(
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
            data,
            out / decoder,
            config=config,
            progress=progress,
            matte_threshold=matte_threshold,
        )
        networks.append(_describe_network(run, decoder, encoder))
    write_text(out / "networks.md", format_table(networks))
    curves = {network.name: network.mean_iou for network in networks}
    draw_curves_by_network(curves, out / "iou.png", ylabel="validation mean IoU")
    return networks


def _describe_network(run: Run, decoder: str, encoder: str) -> Network:
    header = read_header(run.path)
    height, width = header.training["crop"]
    million_weights, gflops = count_cost(header.model, (height, width))
    # seconds of an epoch count from the start of the training
    ends = [0.0, *(epoch.seconds for epoch in run.history)]
    durations = [end - begin for begin, end in pairwise(ends)]
    speeds = [epoch.images_per_second for epoch in run.history]
    mean_iou = [epoch.val_mean_iou for epoch in run.history]
    return Network(
        decoder,
        encoder,
        million_weights,
        gflops,
        # the fastest epoch: the machine may have had other work in the others
        images_per_second=max(speeds),
        epoch_seconds=min(durations),
        mean_iou=tuple(mean_iou),
    )


def count_cost(config: ModelConfig, size: tuple[int, int]) -> tuple[float, float]:
    """Millions of weights, and GFLOPs for one image of `size` (height, width)."""
    model = build_segmenter(config).eval()
    image = torch.zeros(1, 3, *size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    weights = sum(parameter.numel() for parameter in model.parameters())
    flops = counter.get_total_flops()
    return weights / 1e6, flops / 1e9


def format_table(networks: Sequence[Network]) -> str:
    """Markdown, with a last line that says how the second compares with the first."""
    lines = [
        "| network | encoder | million weights | GFLOPs an image | training images/s "
        "| s an epoch | mean IoU |",
        "|---|---|---|---|---|---|---|",
    ]
    for network in networks:
        cells = (
            network.name,
            network.encoder,
            f"{network.million_weights:.1f}",
            f"{network.gflops:.1f}",
            f"{network.images_per_second:.2f}",
            f"{network.epoch_seconds:.0f}",
            f"{network.mean_iou[-1]:.3f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    if len(networks) == 2:
        first, second = networks
        weights = second.million_weights / first.million_weights
        speed = second.images_per_second / first.images_per_second
        lines.append(
            f"\n{second.name} has {weights:.2f} of {first.name}'s weights and trains "
            f"{speed:.1f} times as fast."
        )
    return "\n".join(lines) + "\n"
