"""What users do without streaming: all scores of the picture in memory. A process of its own for
large_image.py.

python benchmarks/in_memory.py WAY RUN PICTURE MASK RUNTIME PRECISION TILE

WAY: `monai` (its sliding_window_inference, Gaussian weights, overlap of an eighth) or `loop` (what
people write round segmentation_models.pytorch: tiles with a quarter of overlap added into one
array, and a count). The network and its runtime are pixelwise's, so that only the averaging
differs.
"""

import sys

import numpy as np
import rasterio
from PIL import Image

from pixelwise.inference.load import load
from pixelwise.inference.tiling import positions


def main() -> None:
    way, run, picture, mask, runtime, precision, tile = sys.argv[1:]
    predictor = load(run, runtime=runtime, precision=precision)
    side = int(tile)
    with rasterio.open(picture) as source:
        rgb = source.read()[None]  # (1, 3, H, W)
    scores = {"monai": by_monai, "loop": by_loop}[way](
        predictor.runner, rgb, side, len(predictor.classes)
    )
    labels = scores.argmax(0)
    Image.fromarray(np.asarray(labels).astype(np.uint8)).save(mask)


def by_monai(runner, rgb: np.ndarray, side: int, _: int):
    import torch
    from monai.inferers import sliding_window_inference

    def network(tiles: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(runner(tiles.to(torch.uint8).numpy()))

    floats = torch.from_numpy(rgb).float()  # its sums have the type of the picture
    found = sliding_window_inference(
        floats, (side, side), 1, network, overlap=0.125, mode="gaussian"
    )
    return found[0]


def by_loop(runner, rgb: np.ndarray, side: int, classes: int) -> np.ndarray:
    height, width = rgb.shape[2:]
    total = np.zeros((classes, height, width), np.float32)
    count = np.zeros((height, width), np.float32)
    for top in positions(height, side, 0.25):
        for left in positions(width, side, 0.25):
            part = np.s_[top : top + side, left : left + side]
            total[:, *part] += runner(np.ascontiguousarray(rgb[:, :, *part]))[0]
            count[part] += 1
    total /= count
    return total


if __name__ == "__main__":
    main()
