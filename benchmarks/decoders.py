"""What each decoder costs on an encoder: weights, operations, CPU time of a batch.

    python benchmarks/decoders.py --encoders tf_efficientnet_lite0 resnet18 --out decoders.md

Operations are of one picture, a multiplication and an addition counted as two, as PyTorch counts
them. Times are CPU time of this process on one thread, the least of the rounds: one batch as the
training sees it (channels last, bfloat16 where autocast wants it, training mode), forward alone and
forward with loss and backward. Networks of one encoder are timed turn by turn.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from machine import provenance
from torch.utils.flop_counter import FlopCounterMode

from pixelwise.models.registry import DECODERS, build_model
from pixelwise.models.segmenter import Segmenter


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoders", nargs="+", default=["tf_efficientnet_lite0", "resnet18"])
    parser.add_argument("--decoders", nargs="+", default=list(DECODERS), choices=DECODERS)
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument(
        "--size", type=int, nargs=2, default=(384, 480), metavar=("HEIGHT", "WIDTH")
    )
    parser.add_argument(
        "--crop", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH")
    )
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "# What each decoder costs\n",
        provenance(f"python {' '.join(sys.argv)}"),
        f"{args.classes} classes. GFLOP of one picture of {args.size[0]} x {args.size[1]}, two for a "
        "multiplication and addition; CPU ms of a",
        f"batch of {args.batch} crops of {args.crop[0]} x {args.crop[1]} in bfloat16 autocast, "
        f"channels last, one thread, least of {args.rounds} rounds.",
    ]
    for encoder in args.encoders:
        lines += [
            f"\n## On {encoder}\n",
            "| decoder | million weights, decoder | with encoder | GFLOP | forward, ms | forward and backward, ms |",
            "|---|---|---|---|---|---|",
            *rows(encoder, args),
        ]
    text = "\n".join(lines) + "\n"
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def rows(encoder: str, args: argparse.Namespace) -> list[str]:
    networks = {
        name: build_model(name, encoder=encoder, classes=args.classes).to(
            memory_format=torch.channels_last
        )
        for name in args.decoders
    }
    best = {name: (float("inf"), float("inf")) for name in networks}
    for number in range(args.rounds + 1):
        for name, network in networks.items():
            seconds = step(network, args)
            if number:  # the first round pays for preparation
                best[name] = tuple(map(min, best[name], seconds))
            print(f"{encoder} {name} {number} {seconds}", file=sys.stderr)
    result = []
    for name in sorted(networks, key=lambda name: best[name][1]):
        decoder = weights(networks[name].decoder)
        forward, both = best[name]
        work = operations(networks[name], args.size)
        result.append(
            f"| {name} | {decoder:.2f} | {weights(networks[name]):.2f} | {work / 1e9:.1f} | "
            f"{1000 * forward:.0f} | {1000 * both:.0f} |"
        )
    return result


def weights(network: torch.nn.Module) -> float:
    return sum(weight.numel() for weight in network.parameters()) / 1e6


def operations(network: Segmenter, size: tuple[int, int]) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, *size))
    return float(counter.get_total_flops())


def step(network: Segmenter, args: argparse.Namespace) -> tuple[float, float]:
    """CPU seconds of a training step's forward pass, and of it with its loss and backward pass."""
    network.train()
    network.zero_grad(set_to_none=True)
    images = torch.rand(args.batch, 3, *args.crop).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(args.classes, (args.batch, *args.crop))
    start = time.process_time()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
        forward = time.process_time() - start
        loss = F.cross_entropy(logits.float(), labels)
    loss.backward()
    return forward, time.process_time() - start


if __name__ == "__main__":
    main()
