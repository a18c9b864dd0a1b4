"""`pixelwise models`."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    folder: Annotated[Path, typer.Argument(help="Where to look for runs.")] = Path("runs"),
    find: Annotated[
        str, typer.Option(help="List the timm encoders whose name matches, as in 'resnet*'.")
    ] = "",
) -> None:
    """List decoders, encoders, the models that come along and those in the folder `runs`."""
    from timm import list_models

    from pixelwise.cli.console import results
    from pixelwise.models.checkpoint import bundled, read_header
    from pixelwise.models.pretrained import PACKAGES
    from pixelwise.models.registry import DECODERS

    lines = [
        "decoders: " + ", ".join(DECODERS),
        "encoders with weights from a package: " + ", ".join(PACKAGES),
    ]
    if find:
        lines.append(f"timm encoders like '{find}': {', '.join(list_models(find)) or 'none'}")
    else:
        lines.append(f"and {len(list_models())} timm models; see --find 'resnet*'")
    local = {str(path.parent): path for path in sorted(folder.glob("*/model.safetensors"))}
    for name, path in {**bundled(), **local}.items():
        header = read_header(path)
        origin = "" if name in local else " (bundled)"
        lines.append(
            f"{name}{origin}: {header.model.decoder} on {header.model.encoder}, "
            f"{', '.join(header.classes.names)}"
        )
    results.print("\n".join(lines), markup=False)
