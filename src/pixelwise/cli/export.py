"""`pixelwise export`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.output_names import export_path
from pixelwise.cli.shared_options import Model, takes_one_class
from pixelwise.errors import ConfigError


def export(
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write: .onnx, .xml for OpenVINO, or .safetensors in half the size. By "
            "default model.onnx in the run folder."
        ),
    ] = None,
    images: Annotated[
        list[Path] | None, typer.Option(help="Images or folders to compare the outputs on.")
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="H W",
            help="Fix height and width, for readers that know no free sizes, such as OpenCV's.",
        ),
    ] = None,
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Quantise to 8-bit integers, calibrated and scored on this labelled data.",
        ),
    ] = None,
) -> None:
    """Write an ONNX, OpenVINO or smaller file; it is saved only if its outputs match PyTorch's on
    real images.
    """
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.export.exporter import export as job

    if int8 is not None and size is not None:
        raise ConfigError("--size does not go with --int8, whose files take any size; leave it out")
    if out is None:
        out = export_path(model, suffix=".onnx" if int8 is None else ".int8.onnx")
    if int8 is not None:
        _export_int8(model, out, int8)
        return
    exported = job(model, out, images=images or (), size=size, progress=TerminalProgress())
    speed = exported.torch_seconds / exported.seconds
    results.print(
        f"{exported.path}  largest logit gap {exported.gap:.1e}, labels agree on "
        f"{100 * exported.agreement:.3f} % of the pixels, "
        f"{speed:.1f} times the speed of PyTorch in float32",
        markup=False,
    )
    print_next(*_steps(exported.path))


def _export_int8(model: Path, out: Path, data: Path) -> None:
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.export.int8 import MAX_IOU_LOSS, export_int8

    quantised = export_int8(model, out, data, progress=TerminalProgress())
    before, after = quantised.mean_iou
    seconds_before, seconds_after = quantised.seconds
    results.print(
        f"{quantised.path}  {quantised.part} in int8: mean IoU {after:.4f}, {before:.4f} in "
        f"float32 on {quantised.images} validation images ({MAX_IOU_LOSS} may be lost), "
        f"{seconds_before / seconds_after:.1f} times the speed of float32 on {quantised.runtime}",
        markup=False,
    )
    print_next(*_steps(quantised.path))


def _steps(path: Path) -> tuple[tuple[tuple[object, ...], str], ...]:
    predict = (("predict", path, "photo.jpg"), "label images with that file")
    if not takes_one_class(path):
        return (predict,)
    return (predict, (("serve", path), "answer requests with it"))
