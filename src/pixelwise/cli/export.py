"""`pixelwise export`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.output_names import export_path
from pixelwise.cli.shared_options import (
    CARD,
    CardDataLicence,
    CardLicence,
    CardScores,
    Model,
)
from pixelwise.models.file_kinds import is_ncnn, is_page


def export(
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write: .onnx, .deepness.onnx for QGIS, .xml for OpenVINO, .bioimage.zip "
            "for BioImage.IO, .safetensors in half the size, or .html, a page that labels photos. "
            "By default model.onnx in the run folder."
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
    web_runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="PACKAGE",
            help="For .html: the npm package onnxruntime-web, a folder or the .tgz of `npm pack`. "
            "By default one in the current folder.",
        ),
    ] = None,
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Quantise to 8-bit integers, calibrated and scored on this labelled data.",
        ),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Who made the model; repeat it for each. This and what follows is for the card in "
            "a .bioimage.zip.",
            rich_help_panel=CARD,
        ),
    ] = None,
    licence: CardLicence = "unknown",
    data_licence: CardDataLicence = "unknown",
    scores: CardScores = None,
) -> None:
    """Write an ONNX, OpenVINO or smaller file, or a page; it is saved only if its outputs match
    PyTorch's on real images.
    """
    from pixelwise.api import export_model
    from pixelwise.cli.console import TerminalProgress, messages, print_next, results
    from pixelwise.export.model_card import CardFacts

    facts = CardFacts(licence, data_licence, scores, tuple(author or ()))
    if out is None:
        out = export_path(model, suffix=".onnx" if int8 is None else ".int8.onnx")
    exported = export_model(
        model,
        out,
        images=images or (),
        size=size,
        web_runtime=web_runtime,
        int8=int8,
        facts=None if facts == CardFacts() else facts,
        progress=TerminalProgress(),
    )
    results.print(_describe(exported, int8=int8 is not None), markup=False)
    for fact in exported.unknowns if int8 is None else ():
        messages.print(f"the package does not say: {fact}", markup=False)
    if is_page(exported.path):
        results.print("open it in a browser: it needs no network", markup=False)
        return
    steps = _steps(exported.path)
    if steps:
        print_next(*steps)


def _describe(exported: Any, *, int8: bool) -> str:
    if int8:
        from pixelwise.export.int8 import MAX_IOU_LOSS

        before, after = exported.mean_iou
        seconds_before, seconds_after = exported.seconds
        return (
            f"{exported.path}  {exported.part} in int8: mean IoU {after:.4f}, {before:.4f} in "
            f"float32 on {exported.images} validation images ({MAX_IOU_LOSS} may be lost), "
            f"{seconds_before / seconds_after:.1f} times the speed of float32 on {exported.runtime}"
        )
    speed = exported.torch_seconds / exported.seconds
    return (
        f"{exported.path}  largest logit gap {exported.gap:.1e}, labels agree on "
        f"{100 * exported.agreement:.3f} % of the pixels, "
        f"{speed:.1f} times the speed of PyTorch in float32"
    )


def _steps(path: Path) -> tuple[tuple[tuple[object, ...], str], ...]:
    if path.name.endswith((".deepness.onnx", ".zip")) or is_ncnn(path):  # which other programs run
        return ()
    return (
        (("predict", path, "photo.jpg"), "label images with that file"),
        (("serve", path), "answer requests with it"),
    )
