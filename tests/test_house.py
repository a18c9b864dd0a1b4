"""The house keeps its plan: who may import whom, and sizes that stay readable."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src/pixelwise"

FLOORS = {
    "cli": 10,
    "api": 9,
    "labelling": 9,
    "cluster": 8,
    "serving": 8,
    "teaching": 8,
    "training": 7,
    "export": 8,
    "evaluation": 6,
    "style_transfer": 6,
    "inference": 5,
    "checks": 5,
    "reports": 4,
    "datasets": 4,
    "models": 3,
    "metrics": 3,
    "io": 2,
    "classes": 1,
    "progress": 1,
    "notebook_progress": 2,
    "interrupt": 1,
    "optional": 1,
    "hardware": 1,
    "malloc": 1,
    "overrides": 2,
    "config_fields": 1,
    "errors": 0,
    "palette": 0,
    "__main__": 11,
}
FILES = sorted(SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("pixelwise.")
        ):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "pixelwise":
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize(
    "path", [p for p in FILES if room(p) != "__init__"], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_a_room_imports_only_from_lower_floors_or_itself(path: Path) -> None:
    here = room(path)
    for there in imported_rooms(path) - {here}:
        assert FLOORS[there] < FLOORS[here], f"{here} imports {there}"


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {module_name(path): path for path in FILES}
    imports: dict[str, set[str]] = {}
    for name, path in modules.items():
        imports[name] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
                imports[name] |= inner or {node.module}
    assert list(TopologicalSorter(imports).static_order())  # raises CycleError for a circle


def test_files_and_functions_stay_short() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[min(ast.get_docstring(node) is not None, len(node.body) - 1)]
                assert (node.end_lineno or 0) - first.lineno < 60, f"{path}: {node.name}"


def test_lines_have_at_most_100_characters_and_one_assignment() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert max(map(len, text.splitlines()), default=0) <= 100, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Assign):
                parallel = isinstance(node.targets[0], ast.Tuple) and isinstance(
                    node.value, ast.Tuple
                )
                assert not parallel, f"{path}:{node.lineno}: one assignment a line"
                assert len(node.targets) == 1, f"{path}:{node.lineno}: one assignment a line"


BANNED = frozenset(
    [
        "found",
        "said",
        "told",
        "kept",
        "given",
        "made",
        "wanted",
        "teller",
        "lane",
        "deal",
        "dealt",
        "looks",
        "looked_at",
        "told_apart",
        "raised",
        "claimed",
        "spot",
        "located",
        "at_hand",
        "whence",
        "anew",
        "dice_of",
        "thing",
        "stuff",
        "foo",
        "tmp",
    ]
)
"""Names that say nothing or that only this project would understand: GLOSSARY.md has the terms."""


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every function, class, argument and variable that is bound."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def test_names_are_those_of_the_field() -> None:
    for path in FILES:
        for line, name in bound_names(ast.parse(path.read_text(encoding="utf-8"))):
            assert name.lstrip("_") not in BANNED, f"{path}:{line}: {name}"
            assert not name.lstrip("_").startswith("refuse_"), f"{path}:{line}: check_..."


def test_print_and_assert_on_input_stay_out_of_the_library() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", path
