"""The house keeps its plan: who may import whom, and sizes that stay readable."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src/pixelwise"

FLOORS = {
    "cli": 6,
    "jobs": 5,
    "serving": 5,
    "cluster": 5,
    "training": 4,
    "inference": 4,
    "doctor": 4,
    "data": 3,
    "checkpoint": 3,
    "onnx_file": 3,
    "openvino_file": 3,
    "reports": 3,
    "models": 2,
    "tasks": 2,
    "style": 2,
    "images": 2,
    "convolution": 1,
    "files": 1,
    "heap": 1,
    "memory": 1,
    "monitor": 1,
    "fields": 1,
    "errors": 0,
    "__main__": 7,
}
HANDED_OVER = {
    ("onnx_file", "checkpoint"): "both are model files, with one header",
    ("openvino_file", "checkpoint"): "both are model files, with one header",
    ("training", "data"): "the loop names the loaders' types",
    ("models", "tasks"): "numbers of classes",
    ("style", "models"): "any encoder can carry style",
    ("cluster", "jobs"): "many machines do what a job does on one",
    ("serving", "jobs"): "the second tab of the page stylises",
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
        assert FLOORS[there] < FLOORS[here] or (here, there) in HANDED_OVER, (
            f"{here} imports {there}"
        )


def test_files_and_functions_stay_short() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 450, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[min(ast.get_docstring(node) is not None, len(node.body) - 1)]
                assert (node.end_lineno or 0) - first.lineno < 70, f"{path}: {node.name}"


def test_print_and_assert_on_input_stay_out_of_the_library() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", path
