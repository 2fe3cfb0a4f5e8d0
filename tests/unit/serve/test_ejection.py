"""Canaries that hurt the service go back to live at once."""

from collections.abc import Callable

from seatrial.serve.ejection import FAILS, SLOW, Call, Ward


class Timer:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def after(calls: int, ward: Ward, see: Callable[[Ward], str | None]) -> list[str | None]:
    return [see(ward) for _ in range(calls)]


def test_a_canary_whose_rows_fail_goes_once_enough_of_them_were_seen() -> None:
    verdicts = after(6, Ward(), lambda ward: ward.saw(Call(4, 4, 0.001, 4, 0.001)))
    assert verdicts == [None] * 4 + [FAILS, FAILS]


def test_a_few_failures_among_many_rows_are_borne() -> None:
    assert after(30, Ward(), lambda ward: ward.saw(Call(10, 1, 0.001, 10, 0.001))) == [None] * 30


def test_a_canary_that_is_far_slower_than_live_goes() -> None:
    verdicts = after(12, Ward(), lambda ward: ward.saw(Call(1, 0, 0.2, 1, 0.01)))
    assert verdicts == [None] * 9 + [SLOW] * 3


def test_what_is_slow_only_in_proportion_and_not_for_people_stays() -> None:
    assert after(50, Ward(), lambda ward: ward.saw(Call(1, 0, 0.01, 1, 0.0001))) == [None] * 50


def test_what_was_long_ago_is_forgotten() -> None:
    timer = Timer()
    ward = Ward(elapsed=timer)
    after(15, ward, lambda ward: ward.saw(Call(1, 1, 0.001, 1, 0.001)))
    timer.now = 60.0
    assert ward.saw(Call(10, 0, 0.001, 10, 0.001)) is None
    assert (ward.seen.rows, ward.seen.failed) == (10, 0)


def test_the_same_model_with_more_rows_is_not_slow() -> None:
    per_row = 0.0002
    calls = Call(180, 0, 180 * per_row, 20, 20 * per_row)
    assert after(40, Ward(), lambda ward: ward.saw(calls)) == [None] * 40


def test_calls_that_live_had_no_rows_beside_are_not_compared() -> None:
    assert after(40, Ward(), lambda ward: ward.saw(Call(10, 0, 0.5, 0, 0.0))) == [None] * 40
