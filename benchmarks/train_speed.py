"""Training images/s of pixelwise's loop beside a plain PyTorch loop with the same network, batch and pictures.

    python benchmarks/train_speed.py [--steps 6] [--threads 2]

The plain loop is what one writes first: float32, contiguous tensors, PyTorch's own layers, cross-entropy, AdamW. The
other is pixelwise's session: channels_last, its layers, and the precision that it measures and chooses here. Both
train on the same random pictures from memory, taking turns step by step, so that neither loading nor the machine's
mood decides.
"""

import argparse
import time

import torch
import torch.nn.functional as F
from machine import provenance
from torch import nn

from pixelwise.models.build import build_model
from pixelwise.models.upsampling import TransposedConv2d
from pixelwise.training.precision import choose_precision

NETWORKS = (("unet", "tf_efficientnet_lite0"), ("unet", "resnet18"), ("fcn32s", "resnet18"))


def plain_copy(model: nn.Module) -> nn.Module:
    """PyTorch's own transposed convolutions in place of pixelwise's, and depthwise layers as autocast wants them."""
    for parent in model.modules():
        for layer in parent.children():
            if isinstance(layer, TransposedConv2d):
                layer.__class__ = nn.ConvTranspose2d
            if isinstance(layer, nn.Conv2d) and "forward" in layer.__dict__:
                del layer.forward
    return model


class Learner:
    """A network with its optimiser, stepping on one batch."""

    def __init__(self, model: nn.Module, layout: torch.memory_format, bfloat16: bool) -> None:
        self.model, self.layout, self.bfloat16 = model.to(memory_format=layout).train(), layout, bfloat16
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        self.seconds: list[float] = []

    def step(self, images: torch.Tensor, target: torch.Tensor) -> None:
        start = time.perf_counter()
        images = images.float().div(255).contiguous(memory_format=self.layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(images)
        F.cross_entropy(logits.float(), target, ignore_index=255).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.seconds.append(time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, nargs=2, default=(320, 480))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(provenance(f"python benchmarks/train_speed.py --steps {options.steps} --threads {options.threads}"))
    print(
        f"{options.threads} thread(s), batches of {options.batch} pictures of {options.crop[0]} x {options.crop[1]}\n"
    )
    print(
        "| network | plain float32, images/s | pixelwise, images/s | ratio | precision chosen |\n|---|---|---|---|---|"
    )
    for decoder, encoder in NETWORKS:
        torch.manual_seed(0)
        images = torch.randint(0, 256, (options.batch, 3, *options.crop), dtype=torch.uint8)
        target = torch.randint(0, 21, (options.batch, *options.crop))
        build = {"encoder": encoder, "classes": 21, "weights": "none"}
        plain = Learner(plain_copy(build_model(decoder, **build)), torch.contiguous_format, bfloat16=False)
        ours = build_model(decoder, **build)
        device = torch.device("cpu")
        precision, why = choose_precision(ours, device=device, crop=tuple(options.crop), batch=options.batch)
        fast = Learner(ours, torch.channels_last, bfloat16=precision == "bfloat16")
        for _ in range(options.steps + 1):  # the first is not counted
            plain.step(images, target)
            fast.step(images, target)
        slow, quick = (options.batch / min(learner.seconds[1:]) for learner in (plain, fast))
        print(
            f"| {decoder}, {encoder} | {slow:.2f} | {quick:.2f} | {quick / slow:.2f} | {precision} ({why}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
