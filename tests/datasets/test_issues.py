from pathlib import Path

import pytest

from pixelwise.datasets.issues import Issue, describe_tolerated, raise_first
from pixelwise.errors import DataError


def issue(type: str, name: str = "a.txt", text: str = "line 1", **more: object) -> Issue:
    return Issue(type, Path("set") / name, text, **more)  # type: ignore[arg-type]


def test_the_first_refusal_says_how_many_more_there_are() -> None:
    raise_first([issue("box-left-out")])
    one = issue("annotation-malformed", refusal="a.txt: line 1")
    for issues in ([one], [issue("box-left-out"), one, one]):  # one cause, one message
        with pytest.raises(DataError, match=r"^a\.txt: line 1$"):
            raise_first(issues)
    others = [issue("class-unlisted", refusal=f"{name}: line 2") for name in "bc"]
    with pytest.raises(
        DataError, match=r"^a\.txt: line 1 \(and 2 more; `pixelwise check` lists them all\)$"
    ):
        raise_first(iter([one, *others]))


def test_each_type_with_which_training_goes_on_is_a_line() -> None:
    issues = [
        issue("box-left-out", count=2),
        issue("box-left-out", "b.txt", count=3),
        issue("classes-count", "data.yaml", "nc is 3, but there are 2 names"),
        issue("mask-without-image"),
        issue("annotation-malformed", refusal="a.txt: line 1"),
        *(issue("image-unlabelled", f"{number}.jpg") for number in range(7)),
    ]
    assert describe_tolerated(issues) == [
        "Boxes among outlines (5): a.txt, b.txt. They are left out, so their pixels are "
        "background: draw outlines of these objects.",
        "A number of classes that is not that of the names: data.yaml: nc is 3, but there are 2 "
        "names. Correct it: the names count.",
        "left out: masks without image (1): a.txt",
        "Images without annotation (7): 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 2 more. They "
        "count as background: remove those that nobody has labelled.",
    ]
