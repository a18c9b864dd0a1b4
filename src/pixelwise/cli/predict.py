"""`pixelwise predict`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.exit_codes import IN_PART, REFUSED
from pixelwise.cli.options_from import HARDWARE, OUTPUT, OptionSource, options_from
from pixelwise.cli.shared_options import (
    CLUSTER,
    Device,
    Model,
    OnCluster,
    OtherModels,
    Precision,
    Runtime,
    Tile,
    Workers,
    check_cluster_options,
    join_model_arguments,
    name_models,
)
from pixelwise.errors import ConfigError
from pixelwise.inference.predict_options import PredictOptions

if TYPE_CHECKING:
    from pixelwise.inference.label_job import Predictions

Images = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGES",
        help="Image files, folders, patterns ('*.jpg'), .txt lists; s3:// etc. Or a film, or - for "
        "one from standard input (needs ffmpeg). Or NIfTI volumes.",
        show_default=False,
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        help="Folder or URI for the masks. By default labelled, or labelled-2 and so on where that "
        "holds other things than masks of the same model. Of a film also a film (.mp4, .mov, .mkv, "
        ".webm): its frames tinted by class, with its sound and timing; or -, those frames as a "
        "Matroska stream.",
        rich_help_panel=OUTPUT,
    ),
]
Overlap = Annotated[float, typer.Option(help="Share of a tile that overlaps with its neighbours.")]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        metavar="MIB",
        help="Memory for the summed logits of large images; 480 MiB by default.",
        rich_help_panel=HARDWARE,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace masks that already exist.", rich_help_panel=OUTPUT),
]
Estimate = Annotated[
    bool,
    typer.Option(
        "--estimate",
        help="Only estimate what the job would take on the cluster.",
        rich_help_panel=CLUSTER,
    ),
]

# An option of the server, asked for here too: it is answered in place of a guess at its spelling.
Classes = Annotated[
    list[str] | None, typer.Option("--classes", hidden=True, help="See serve.", metavar="CLASS")
]


@options_from(
    OptionSource(
        PredictOptions,
        (
            "overlay",
            "confidence",
            "extras",
            "pixel_size",
            "split_touching",
            "thin",
            "object_scores",
            "background",
            "foreground",
            "crop",
            "to",
            "polygon_tolerance",
        ),
        panel=OUTPUT,
    ),
    OptionSource(
        PredictOptions,
        ("frames", "smooth", "plane", "threshold", "smallest", "largest", "tta", "scales"),
        panel="Labels",
    ),
)
def predict(
    model: Model,
    images: Images = None,
    others: OtherModels = None,
    out: Out = None,
    tile: Tile = (1024, 1024),
    overlap: Overlap = 0.0625,
    max_memory: MaxMemory = None,
    runtime: Runtime = "auto",
    precision: Precision = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    cluster: OnCluster = None,
    workers: Workers = None,
    estimate: Estimate = False,
    classes: Classes = None,
    **options: Any,
) -> None:
    """Write a mask (palette PNG of class ids) for each image, or each frame of a film. Masks that
    already exist are skipped. The scores of several models are averaged.
    """
    # Heavy imports stay inside the command: --help must not wait for PyTorch.
    from pixelwise.api import predict as job
    from pixelwise.cli.console import TerminalProgress, print_next
    from pixelwise.io.volumes import is_volume

    if classes:
        raise ConfigError(
            "--classes is for serve (?classes=dog): masks hold all classes by their ids, so take "
            "those pixels of the mask; --largest dog keeps the largest region of a class"
        )
    models, images = join_model_arguments(model, others, images or [])
    check_cluster_options(cluster, models, estimate=estimate, workers=workers)
    progress = TerminalProgress()
    loading: dict[str, Any] = {
        "runtime": runtime,
        "device": device,
        "precision": precision,
        "tile": tile,
        "overlap": overlap,
        "max_memory": None if max_memory is None else max_memory * 2**20,
    }
    if cluster is not None:
        if out is None:
            raise ConfigError(
                "--cluster needs --out: a folder or URI that all nodes reach, such as s3://bucket/"
                "masks"
            )
        from pixelwise.cluster.engine import Cluster
        from pixelwise.cluster.predict_job import JobSpec, predict_on_cluster

        choices = PredictOptions(**options)
        _check_photos(images, choices, out)
        spec = JobSpec(models[0], images, out, choices, loading, overwrite, estimate)
        outcome = predict_on_cluster(spec, Cluster(cluster, workers), progress=progress)
        if not estimate:  # an estimate writes no masks to count
            _print_result(outcome)
        return
    result = job(models, images, out, overwrite=overwrite, progress=progress, **loading, **options)
    _print_result(result)
    if result.frames or any(map(is_volume, (*result.written, *result.skipped))):
        return
    if not options["overlay"]:
        first, *more = name_models(models)
        print_next((("predict", first, *images, *more, "--overlay"), "tinted images too"))
    else:
        print_next((("serve", "+".join(map(str, models))), "try it in the browser"))


def _check_photos(images: list[str], choices: PredictOptions, out: str) -> None:
    """Raises ConfigError for a film and for volumes, which no cluster labels."""
    from pixelwise.inference.predict_film import find_film
    from pixelwise.inference.predict_volumes import find_volumes

    if find_film(images, choices, out):
        raise ConfigError("--cluster is for photos: a film is labelled here; leave it out")
    if find_volumes(images, choices, out):
        raise ConfigError("--cluster is for photos: volumes are labelled here; leave it out")


def _print_result(result: "Predictions") -> None:
    """Print what was done and found; ends the command where some images failed."""
    from pixelwise.cli.console import messages, results
    from pixelwise.io.read_film import is_film

    if result.frames and is_film(result.folder):
        _print_film(result)
        return
    written = len(result.written)
    skipped = len(result.skipped)
    failed = len(result.failed)
    existing = f", {skipped} existed already" if skipped else ""
    masks = "1 mask" if written == 1 else f"{written} masks"
    results.print(f"{masks} in {result.folder}{existing}", markup=False)
    if result.shares:
        results.print(f"pixels: {result.shares}", markup=False)
    if result.objects:
        results.print(f"objects: {result.objects}", markup=False)
    for line in result.annotations:
        results.print(line, markup=False)
    if failed:
        if not result.frames:  # what is wrong with a film stands above
            total = failed + written + skipped
            messages.print(f"pixelwise: {failed} of {total} images failed", markup=False)
        raise typer.Exit(IN_PART if written or skipped else REFUSED)


def _print_film(result: "Predictions") -> None:
    """Print what was painted, where standard output is not the film itself."""
    from pixelwise.cli.console import messages, results
    from pixelwise.io.read_film import STANDARD

    console = messages if result.folder == STANDARD else results
    place = "standard output" if result.folder == STANDARD else result.folder
    console.print(f"a film of {result.frames} frames in {place}", markup=False)
    console.print(f"pixels: {result.shares}", markup=False)
    if result.failed:
        raise typer.Exit(IN_PART)
