"""Accuracy against cost: every decoder on some encoders, trained for equal processor time.

python benchmarks/front.py --sets camvid voc --data DATA --minutes 2 --work WORK --out OUT.md

Each network is trained by `pixelwise train` with nothing set but the minutes, its decoder and its
encoder, as in defaults.py: one thread, minutes of processor time. Beside the mean IoU on the test
images: GFLOP (2 for a multiplication and addition) and milliseconds of one picture of 384 x 480 on
one thread, in float32 on OpenVINO where it is installed, else on PyTorch, and MiB of the model
file. A training that is finished in WORK is not run again. `--networks light:resnet18 ...` takes
these alone; --picture draws mean IoU against milliseconds, a panel a set.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from decoders import operations, weights
from defaults import OURS, folder_of, result_of
from machine import provenance

from pixelwise.models.registry import DECODERS, build_model
from pixelwise.reports.figure_style import BLUE, SMALL_LETTERS, make_figure, save_png, style_plot

SIZE = (384, 480)
DEFAULT = "tf_efficientnet_lite0"
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=["camvid"])
    parser.add_argument("--decoders", nargs="+", default=list(DECODERS))
    parser.add_argument("--encoders", nargs="+", default=[DEFAULT])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", metavar="DECODER:ENCODER")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    networks = [tuple(network.split(":")) for network in options.networks or ()] or [
        (decoder, encoder) for encoder in options.encoders for decoder in options.decoders
    ]
    points = []
    heads = " | ".join(options.sets)
    lines = [
        f"| encoder | decoder | GFLOP | ms | MiB | {heads} |",
        "|---|---|---|---|---|" + "---|" * len(options.sets),
    ]
    for decoder, encoder in networks:
        rows = [trained(decoder, encoder, name, options) for name in options.sets]
        flops, milliseconds, size = cost(decoder, encoder)
        scores = " | ".join(f"{row['iou']:.3f} ({row['steps']} steps)" for row in rows)
        lines.append(
            f"| {encoder} | {decoder} | {flops:.1f} | {milliseconds:.0f} | {size:.1f} | {scores} |"
        )
        print(lines[-1], flush=True)
        name = decoder if encoder == DEFAULT else f"{decoder} on {encoder}"
        points.append((name, milliseconds, [row["iou"] for row in rows]))
    if options.out:
        command = f"python benchmarks/front.py {' '.join(sys.argv[1:])}"
        options.out.write_text("\n".join([provenance(command), *lines, ""]), encoding="utf-8")
    if options.picture:
        draw(points, options.sets, options.picture)


def draw(points: list[tuple[str, float, list[float]]], sets: list[str], path: Path) -> None:
    """Mean IoU against milliseconds, with a line along the networks that none beats in both."""
    figure = make_figure(3.8 * len(sets))
    axes = figure.subplots(len(sets), 1, squeeze=False)[:, 0]
    for place, (name, axis) in enumerate(zip(sets, axes, strict=True)):
        front = []
        ordered = sorted(points, key=lambda point: point[1])
        for index, (network, milliseconds, scores) in enumerate(ordered):
            score = scores[place]
            axis.plot(milliseconds, score, "o", color=BLUE)
            offset = (4, -12 if index % 2 else 5)  # names above and below by turns
            axis.annotate(
                network,
                (milliseconds, score),
                offset,
                textcoords="offset points",
                fontsize=SMALL_LETTERS,
            )
            if not front or score > front[-1][1]:
                front.append((milliseconds, score))
        axis.plot(*zip(*front, strict=True), color=BLUE, linewidth=1)
        xlabel = "ms a picture of 384 x 480, one thread"
        style_plot(axis, title=name, xlabel=xlabel, ylabel="test mean IoU")
        axis.margins(0.25, 0.15)
    save_png(figure, path)


def trained(decoder: str, encoder: str, name: str, options: argparse.Namespace) -> dict:
    """What result_of says: test mean IoU as `iou`, and the steps in which it was reached."""
    arm = argparse.Namespace(
        **{
            **vars(options),
            "name": f"{decoder}-{encoder}",
            "options": f"--decoder {decoder} --encoder {encoder}",
        }
    )
    return result_of(OURS, name, folder_of(name, arm), arm)


def cost(decoder: str, encoder: str) -> tuple[float, float, float]:
    """GFLOP and milliseconds of a picture, MiB of 16-bit weights."""
    torch.set_num_threads(1)
    model = build_model(decoder, encoder=encoder, classes=11).eval()
    milliseconds = 1000 * seconds_of(model)
    mebibytes = weights(model) * 1e6 * 2 / 2**20
    return operations(model, SIZE) / 1e9, milliseconds, mebibytes


def seconds_of(model: torch.nn.Module) -> float:
    """Of a picture on one thread: processor time, the least of ROUNDS."""
    images = torch.rand(1, 3, *SIZE)
    try:
        import openvino
    except ImportError:
        model = model.to(memory_format=torch.channels_last)
        run = torch.inference_mode()(lambda: model(images))
    else:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            torch.onnx.export(model, (images,), path, dynamo=False, opset_version=17)
            settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
            compiled = openvino.Core().compile_model(path, "CPU", settings)
        request = compiled.create_infer_request()
        run = lambda: request.infer({0: images.numpy()})  # noqa: E731
    best = float("inf")
    for _ in range(1 + ROUNDS):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


if __name__ == "__main__":
    main()
