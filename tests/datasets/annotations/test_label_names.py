from pathlib import Path

from pixelwise.datasets.annotations.label_names import explain_labels, find_class_files
from pixelwise.datasets.types import DataOptions

OPTIONS = DataOptions()
A = Path("a.json")
B = Path("b.json")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_by_name_where_nothing_lists_them() -> None:
    meaning = explain_labels(Path("set"), [], {"stem": [A], "leaf": [A, B]}, OPTIONS)
    assert meaning.mapping.classes.names == ("background", "leaf", "stem")
    assert meaning.issues == []


def test_lists_keep_their_order_void_and_background(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.txt", "\ufeff__ignore__\n_background_\nstem\nleaf\n")
    assert find_class_files([tmp_path, tmp_path]) == [path]
    meaning = explain_labels(tmp_path, [path], {"leaf": [A]}, OPTIONS)
    assert meaning.mapping.classes.names == ("_background_", "stem", "leaf")
    assert meaning.mapping.labels["__ignore__"] == 255
    assert (meaning.sources, meaning.issues) == ([path], [])


def test_lists_that_disagree_or_cannot_be_read_are_issues(tmp_path: Path) -> None:
    first = write(tmp_path / "labels.txt", "leaf\nstem\n")
    other = write(tmp_path / "labels/classes.txt", "leaf\nbud\n")
    same = write(tmp_path / "labels/labels.txt", "stem\nleaf\n")
    broken = write(tmp_path / "classes.csv", "leaf,1,2\n")
    files = [first, other, same, broken]
    meaning = explain_labels(tmp_path, files, {"leaf": [A]}, OPTIONS)
    assert [(issue.type, issue.file, issue.refusal) for issue in meaning.issues] == [
        ("classes-malformed", broken, ""),
        ("classes-contradict", other, ""),
    ]
    (issue,) = explain_labels(tmp_path, [broken], {"leaf": [A]}, OPTIONS).issues
    assert issue.refusal.startswith(f"{broken}: ")


def test_each_label_that_is_not_listed_is_an_issue(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.txt", "leaf\nstem\n")
    uses = {"Leaf": [A, B], "bud": [B], "stem": [A]}
    issues = explain_labels(tmp_path, [path], uses, OPTIONS).issues
    assert [(issue.type, issue.file, issue.count) for issue in issues] == [
        ("class-unlisted", A, 2),
        ("class-unlisted", B, 1),
    ]
    assert issues[0].refusal == (
        f"{path}: lacks 'Leaf', which shapes of a.json and 1 more files are called; did you mean "
        "'leaf'?"
    )
    lenient = explain_labels(tmp_path, [path], uses, DataOptions(skip_broken=True))
    assert {issue.refusal for issue in lenient.issues} == {""}


def test_names_that_differ_only_in_case_are_two_classes_and_said() -> None:
    meaning = explain_labels(Path("set"), [], {"leaf": [A, B], "Leaf": [B]}, OPTIONS)
    (issue,) = meaning.issues
    assert (issue.type, issue.file) == ("classes-alike", B)
    assert issue.text == "'Leaf' in 1 files, 'leaf' in 2 files"


def test_labels_that_number_objects_are_said() -> None:
    uses = {"cat_0": [A], "cat_1": [B], "dog2": [A], "dog 3": [A], "lane1": [A], "T34": [B]}
    issues = explain_labels(Path(), [], uses, OPTIONS).issues
    assert [(issue.type, issue.text) for issue in issues] == [
        (
            "classes-numbered",
            "cat_0, cat_1 are a class each; if they are objects of one, call all 'cat'",
        ),
        (
            "classes-numbered",
            "dog 3, dog2 are a class each; if they are objects of one, call all 'dog'",
        ),
    ]
