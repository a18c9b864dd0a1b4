"""The script of forty lines that defaults.py sets beside the default training.

python benchmarks/short_script.py DATA OUT CPU_SECONDS [SEED] [AXES]

U-Net of segmentation_models.pytorch with the same ImageNet weights, AdamW with 1e-3 on a cosine,
cross-entropy + Dice, batches of 8 crops at the photos' own size (at most 256 x 256), mirrored
both ways (AXES 01) or left to right alone (1), smaller photos padded with void; the last weights
are kept. What it reads the data with is pixelwise's, and so is the scorer.
"""

import math
import random
import sys
from pathlib import Path

import segmentation_models_pytorch as smp
import torch
from machine import cpu_seconds
from smp_train import network, normalised
from torch.nn import functional as F

from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.io.images import read_rgb
from pixelwise.malloc import retain_memory

CROP = 256
BATCH = 8


@retain_memory()
def main(source: Path, out: Path, seconds: float, seed: int = 0, axes: str = "01") -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    data = open_dataset(source, DataOptions())
    pairs = [
        (torch.from_numpy(read_rgb(p.image).copy()), torch.from_numpy(data.read_labels(p.mask)))
        for p in data.pairs("train")
    ]
    sides = [max(labels.shape[axis] for _, labels in pairs) for axis in (0, 1)]
    crop = [min(CROP, -(-side // 32) * 32) for side in sides]
    model = network(len(data.classes)).train()
    dice = smp.losses.DiceLoss("multiclass", from_logits=True, ignore_index=VOID)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    order: list[int] = []
    steps = 0
    while (share := cpu_seconds() / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 + math.cos(math.pi * share)) / 2
        order = order if len(order) >= BATCH else random.sample(range(len(pairs)), len(pairs))
        batch = []
        for index in order[:BATCH]:
            image, labels = pairs[index]
            missing = [max(0, crop[i] - labels.shape[i]) for i in (0, 1)]
            image = F.pad(image, (0, 0, 0, missing[1], 0, missing[0]), value=127)
            labels = F.pad(labels, (0, missing[1], 0, missing[0]), value=VOID)
            top, left = (random.randint(0, labels.shape[i] - crop[i]) for i in (0, 1))
            window = (slice(top, top + crop[0]), slice(left, left + crop[1]))
            turned = [int(axis) for axis in axes if random.random() < 0.5]
            batch.append((image[window].flip(turned), labels[window].flip(turned)))
        order = order[BATCH:]
        images = normalised(torch.stack([image.permute(2, 0, 1) for image, _ in batch]))
        target = torch.stack([labels for _, labels in batch]).long()
        logits = model(images)
        loss = F.cross_entropy(logits, target, ignore_index=VOID) + dice(logits, target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
    torch.save(model.state_dict(), out)
    print(f"steps {steps} crop {crop[0]} x {crop[1]} CPU seconds {cpu_seconds():.0f}")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        float(sys.argv[3]),
        *map(int, sys.argv[4:5]),
        *sys.argv[5:],
    )
