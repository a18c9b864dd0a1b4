"""Milliseconds of the default loss, forward and backward, beside segmentation_models.pytorch's of
the same kind.

python benchmarks/loss_speed.py [--threads 2] [--classes 2 11 21] [--repeats 9]

Both are cross-entropy + Dice with void left out, on the same logits in bfloat16 and channels_last,
as a network gives them, taking turns in one process; freed memory is kept, as in a training.
"""

import argparse
import time
from collections.abc import Callable

import segmentation_models_pytorch as smp
import torch
from machine import provenance
from torch import Tensor

from pixelwise.classes import VOID
from pixelwise.malloc import retain_memory
from pixelwise.training.losses import make_loss


def of_smp() -> Callable[[Tensor, Tensor], Tensor]:
    """Its cross-entropy and its Dice loss over several classes."""
    dice = smp.losses.DiceLoss("multiclass", ignore_index=VOID)
    entropy = smp.losses.SoftCrossEntropyLoss(smooth_factor=0.0, ignore_index=VOID)
    return lambda logits, target: entropy(logits, target) + dice(logits, target)


def seconds(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, target: Tensor) -> float:
    """Of one forward and backward."""
    leaf = logits.detach().clone(memory_format=torch.channels_last).requires_grad_()
    start = time.perf_counter()
    loss(leaf, target).backward()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--classes", type=int, nargs="+", default=(2, 11, 21))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, nargs=2, default=(288, 384))
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    height, width = options.crop
    print(
        "# The default "
        f"loss\n\n{provenance(f'python benchmarks/loss_speed.py --threads {options.threads}')}"
    )
    print(
        f"{options.threads} thread(s), batches of {options.batch} crops of {height} x "
        f"{width}, a tenth of them void\n"
    )
    print(
        "| classes | segmentation_models.pytorch, ms | pixelwise, ms | ratio |\n|---|---|---|---|"
    )
    for classes in options.classes:
        dice = torch.Generator().manual_seed(0)
        logits = torch.randn(options.batch, classes, height, width, generator=dice).bfloat16()
        target = torch.randint(0, classes, (options.batch, height, width), generator=dice)
        target[:, : height // 10] = VOID
        theirs = of_smp()
        ours = make_loss("cross_entropy + dice")
        with retain_memory():
            turns = [
                (seconds(theirs, logits, target), seconds(ours, logits, target))
                for _ in range(options.repeats)
            ]
        slow, fast = (
            1000 * min(each) for each in zip(*turns[1:], strict=True)
        )  # the first: not counted
        print(f"| {classes} | {slow:.0f} | {fast:.0f} | {slow / fast:.2f} |", flush=True)


if __name__ == "__main__":
    main()
