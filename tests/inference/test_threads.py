import pytest

from pixelwise.inference.threads import CALLS, map_ordered


def test_a_call_is_alone_where_no_other_runs_and_none_is_to_come() -> None:
    with CALLS.begin() as first, CALLS.begin() as second:
        assert (first, second) == (True, False)
    with CALLS.expect_many():
        with CALLS.begin() as alone:
            assert not alone
        with pytest.raises(ValueError, match="stop"), CALLS.expect_many(), CALLS.begin():
            raise ValueError("stop")
    with CALLS.begin() as alone:
        assert alone


def test_results_come_in_order_and_items_are_taken_one_by_one_ahead() -> None:
    taken = []

    def items() -> object:
        for number in range(9):
            taken.append(number)
            yield number

    results = map_ordered(lambda number: number * number, items(), workers=2)  # type: ignore[arg-type]
    assert next(results) == 0
    assert taken == [0, 1, 2]
    assert list(results) == [number * number for number in range(1, 9)]
