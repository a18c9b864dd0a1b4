import math

import pytest

from pixelwise.training.schedule import Budget, longer_round, rate_factor


def test_decays_begin_at_the_warm_ups_height_and_end_at_nothing() -> None:
    for decay in ("polynomial", "cosine"):
        factors = [rate_factor(at / 100, warmup=0.1, decay=decay) for at in range(101)]
        assert max(factors) == factors[10] > 0.9
        assert factors[10:] == sorted(factors[10:], reverse=True)
        assert factors[100] == 0
    assert rate_factor(0.5, warmup=0.0, decay="cosine") == pytest.approx(0.5)
    assert rate_factor(0.25, warmup=0.0, decay="cosine") == pytest.approx(
        (1 + math.cos(math.pi / 4)) / 2
    )
    assert rate_factor(0.75, warmup=0.0, decay="constant") == 1


def test_steps_fall_to_a_tenth_after_7_and_after_14_of_20_epochs() -> None:
    factors = [rate_factor((epoch + 0.5) / 20, warmup=0.0, decay="steps") for epoch in range(20)]
    assert factors == pytest.approx([1.0] * 7 + [0.1] * 7 + [0.01] * 6)


def test_the_rate_rises_and_then_falls_to_zero() -> None:
    values = [rate_factor(step / 100, warmup=0.1) for step in range(101)]
    assert max(values) == pytest.approx(0.9**0.9, rel=0.02)
    assert values.index(max(values)) == 10
    assert values[0] < 0.02
    assert values[-1] == 0
    assert values[55] == pytest.approx(0.45**0.9)


def test_a_budget_of_steps_knows_its_progress() -> None:
    budget = Budget(10, None)
    assert budget.seconds_left is None
    budget.done = 5
    assert budget.progress == 0.5
    assert not budget.over
    budget.done = 10
    assert budget.over


@pytest.mark.parametrize(
    ("passes", "training", "validation", "longer"),
    [(1, 100.0, 10.0, 1), (1, 100.0, 30.0, 2), (4, 10.0, 3.0, 8), (6, 1.0, 0.0, 6)],
)
def test_a_round_grows_where_validation_takes_more_than_its_share(
    passes: int, training: float, validation: float, longer: int
) -> None:
    assert longer_round(passes, training=training, validation=validation) == longer
