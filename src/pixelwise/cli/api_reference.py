"""The reference pages of the Python API and of the findings of `check`, made from the docstrings
and from the table of issue types.
"""

import inspect
import re
from collections.abc import Collection, Iterator
from typing import Any, get_args

import pixelwise
from pixelwise.datasets.issue_types import ISSUE_TYPES

_OPTION_CLASSES = (
    pixelwise.TrainConfig,
    pixelwise.DataOptions,
    pixelwise.PredictOptions,
    pixelwise.StyleConfig,
)

_SEVERITIES = {
    "error": "Training mostly refuses these.",
    "warning": "Worth a look.",
    "note": "Good to know.",
}


def findings_page(pictures: Collection[str] = ()) -> str:
    """Every type of issue that `check` knows: its name, what it means and what to do; and of those
    whose names are in `pictures`, their picture in the folder `findings`.
    """
    lines = [
        "# Findings of check",
        "",
        "`pixelwise check DATA` reports these, with the files that they are about. Their names "
        "stand in its JSON too. `--fix COPY` writes a copy without those marked *repaired*.",
    ]
    for severity, meaning in _SEVERITIES.items():
        lines += ["", f"## {severity.title()}s", "", meaning]
        for name, issue in ISSUE_TYPES.items():
            if issue.severity == severity:
                mark = " *Repaired by `--fix`.*" if issue.repaired else ""
                lines += ["", f"### {name}", "", f"{issue.title}. {issue.fix}{mark}"]
                if name in pictures:
                    lines += ["", f"![{issue.title}, drawn](findings/{name}.png)"]
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Every public name with its signature and docstring, and what the functions return."""
    lines = [
        "# Python",
        "",
        "What `import pixelwise` offers. Images are (H, W, 3) uint8 RGB, labels (H, W) uint8 class "
        "ids with 255 for void; sizes are (height, width) in pixels, unless a text says otherwise. "
        "`**options` are fields of the [configuration](config.md).",
    ]
    public = {name: getattr(pixelwise, name) for name in pixelwise.__all__}
    functions = {name: item for name, item in public.items() if inspect.isfunction(item)}
    classes = {name: item for name, item in public.items() if inspect.isclass(item)}
    lines += ["", "## Functions"]
    for name, function in functions.items():
        lines += _entry(name, function)
    lines += ["", "## Classes"]
    for kind in [*classes.values(), *_returned(functions.values(), set(classes.values()))]:
        lines += _entry(kind.__name__, kind)
        lines += _members(kind)
    return "\n".join(lines) + "\n"


def _entry(name: str, item: Any) -> list[str]:
    doc = inspect.getdoc(item) or ""
    return ["", f"### {name}", "", "```py", _signature(name, item), "```", "", doc]


def _signature(name: str, item: Any) -> str:
    """The call, a parameter a line; options that the configuration lists are left to it."""
    if item in _OPTION_CLASSES:
        return f"{name}(**options)"
    signature = inspect.signature(item)
    parameters = list(signature.parameters.values())
    listed = [parameter for parameter in parameters if _is_own(parameter.name, item)]
    texts = [_plain(str(parameter)) for parameter in listed]
    keywords = [parameter.kind is parameter.KEYWORD_ONLY for parameter in listed]
    if True in keywords and not any(text.startswith("*") for text in texts[:-1]):
        texts.insert(keywords.index(True), "*")
    if len(listed) < len(parameters):
        texts.append("**options")
    arrow = ""
    if inspect.isfunction(item):
        arrow = f" -> {_plain(inspect.formatannotation(signature.return_annotation))}"
    inside = "".join(f"    {text},\n" for text in texts)
    return f"{name}(\n{inside}){arrow}"


def _is_own(parameter: str, item: Any) -> bool:
    """Whether the function itself has the parameter; others are fields of the configuration."""
    if not inspect.isfunction(item):
        return True
    code = item.__code__
    flags = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    count = code.co_argcount + code.co_kwonlyargcount + flags
    return parameter in code.co_varnames[:count]


def _plain(text: str) -> str:
    """A signature's text without the modules of its types."""
    text = re.sub(r"\b(?:\w+\.)+(?=[A-Za-z_])", "", text)
    text = re.sub(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]", r"ndarray[\1]", text)
    return re.sub(r"Optional\[(.+?\])\]", r"\1 | None", text)


def _members(kind: type[Any]) -> Iterator[str]:
    """The public methods and properties of a class that say what they are."""
    for name, member in vars(kind).items():
        function = member.fget if isinstance(member, property) else member
        function = getattr(function, "__func__", function)  # of a class method
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        call = name if isinstance(member, property) else _call(name, function)
        yield ""
        yield f"- `{call}`: {' '.join(function.__doc__.split())}"


def _call(name: str, function: Any) -> str:
    names = list(inspect.signature(function).parameters)[1:]
    return f"{name}({', '.join(names)})"


def _returned(functions: Any, known: set[Any]) -> list[Any]:
    """The package's classes that the functions return, by name, but for those that are known."""
    kinds = set()
    for function in functions:
        annotation = inspect.signature(function).return_annotation
        for kind in get_args(annotation) or (annotation,):
            if inspect.isclass(kind) and kind.__module__.startswith("pixelwise."):
                kinds.add(kind)
    return sorted(kinds - known, key=lambda kind: str(kind.__name__))
