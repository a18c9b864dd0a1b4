"""TransposedConv2d beside PyTorch's own layer and bilinear interpolation: time and memory, and a
whole FCN-32s.

python benchmarks/transposed_convolution.py --out benchmarks/results/transposed_convolution.md

All kinds take turns within one run, round after round; each figure is the best of the rounds. Freed
memory is kept for the next tensor, as in a training by pixelwise.
"""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.nn.functional as F
from machine import provenance
from torch import Tensor, nn

import pixelwise
from pixelwise.malloc import retain_memory
from pixelwise.models.transposed_conv import TransposedConv2d

SHAPES = {
    (21, 32, 64): (10, 15),
    (21, 16, 32): (20, 30),
    (21, 8, 16): (40, 60),
    (64, 2, 4): (80, 120),
    (256, 2, 2): (80, 120),
}
"""(channels, stride, kernel): the input's height and width, that of a 320 x 480 image at that place
in a network.
"""

IMAGES = 4
KINDS = ("PyTorch", "pixelwise", "bilinear")
PRODUCT = "matrix product"
"""That of the convolution's numbers alone, one forward and three with backward: what no layout can
make faster.
"""


def layer(kind: str, channels: int, stride: int, kernel: int) -> Callable[[Tensor], Tensor]:
    if kind == "bilinear":
        return partial(F.interpolate, scale_factor=stride, mode="bilinear", align_corners=False)
    made = nn.ConvTranspose2d if kind == "PyTorch" else TransposedConv2d
    return made(channels, channels, kernel, stride, padding=(kernel - stride) // 2, bias=False)


def work(
    kind: str, shape: tuple[int, int, int], dtype: torch.dtype, last: bool, backward: bool
) -> Callable[[], None]:
    torch.manual_seed(0)
    layout = torch.channels_last if last else torch.contiguous_format
    if kind == PRODUCT:
        return product(shape, dtype, backward)
    run = layer(kind, *shape)
    if isinstance(run, nn.Module):
        run = run.to(dtype=dtype, memory_format=layout)
    x = torch.randn(IMAGES, shape[0], *SHAPES[shape], dtype=dtype).contiguous(memory_format=layout)
    x.requires_grad_(backward)
    gradient = torch.ones(1, dtype=dtype)

    def once() -> None:
        with torch.set_grad_enabled(backward):
            output = run(x)
            if backward:
                output.backward(gradient.expand_as(output))

    return once


def product(shape: tuple[int, int, int], dtype: torch.dtype, backward: bool) -> Callable[[], None]:
    """Each block of stride x stride outputs is a product with the inputs beside it."""
    channels, stride, kernel = shape
    taps = kernel // stride
    rows = IMAGES * SHAPES[shape][0] * SHAPES[shape][1]
    a = torch.randn(rows, taps * taps * channels, dtype=dtype)
    b = torch.randn(taps * taps * channels, stride * stride * channels, dtype=dtype)
    c = a @ b

    def once() -> None:
        a @ b
        if backward:
            c @ b.T
            a.T @ c

    return once


def best(kinds: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds, the least of the rounds after a first one that is not counted."""
    found = dict.fromkeys(kinds, float("inf"))
    for number in range(rounds + 1):
        for name, run in kinds.items():
            start = time.perf_counter()
            run()
            if number:
                found[name] = min(found[name], 1e3 * (time.perf_counter() - start))
    return found


def peak(kind: str, shape: tuple[int, int, int], dtype: torch.dtype) -> float:
    """MiB that one forward and backward pass needs beyond what stood before; to be called in a
    fresh process.
    """
    once = work(kind, shape, dtype, last=True, backward=True)
    Path("/proc/self/clear_refs").write_text(
        "5", encoding="ascii"
    )  # the peak starts anew at what is resident now
    before = resident_peak()
    once()
    return resident_peak() - before


def resident_peak() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@retain_memory()
def layers(rounds: int) -> list[str]:
    rows = [
        "| channels, stride, kernel | precision | layout | pass | PyTorch ms | pixelwise ms | "
        "bilinear ms "
        f"| {PRODUCT} ms | gain |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for shape in SHAPES:
        for dtype in (torch.float32, torch.bfloat16):
            for last in (False, True):
                for backward in (False, True):
                    found = best(
                        {
                            kind: work(kind, shape, dtype, last, backward)
                            for kind in (*KINDS, PRODUCT)
                        },
                        rounds,
                    )
                    times = " | ".join(f"{found[kind]:.1f}" for kind in (*KINDS, PRODUCT))
                    rows.append(
                        f"| {shape} | {str(dtype)[6:]} | "
                        f"{'channels_last' if last else 'contiguous'} | "
                        f"{'forward + backward' if backward else 'forward'} | {times} | "
                        f"{found['PyTorch'] / found['pixelwise']:.2f} |"
                    )
    return rows


def memory() -> list[str]:
    rows = [
        "| channels, stride, kernel | precision | "
        + " | ".join(f"{kind} MiB" for kind in KINDS)
        + " |"
    ]
    rows.append("|---|---|---|---|---|")
    for shape in SHAPES:
        for dtype in (torch.float32, torch.bfloat16):
            found = []
            for kind in KINDS:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    found.append(pool.submit(peak, kind, shape, dtype).result())
            rows.append(
                f"| {shape} | {str(dtype)[6:]} | "
                + " | ".join(f"{value:.0f}" for value in found)
                + " |"
            )
    return rows


@retain_memory()
def network(rounds: int) -> list[str]:
    """FCN-32s on ResNet-18, one image of 320 x 480, inference; with PyTorch's layer in place of
    ours, and fixed.
    """
    image = torch.rand(1, 3, 320, 480)
    kinds: dict[str, Callable[[], object]] = {}
    for name in KINDS:
        upsample = "bilinear" if name == "bilinear" else "transposed"
        model = pixelwise.build_model(
            "fcn32s", encoder="resnet18", classes=21, plain=True, upsample=upsample
        )
        if name == "PyTorch":
            plain = nn.ConvTranspose2d(21, 21, 64, 32, 16, bias=False)
            plain.load_state_dict(model.decoder.upsample.state_dict())
            model.decoder.upsample = plain
        model = model.eval().to(memory_format=torch.channels_last)
        for precision in ("float32", "bfloat16"):
            kinds[f"{name} {precision}"] = partial(infer, model, image, precision == "bfloat16")
    found = best(kinds, rounds)
    rows = ["| final upsampling | float32 ms | bfloat16 ms |", "|---|---|---|"]
    rows += [
        f"| {name} | {found[f'{name} float32']:.0f} | {found[f'{name} bfloat16']:.0f} |"
        for name in KINDS
    ]
    return rows


@torch.inference_mode()
def infer(model: nn.Module, image: Tensor, bfloat16: bool) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        model(image.contiguous(memory_format=torch.channels_last))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--note", action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    text = [
        "# Transposed convolution\n",
        provenance(
            f"python benchmarks/transposed_convolution.py --rounds {args.rounds} --threads "
            f"{args.threads}"
        ),
        f"Best of {args.rounds} rounds, the kinds taking turns; {args.threads} thread(s); "
        f"{IMAGES} images of "
        "320 x 480 seen at that place of a network. Gain: PyTorch's time over pixelwise's.\n",
        *(f"{note}\n" for note in args.note),
        "## One layer\n",
        *layers(args.rounds),
        "\n## Memory of forward + backward, channels_last, beyond what stood before\n",
        *memory(),
        "\n## FCN-32s on ResNet-18, one image of 320 x 480, inference\n",
        *network(args.rounds),
    ]
    args.out.write_text("\n".join(text) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
