"""Two exercises of the course, measured: is a matrix product an efficient convolution, and what
happens with Xavier's random weights in place of bilinear ones in FCN-32s' transposed convolution?

python benchmarks/course_exercises.py matrix
python benchmarks/course_exercises.py init FOLDER
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pixelwise
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.models import transposed_conv
from pixelwise.teaching.operators import conv_matrix

SIZES = ((32, 48), (80, 120), (160, 240), (320, 480))
TRIES = 5
IMAGES = 48
EPOCHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="exercise", required=True)
    commands.add_parser("matrix")
    commands.add_parser("init").add_argument("out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.exercise == "matrix":
        time_matrices()
    else:
        compare_starts(arguments.out)


def time_matrices() -> None:
    """By size of the picture: W's size, its share of numbers that are not zero, and CPU times."""
    kernel = torch.rand(3, 3)
    print("| picture | W | not zero | W as dense float32 | build W | W x | conv2d |")
    print("|---|---|---|---|---|---|---|")
    for height, width in SIZES:
        picture = torch.rand(height, width)
        begin = time.process_time()
        matrix = conv_matrix(kernel, (height, width)).coalesce().to_sparse_csr()
        built = time.process_time() - begin
        rows, columns = matrix.shape
        filled = matrix.values().numel() / (rows * columns)
        column = picture.reshape(-1, 1)
        product = fastest(lambda m=matrix, c=column: m @ c)
        batch = picture[None, None]
        direct = fastest(lambda b=batch: F.conv2d(b, kernel[None, None]))
        assert torch.allclose(
            (matrix @ column).flatten(), F.conv2d(batch, kernel[None, None]).flatten(), atol=1e-4
        )
        print(
            f"| {height} x {width} | {rows:,} x {columns:,} | {filled:.4%} "
            f"| {rows * columns * 4 / 2**30:.3g} GiB | {built * 1e3:.0f} ms "
            f"| {product * 1e3:.2f} ms | {direct * 1e3:.2f} ms |"
        )


def fastest(action: Callable[[], Tensor]) -> float:
    """CPU seconds of the fastest of TRIES."""
    seconds = []
    for _ in range(TRIES):
        begin = time.process_time()
        action()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def xavier_kernel(inputs: int, outputs: int, kernel: int) -> Tensor:
    """In place of `bilinear_kernel`."""
    weight = torch.empty(inputs, outputs, kernel, kernel)
    return nn.init.xavier_uniform_(weight)


def compare_starts(out: Path) -> None:
    """Train the course's network from both starts on drawn shapes, all else alike."""
    data = out / "data"
    write_shapes(data, train=IMAGES)
    bilinear = transposed_conv.bilinear_kernel
    print("| start | epoch | loss | validation mean IoU | pixel accuracy |")
    print("|---|---|---|---|---|")
    for name, kernel in (("bilinear", bilinear), ("Xavier", xavier_kernel)):
        transposed_conv.bilinear_kernel = kernel
        run = pixelwise.train(
            data,
            out / name.lower(),
            recipe="d2l",
            encoder="tf_efficientnet_lite0",
            crop=(96, 128),
            batch=8,
            learning_rate=0.008,
            epochs=EPOCHS,
            workers=0,
        )
        for epoch in run.history:
            print(
                f"| {name} | {epoch.epoch} | {epoch.train_loss:.3f} | {epoch.val_mean_iou:.3f} "
                f"| {epoch.val_pixel_accuracy:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
