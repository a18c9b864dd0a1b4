"""What a package of BioImage.IO says of its model: the file rdf.yaml.

Its fields: the model description 0.5 of https://github.com/bioimage-io/spec-bioimage-io.
"""

import json
import keyword
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pixelwise.classes import VOID
from pixelwise.errors import ConfigError
from pixelwise.export.description import describe_classes, describe_photos, tiles_of
from pixelwise.export.model_card import UNKNOWN, CardSources
from pixelwise.inference.backends.onnx_trace import OPSET
from pixelwise.inference.tiling import OVERLAP, TILE
from pixelwise.io.channels import COLOURS, ReadingRule, reading_rule
from pixelwise.models.checkpoint import HEADER_KEY, Header
from pixelwise.models.segmenter import Segmenter

FORMAT_VERSION = "0.5.6"
"""The first with all that is said here, so that most readers know it."""

INPUT = "image"
OUTPUT = "probabilities"

SMALLEST = 128
"""The least side of a picture, for readers that try sizes: a tile with both its halos has room."""

HALO = round(TILE[0] * OVERLAP / 2)

# Files in the package.
README = "README.md"
COVER = "cover.png"
TEST_INPUT = "test_input.npy"
TEST_OUTPUT = "test_output.npy"
WEIGHTS = "weights.onnx"

_NAME_LENGTH = 64
_TEXT_LENGTH = 512

# Licences are called as in this list: https://spdx.org/licenses
_LICENCES = (
    "AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 BSD-2-Clause BSD-3-Clause CC-BY-3.0 CC-BY-4.0 "
    "CC-BY-NC-4.0 CC-BY-NC-ND-4.0 CC-BY-NC-SA-4.0 CC-BY-ND-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 "
    "EPL-2.0 EUPL-1.2 GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later ISC "
    "LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MIT MPL-2.0 MulanPSL-2.0 "
    "Unlicense WTFPL Zlib"
)
LICENCES = {name.lower(): name for name in _LICENCES.split()}


# What to cite of a decoder: authors and year, arXiv's number.
PAPERS = {
    "deeplabv3": ("Chen et al. 2017", "1706.05587"),
    "deeplabv3plus": ("Chen et al. 2018", "1802.02611"),
    "dpt": ("Ranftl et al. 2021", "2103.13413"),
    "fcn": ("Long et al. 2015", "1411.4038"),
    "fpn": ("Lin et al. 2017", "1612.03144"),
    "light": ("Lin et al. 2017", "1612.03144"),
    "linknet": ("Chaurasia and Culurciello 2017", "1707.03718"),
    "lraspp": ("Howard et al. 2019", "1905.02244"),
    "pspnet": ("Zhao et al. 2017", "1612.01105"),
    "segformer": ("Xie et al. 2021", "2105.15203"),
    "unet": ("Ronneberger et al. 2015", "1505.04597"),
    "unetplusplus": ("Zhou et al. 2018", "1807.10165"),
    "upernet": ("Xiao et al. 2018", "1807.10221"),
}


def _list_papers(decoder: str) -> list[dict[str, str]]:
    """The paper of a decoder, also of another library's; none for one that is not known here."""
    name = decoder.rpartition(".")[2].lower().removesuffix("forsemanticsegmentation")
    name = "fcn" if name in ("fcn8s", "fcn16s", "fcn32s") else name
    if name not in PAPERS:
        return []
    authors, number = PAPERS[name]
    return [{"text": f"{authors}, arXiv:{number}", "doi": f"10.48550/arXiv.{number}"}]


def licence_id(licence: str) -> str | None:
    """The licence as the list of SPDX calls it; None for one that is not known here."""
    return LICENCES.get(licence.strip().lower().replace(" ", "-"))


def check_authors(authors: Sequence[str]) -> None:
    """Raises ConfigError for a name that the package cannot hold."""
    for author in authors:
        if not author.strip() or "/" in author or "\\" in author:
            raise ConfigError(f"--author {author!r}: give a name, without / and \\")


