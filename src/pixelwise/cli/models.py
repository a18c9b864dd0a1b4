"""`pixelwise models`."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    folder: Annotated[Path, typer.Argument(help="Where to look for runs.")] = Path("runs"),
    find: Annotated[str, typer.Option(help="List the timm encoders whose name matches, as in 'resnet*'.")] = "",
) -> None:
    """List decoders, encoders and the models in the folder `runs`."""
    from timm import list_models

    from pixelwise.checkpoint import read_header
    from pixelwise.cli.console import results
    from pixelwise.models.build import DECODERS
    from pixelwise.models.weights import PACKAGES

    lines = ["decoders: " + ", ".join(DECODERS), "encoders with weights from a package: " + ", ".join(PACKAGES)]
    if find:
        lines.append(f"timm encoders like '{find}': {', '.join(list_models(find)) or 'none'}")
    else:
        lines.append(f"and {len(list_models())} timm models; see --find 'resnet*'")
    for path in sorted(folder.glob("*/model.safetensors")):
        header = read_header(path)
        names = ", ".join(header.classes.names)
        lines.append(f"{path.parent}: {header.model.decoder} on {header.model.encoder}, {names}")
    results.print("\n".join(lines), markup=False)
