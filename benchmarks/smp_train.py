"""What a user of segmentation_models.pytorch would write to train: the rival of versus.py.

python benchmarks/smp_train.py DATA OUT MINUTES

Its own CamVid example's recipe: U-Net, Dice loss, Adam with 2e-4 on a cosine down to 1e-5, batches
of 32 crops of 320 x 320, mirrored, scaled by 0.5 to 1.5, with changes of light and sharpness;
float32, the best epoch on validation kept. Torchvision's transforms stand for Albumentations' (no
Perspective, CLAHE or motion blur), and the encoder is tf_efficientnet_lite0 with pixelwise's
ImageNet weights. Freed memory is kept as pixelwise does, without which a step of this batch takes
four times as long. The number of epochs follows from the first one's time.
"""

import random
import sys
import time
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.io.images import read_rgb
from pixelwise.malloc import retain_memory
from pixelwise.models.encoder import Encoder
from pixelwise.models.pretrained import load_weights

ENCODER = "tf_efficientnet_lite0"
CROP = 320
BATCH = 32


class Crops(Dataset):
    def __init__(self, data: Path) -> None:
        self.dataset = open_dataset(data, DataOptions())
        self.pairs = self.dataset.pairs("train")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        pair = self.pairs[index]
        image = torch.from_numpy(read_rgb(pair.image).copy()).permute(2, 0, 1)
        labels = torch.from_numpy(self.dataset.read_labels(pair.mask).copy())[None]
        scale = random.uniform(0.5, 1.5)
        size = [max(1, round(side * scale)) for side in image.shape[1:]]
        image = F.resize(image, size, InterpolationMode.BILINEAR, antialias=True)
        labels = F.resize(labels, size, InterpolationMode.NEAREST)
        missing = [max(0, CROP - side) for side in size]
        image = F.pad(image, [0, 0, missing[1], missing[0]])
        labels = F.pad(labels, [0, 0, missing[1], missing[0]], fill=VOID)
        top, left = (random.randint(0, side - CROP) for side in image.shape[1:])
        image, labels = (
            picture[:, top : top + CROP, left : left + CROP] for picture in (image, labels)
        )
        if random.random() < 0.5:
            image = F.horizontal_flip(image)
            labels = F.horizontal_flip(labels)
        return self.changed(image), labels[0].long()

    @staticmethod
    def changed(image: torch.Tensor) -> torch.Tensor:
        if random.random() < 0.2:
            image = (image + torch.randn(image.shape) * 10).clamp(0, 255).to(torch.uint8)
        if random.random() < 0.9:
            change = random.choice((F.adjust_brightness, F.adjust_contrast, F.adjust_gamma))
            image = change(image, random.uniform(0.8, 1.2))
        if random.random() < 0.9:
            image = random.choice(
                (
                    lambda i: F.adjust_sharpness(i, random.uniform(1, 2)),
                    lambda i: F.gaussian_blur(i, [3, 3]),
                )
            )(image)
        if random.random() < 0.9:
            image = F.adjust_saturation(
                F.adjust_hue(image, random.uniform(-0.05, 0.05)), random.uniform(0.7, 1.3)
            )
        return image


def network(classes: int) -> torch.nn.Module:
    model = smp.Unet(f"tu-{ENCODER}", encoder_weights=None, classes=classes)
    encoder = Encoder(ENCODER)
    load_weights(encoder, "auto")
    model.encoder.model.load_state_dict(encoder.net.state_dict())
    return model


def normalised(images: torch.Tensor) -> torch.Tensor:
    return (images.float() / 255 - 0.5) / 0.5


@torch.inference_mode()
def mean_iou(model: torch.nn.Module, data: Crops, split: str) -> float:
    count = len(data.dataset.classes)
    matrix = np.zeros((count, count), np.int64)
    for pair in data.dataset.pairs(split):
        image = torch.from_numpy(read_rgb(pair.image).copy()).permute(2, 0, 1)[None]
        height, width = image.shape[-2:]
        padded = torch.nn.functional.pad(normalised(image), (0, -width % 32, 0, -height % 32))
        found = model(padded)[0, :, :height, :width].argmax(0).numpy()
        truth = data.dataset.read_labels(pair.mask)
        seen = truth != VOID
        matrix += np.bincount(
            truth[seen].astype(np.int64) * count + found[seen], minlength=count**2
        ).reshape(count, count)
    both = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - both
    return float((both[union > 0] / union[union > 0]).mean())


@retain_memory()
def main(source: Path, out: Path, minutes: float) -> None:
    torch.manual_seed(0)
    random.seed(0)
    data = Crops(source)
    model = network(len(data.dataset.classes))
    loss = smp.losses.DiceLoss(smp.losses.MULTICLASS_MODE, from_logits=True, ignore_index=VOID)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    loader = DataLoader(
        data, BATCH, shuffle=True, drop_last=True, num_workers=1, persistent_workers=True
    )
    start = time.monotonic()
    best = -1.0
    epochs = 1
    epoch = 0
    while epoch < epochs:
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = 1e-5 + (2e-4 - 1e-5) * (1 + np.cos(np.pi * epoch / max(1, epochs))) / 2
        for images, labels in loader:
            loss(model(normalised(images)), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
        score = mean_iou(model.eval(), data, "val")
        epoch = epoch + 1
        passed = time.monotonic() - start
        if epoch == 1:
            epochs = max(1, int(60 * minutes / passed))
        if score > best:
            best = score
            torch.save(model.state_dict(), out)
        print(
            f"epoch {epoch} of {epochs}, {passed:.0f} s, validation mean IoU {score:.4f}",
            flush=True,
        )
    model.load_state_dict(torch.load(out, weights_only=True))
    splits = data.dataset.splits
    split = "test" if "test" in splits else "val"
    print(
        f"{split} {mean_iou(model.eval(), data, split):.4f} epochs {epochs} minutes "
        f"{passed / 60:.1f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
