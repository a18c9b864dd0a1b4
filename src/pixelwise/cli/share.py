"""`pixelwise push` and `pixelwise pull`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.shared_options import CardDataLicence, CardLicence, CardScores, Model

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="hf://owner/name on the Hugging Face hub, or a folder in a store: s3://bucket/name.",
    ),
]


def push(
    model: Model,
    address: Address,
    scores: CardScores = None,
    licence: CardLicence = "unknown",
    data_licence: CardDataLicence = "unknown",
    public: Annotated[
        bool, typer.Option("--public", help="A new repository on the hub is for all to read.")
    ] = False,
) -> None:
    """Write a model file, its hash and a card to an address; nothing else of the run leaves."""
    from pixelwise.cli.console import messages, print_next, results
    from pixelwise.export.share import push as job

    pushed = job(
        model, address, scores=scores, licence=licence, data_licence=data_licence, public=public
    )
    results.print(f"{pushed.uri}  SHA-256 {pushed.digest}", markup=False)
    for fact in pushed.unknowns:
        messages.print(f"the card does not say: {fact}", markup=False)
    print_next((("predict", pushed.uri, "photo.jpg"), "use it from there"))


def pull(
    address: Address,
    out: Annotated[
        Path | None, typer.Option(help="New folder; by default called as the address ends.")
    ] = None,
) -> None:
    """Copy the model at an address to a folder; its hash is checked."""
    from pixelwise.cli.console import print_next, results
    from pixelwise.export.share import pull as job

    pulled = job(address, out)
    names = ", ".join(pulled.header.classes.names)
    results.print(f"{pulled.path}  SHA-256 {pulled.digest}", markup=False)
    results.print(f"classes: {names}", markup=False)
    start = pulled.header.training.get("start") or {"name": "unknown", "licence": "unknown"}
    if start["licence"]:
        results.print(f"began with: {start['name']}, licence {start['licence']}", markup=False)
    print_next((("predict", pulled.path, "photo.jpg"), "label a photo with it"))
