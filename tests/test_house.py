"""The house keeps its plan: who may import whom, and sizes that stay readable."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src/pixelwise"

FLOORS = {
    "cli": 9,
    "cluster": 8,
    "serving": 8,
    "teaching": 8,
    "training": 7,
    "export": 7,
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
    "interrupt": 1,
    "optional": 1,
    "hardware": 1,
    "malloc": 1,
    "overrides": 1,
    "errors": 0,
    "__main__": 10,
}
HANDED_OVER: dict[tuple[str, str], str] = {}
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
        assert FLOORS[there] < FLOORS[here] or (here, there) in HANDED_OVER, (
            f"{here} imports {there}"
        )


def test_files_and_functions_stay_short() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 460, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[min(ast.get_docstring(node) is not None, len(node.body) - 1)]
                assert (node.end_lineno or 0) - first.lineno < 70, f"{path}: {node.name}"


def test_print_and_assert_on_input_stay_out_of_the_library() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", path