def describe_package(
    segmenter: Segmenter,
    sources: CardSources,
    hashes: dict[str, str],
    size: tuple[int, int] | None,
) -> dict[str, Any]:
    """The content of rdf.yaml, of a network of one `size` (height, width) or of any; hashes: the
    SHA-256 of each file.
    """
    header = sources.header
    licence = licence_id(sources.licence)
    head = {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": _package_name(sources.name),
        "description": _summarise(header),
        "authors": [{"name": author} for author in sources.authors or (UNKNOWN,)],
        **({} if licence is None else {"license": licence}),
        "cite": _list_papers(header.model.decoder),
        "documentation": README,
        "covers": [COVER],
        "tags": _list_tags(header),
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    weights = {"source": WEIGHTS, "sha256": hashes[WEIGHTS], "opset_version": OPSET}
    own = {
        "classes": describe_classes(header),
        "void": VOID,
        "photos": describe_photos(header),
        "tiles": tiles_of(size),
        HEADER_KEY: json.loads(header.to_json()),
    }
    return {
        **head,
        "inputs": [_describe_input(segmenter, header, hashes[TEST_INPUT], size)],
        "outputs": [_describe_output(header, hashes[TEST_OUTPUT], size)],
        "weights": {"onnx": weights},
        "config": {HEADER_KEY: own},
    }


def _package_name(name: str) -> str:
    """A name of the letters that are allowed."""
    letters = re.sub(r"[^A-Za-z0-9_+\- ()]+", "-", name).strip("-") or "model"
    return f"{letters[: _NAME_LENGTH - len(' segmentation')]} segmentation"


def _summarise(header: Header) -> str:
    relation = "each for itself" if header.model.multilabel else "one class a pixel"
    text = f"Semantic segmentation, {relation}: {', '.join(header.classes.names)}."
    return text if len(text) <= _TEXT_LENGTH else f"{text[: _TEXT_LENGTH - 3]}..."


def _list_tags(header: Header) -> list[str]:
    channels = reading_rule(header.reading).channels
    bands = "rgb" if channels is None else "multispectral"
    network = [header.model.decoder.replace(".", "-"), header.model.encoder.lower()]
    return ["2d", "semantic-segmentation", "segmentation", "pytorch", "pixelwise", bands, *network]


def _describe_input(
    segmenter: Segmenter, header: Header, test_hash: str, size: tuple[int, int] | None
) -> dict[str, Any]:
    rule = reading_rule(header.reading)
    names = COLOURS if rule.channels is None else rule.channels.names
    batch = {"type": "batch"} if size is None else {"type": "batch", "size": 1}
    return {
        "id": INPUT,
        "description": "pixels as their files have them",
        "axes": [
            batch,
            {"type": "channel", "channel_names": to_identifiers(names)},
            *(
                {"type": "space", "id": axis, "size": side or {"min": SMALLEST, "step": 1}}
                for axis, side in zip("yx", size or (0, 0), strict=True)
            ),
        ],
        "data": _describe_values(rule),
        "test_tensor": {"source": TEST_INPUT, "sha256": test_hash},
        "preprocessing": preprocessing(segmenter, rule),
    }


def _describe_values(rule: ReadingRule) -> dict[str, Any]:
    if rule.channels is not None:
        return {"type": "float32", "range": [None, None]}
    bits = max(8, rule.common_bits)
    return {"type": "uint8" if bits == 8 else "uint16", "range": [0, 2**bits - 1]}


def preprocessing(segmenter: Segmenter, rule: ReadingRule) -> list[dict[str, Any]]:
    """From the values of files to what the network takes, in operations of the specification."""
    steps: list[tuple[str, dict[str, Any]]] = []
    scaling: dict[str, Any] = {}
    if rule.channels is not None:
        ranges = zip(rule.channels.low, rule.channels.high, strict=True)
        gain = [255 / (high - low) for low, high in ranges]
        # half a level more, as the numbers are then cut to whole ones
        offset = [0.5 - low * factor for low, factor in zip(rule.channels.low, gain, strict=True)]
        scaling = {"axis": "channel", "gain": gain, "offset": offset}
    elif rule.common_bits > 8:
        scaling = {"gain": 2.0 ** (8 - rule.common_bits), "offset": 0.0}
    if scaling:
        steps += [
            ("ensure_dtype", {"dtype": "float32"}),
            ("scale_linear", scaling),
            ("clip", {"min": 0.0, "max": 255.0}),
            ("ensure_dtype", {"dtype": "uint8"}),
        ]
    normalisation = {
        "axis": "channel",
        "mean": (255 * segmenter.mean.double()).flatten().tolist(),
        "std": (255 * segmenter.std.double()).flatten().tolist(),
    }
    steps += [
        ("ensure_dtype", {"dtype": "float32"}),
        ("fixed_zero_mean_unit_variance", normalisation),
        ("ensure_dtype", {"dtype": "float32"}),
    ]
    return [{"id": name, "kwargs": arguments} for name, arguments in steps]


def _describe_output(
    header: Header, test_hash: str, size: tuple[int, int] | None
) -> dict[str, Any]:
    meaning = "of each class, as they overlap" if header.model.multilabel else "the largest wins"
    return {
        "id": OUTPUT,
        "description": f"probabilities, {meaning}; exact names and colours: config.pixelwise",
        "axes": [
            {"type": "batch"} if size is None else {"type": "batch", "size": 1},
            {"type": "channel", "channel_names": to_identifiers(header.classes.names)},
            *(_describe_side(axis, size) for axis in ("y", "x")),
        ],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": {"source": TEST_OUTPUT, "sha256": test_hash},
        "postprocessing": [
            {"id": "sigmoid"}
            if header.model.multilabel
            else {"id": "softmax", "kwargs": {"axis": "channel"}}
        ],
    }


def _describe_side(axis: str, size: tuple[int, int] | None) -> dict[str, Any]:
    """As long as the input's, with what tiles should lose at either end."""
    has_room = size is None or min(size) >= SMALLEST
    side = {"type": "space", "id": axis, "size": {"tensor_id": INPUT, "axis_id": axis}}
    return {**side, "halo": HALO} if has_room else side


def to_identifiers(names: Sequence[str]) -> list[str]:
    """Names as the specification takes them, letters, digits and _, no two alike."""
    identifiers: list[str] = []
    for number, name in enumerate(names):
        plain = re.sub(r"\W+", "_", name).strip("_")
        if not plain.isidentifier() or keyword.iskeyword(plain):
            plain = f"class_{plain or number}"
        if plain in identifiers:
            plain = f"{plain}_{number}"
        identifiers.append(plain)
    return identifiers
