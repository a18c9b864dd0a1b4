"""The page for people as one file, with the model and its runtime inside: it needs no server and no
network.
"""

import base64
import gzip
import html
import json
import re
from pathlib import Path

from pixelwise.classes import VOID_COLOUR
from pixelwise.errors import ModelError
from pixelwise.inference.backends.onnx_trace import input_name
from pixelwise.inference.tiling import OVERLAP, TILE
from pixelwise.io.atomic import write_text
from pixelwise.io.channels import reading_rule
from pixelwise.models.checkpoint import Header
from pixelwise.serving.javascript import bundle_modules
from pixelwise.serving.web_runtime import WebRuntime

_STATIC = Path(__file__).with_name("static")

# What the browser itself forbids the page: every address but those of its own parts.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob: data:; "
    "worker-src blob:; style-src 'unsafe-inline'; img-src blob: data:"
)

# The MIT licence asks that this goes with copies.
_LICENCE = """<!--
Holds onnxruntime-web {version}. MIT License. Copyright (c) Microsoft Corporation.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
-->
"""


def write_page(
    out: Path, name: str, header: Header, *, runtime: WebRuntime, network: bytes
) -> None:
    """Write the page `out` of the model called `name`, which labels photos in any browser, opened
    from the disk. `network` is the model as an ONNX file. Raises OutputError.
    """
    write_text(out, _make_page(name, header, runtime, network))


def check_reading(model: Path, header: Header) -> None:
    """Raises ModelError for a model whose pictures no browser reads as its training did, and for
    one whose classes overlap.
    """
    header.check_one_class(model)
    rule = reading_rule(header.reading)
    pictures = ""
    if rule.channels is not None:
        pictures = f"the bands {', '.join(rule.channels.names)}"
    elif rule.common_bits:
        pictures = f"pictures of {rule.common_bits} bits"
    if pictures:
        raise ModelError(
            f"model {model} takes {pictures}, and a browser gives 8-bit red, green and blue alone; "
            "export it with --out model.onnx, or use `pixelwise serve`"
        )


def _make_page(name: str, header: Header, runtime: WebRuntime, network: bytes) -> str:
    page = (_STATIC / "index.html").read_text(encoding="utf-8")
    page = re.sub(r"[ ]*<!-- server -->.*?<!-- /server -->\n?", "", page, flags=re.DOTALL)
    icon = base64.b64encode((_STATIC / "icon.svg").read_bytes()).decode()
    style = (_STATIC / "page.css").read_text(encoding="utf-8")
    script = bundle_modules(_STATIC / "offline" / "main.js")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    changes = {
        '<meta charset="utf-8">': f'<meta charset="utf-8">\n  {policy}',
        "<title>pixelwise:": f"<title>{html.escape(name)}:",
        "<h1>pixelwise</h1>": f"<h1>{html.escape(name)}</h1>",
        'href="static/icon.svg"': f'href="data:image/svg+xml;base64,{icon}"',
        '<link rel="stylesheet" href="static/page.css">': f"<style>\n{style}</style>",
        '<script type="module" src="static/page.js"></script>\n': "",
        "</body>\n": f'{_parts(name, header, runtime, network)}<script type="module">\n'
        f"{script}</script>\n</body>\n",
    }
    for before, after in changes.items():
        if page.count(before) != 1:
            raise ValueError(f"index.html has not once {before}")
        page = page.replace(before, after)
    return page.replace("<!doctype html>\n", "<!doctype html>\n" + _licence(runtime), 1)


def _licence(runtime: WebRuntime) -> str:
    return _LICENCE.format(version=runtime.version)


def _parts(name: str, header: Header, runtime: WebRuntime, network: bytes) -> str:
    """What the page's script reads: the model's description, the worker, and packed files."""
    description = {
        "name": name,
        "input": input_name(header.model.channels),
        "classes": header.classes.names,
        "palette": header.classes.palette,
        "void": VOID_COLOUR,
        "tiles": {"tile": TILE, "overlap": OVERLAP},
        "sizes": header.training.get("sizes"),
    }
    # so that no name can end the element
    as_json = json.dumps(description).replace("<", r"\u003c")
    elements = [
        f'<script type="application/json" id="description">{as_json}</script>\n',
        '<script type="text/plain" id="worker">\n'
        f"{bundle_modules(_STATIC / 'offline' / 'worker.js')}</script>\n",
    ]
    files = {
        "runtime-script": gzip.compress(runtime.script),
        "runtime-glue": runtime.glue,
        "runtime-wasm": gzip.compress(runtime.wasm),
        "network": gzip.compress(network),
    }
    for part, content in files.items():
        packed = base64.b64encode(content).decode()
        elements.append(f'<script type="text/plain" id="{part}">{packed}</script>\n')
    return "".join(elements)
