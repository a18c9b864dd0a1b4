"""Training images/s of pixelwise's loop beside a plain PyTorch loop with the same network, batch
and pictures.

python benchmarks/train_speed.py [--steps 6] [--threads 2]

The plain loop is what one writes first: float32, contiguous tensors, PyTorch's own layers,
cross-entropy, AdamW. The other is pixelwise's session: channels_last, its layers, the precision
that it measures and chooses here, and freed memory kept for the next tensor. Both train on the same
random pictures from memory, each in a process of its own, taking turns step by step, so that
neither loading nor the machine's mood decides.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
import torch.nn.functional as F
from machine import provenance
from torch import nn

from pixelwise.malloc import retain_memory
from pixelwise.models.registry import build_model
from pixelwise.models.transposed_conv import TransposedConv2d
from pixelwise.training.precision import try_steps

NETWORKS = (("unet", "tf_efficientnet_lite0"), ("unet", "resnet18"), ("fcn32s", "resnet18"))
CLASSES = 21


def plain_copy(model: nn.Module) -> nn.Module:
    """PyTorch's own transposed convolutions in place of pixelwise's, and depthwise layers as
    autocast wants them.
    """
    for parent in model.modules():
        for layer in parent.children():
            if isinstance(layer, TransposedConv2d):
                layer.__class__ = nn.ConvTranspose2d
            if isinstance(layer, nn.Conv2d) and "forward" in layer.__dict__:
                del layer.forward
    return model


class Learner:
    """A network with its optimiser, stepping on one batch of random pictures."""

    def __init__(
        self, model: nn.Module, batch: int, crop: tuple[int, int], *, classes: int, ours: bool
    ) -> None:
        self.images = torch.randint(0, 256, (batch, 3, *crop), dtype=torch.uint8)
        self.target = torch.randint(0, classes, (batch, *crop))
        self.layout = torch.contiguous_format
        self.precision = "float32"
        self.why = ""
        if ours:
            trial = try_steps(model, device=torch.device("cpu"), crop=crop, batch=batch)
            self.precision = trial.precision
            self.why = trial.reason
            self.layout = torch.channels_last
        self.model = model.to(memory_format=self.layout).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)

    def step(self) -> float:
        """Seconds of one step."""
        start = time.perf_counter()
        images = self.images.float().div(255).contiguous(memory_format=self.layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.model(images)
        F.cross_entropy(logits.float(), self.target, ignore_index=255).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - start


_kept = retain_memory()
_learner: Learner


def begin(
    network: tuple[str, str], batch: int, crop: tuple[int, int], threads: int, ours: bool
) -> tuple[str, str]:
    """In a learner's own process: its precision, and why."""
    global _learner  # noqa: PLW0603
    torch.set_num_threads(threads)
    if ours:
        _kept.__enter__()
    torch.manual_seed(0)
    decoder, encoder = network
    model = build_model(decoder, encoder=encoder, classes=CLASSES, weights="none")
    _learner = Learner(
        model if ours else plain_copy(model), batch, crop, classes=CLASSES, ours=ours
    )
    return _learner.precision, _learner.why


def step() -> float:
    return _learner.step()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, nargs=2, default=(320, 480))
    options = parser.parse_args()
    command = (
        f"python benchmarks/train_speed.py --steps {options.steps} --threads {options.threads}"
    )
    print(f"# Training speed\n\n{provenance(command)}")
    crop = tuple(options.crop)
    print(
        f"{options.threads} thread(s), batches of {options.batch} pictures of {crop[0]} x "
        f"{crop[1]}\n"
    )
    print(
        "| network | plain float32, images/s | pixelwise, images/s | ratio | precision chosen "
        "|\n|---|---|---|---|---|"
    )
    for network in NETWORKS:
        given = (network, options.batch, crop, options.threads)
        with (
            ProcessPoolExecutor(1, mp_context=get_context("spawn")) as slow,
            ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fast,
        ):
            slow.submit(begin, *given, False).result()
            precision, why = fast.submit(begin, *given, True).result()
            turns = [
                (slow.submit(step).result(), fast.submit(step).result())
                for _ in range(options.steps + 1)
            ]
        plain, ours = (
            options.batch / min(seconds) for seconds in zip(*turns[1:], strict=True)
        )  # the first: not counted
        name = ", ".join(network)
        print(
            f"| {name} | {plain:.2f} | {ours:.2f} | {ours / plain:.2f} | {precision} ({why}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
