import numpy as np

from pixelwise.labelling.next_photo import Doubt, rank_photos

SURE = np.full(64, 0.95)
UNSURE = np.full(64, 0.4)


def direction(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle), 0], np.float32)


def test_doubt_and_novelty_come_first_and_copies_last() -> None:
    means = {
        "labelled": direction(0),
        "familiar": direction(0.6),
        "new": direction(3.1),
        "copy of new": direction(3.1),
        "sure": direction(2.5),
    }
    doubts = {
        "familiar": Doubt(UNSURE),
        "new": Doubt(UNSURE, ("road", "sky")),
        "copy of new": Doubt(UNSURE),
        "sure": Doubt(SURE),
    }
    ranked = rank_photos(means, doubts, ["labelled"])
    assert [row.name for row in ranked] == ["new", "familiar", "sure", "copy of new"]
    assert ranked[0].reason == (
        "the model is unsure of 100 % of it, mostly between road and sky; it is unlike the photos "
        "labelled so far"
    )


def test_labelled_photos_are_not_proposed() -> None:
    means = {"a": direction(0), "b": direction(1)}
    ranked = rank_photos(means, {"a": Doubt(UNSURE), "b": Doubt(UNSURE)}, ["b"])
    assert [row.name for row in ranked] == ["a"]
    assert rank_photos({}, {}, []) == []


def test_doubt_names_the_two_classes_between_which_it_is() -> None:
    logits = np.float32([[5, 0, 0], [0, 2, 2.1], [0, 2.1, 2]])
    doubt = Doubt.of(logits, ("a", "b", "c"))
    assert doubt.between == ("b", "c")
    assert np.allclose(doubt.confidence, [0.987, 0.492, 0.492], atol=0.01)
