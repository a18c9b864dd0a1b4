import numpy as np
import pytest

from pixelwise.classes import VOID
from pixelwise.metrics.label_issues import MIN_PROBABILITY, find_suspect_regions, outline_region


def believed(labels: np.ndarray, *, classes: int = 3, sure: float = 0.9) -> np.ndarray:
    """Probabilities (C, H, W) of a model that gives `sure` to these labels and shares the rest."""
    shares = np.full((classes, *labels.shape), (1 - sure) / (classes - 1), np.float32)
    np.put_along_axis(shares, labels[None].astype(int), sure, 0)
    return shares


def scene() -> np.ndarray:
    truth = np.zeros((60, 80), np.uint8)
    truth[30:] = 1
    truth[10:20, 10:30] = 2
    return truth


def test_a_forgotten_thing_is_found_with_its_box_area_class_and_score() -> None:
    labels = scene()
    labels[10:20, 10:30] = 0
    (one,) = find_suspect_regions(labels, believed(scene()))
    assert (one.box, one.area, one.label, one.predicted) == ((10, 10, 20, 30), 200, 0, 2)
    assert one.confidence == pytest.approx(0.9)
    core = 8 * 18  # the diagonal is 100, so one pixel of rim is left out
    assert one.score == pytest.approx(-np.log(0.05) * core**0.25, rel=1e-5)
    assert one.mask.shape == (10, 20)
    assert one.mask.all()


def test_outlines_drawn_a_little_off_are_no_suspects_and_larger_shifts_are() -> None:
    for shift, expected in ((1, 0), (2, 0), (6, 2)):
        assert len(find_suspect_regions(np.roll(scene(), shift, 1), believed(scene()))) == expected


def test_void_and_what_the_model_agrees_with_are_no_suspects() -> None:
    labels = scene()
    assert find_suspect_regions(labels, believed(scene())) == []
    labels[10:20, 10:30] = VOID
    assert find_suspect_regions(labels, believed(scene())) == []
    assert find_suspect_regions(np.full_like(labels, VOID), believed(scene())) == []


def test_the_surer_the_model_and_the_larger_the_region_the_higher_the_rank() -> None:
    truth = np.ones((60, 80), np.uint8)
    labels = np.ones((60, 80), np.uint8)
    labels[5:15, 5:15] = labels[5:15, 30:40] = 0
    labels[30:50, 5:25] = 2
    sure = believed(truth, sure=0.8)
    sure[:, 5:15, 30:40] = believed(truth, sure=0.999)[:, 5:15, 30:40]
    assert [one.box[:2] for one in find_suspect_regions(labels, sure)] == [(5, 30), (30, 5), (5, 5)]


def test_no_model_is_surer_than_the_least() -> None:
    labels = scene()
    labels[10:20, 10:30] = 0
    (one,) = find_suspect_regions(labels, believed(scene(), sure=1.0))
    assert one.score == pytest.approx(-np.log(MIN_PROBABILITY) * (8 * 18) ** 0.25, rel=1e-5)


def test_the_outline_lies_just_outside() -> None:
    labels = scene()
    labels[10:20, 10:30] = 0
    (one,) = find_suspect_regions(labels, believed(scene()))
    ring = outline_region(one, labels.shape)
    assert ring.sum() == 2 * (10 + 20)
    assert not (ring & (scene() == 2)).any()
