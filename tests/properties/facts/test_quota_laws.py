"""Token buckets: never more than the quota over time, and never less for whoever waits as long as it was told."""

from hypothesis import given
from hypothesis import strategies as st

from seatrial.web.scoring.quotas import Bucket

CAPACITY, SECONDS = 20.0, 10.0
ASKED = st.lists(st.tuples(st.integers(1, 50), st.floats(0, 5)), min_size=1, max_size=40)


@given(ASKED)
def test_over_any_time_no_more_is_taken_than_the_bucket_and_what_came_in_and_one_request(
    asked: list[tuple[int, float]],
) -> None:
    bucket, at, taken, largest = Bucket(CAPACITY, SECONDS, 0.0), 0.0, 0, 0
    for rows, pause in asked:
        at += pause
        if bucket.take(rows, at) == 0.0:
            taken, largest = taken + rows, max(largest, rows)
        excess = max(0.0, largest - CAPACITY)
        assert taken <= CAPACITY + at * CAPACITY / SECONDS + excess + 1e-6


@given(ASKED, st.integers(1, 50))
def test_whoever_waits_as_long_as_it_was_told_is_let_in(asked: list[tuple[int, float]], rows: int) -> None:
    bucket, at = Bucket(CAPACITY, SECONDS, 0.0), 0.0
    for some, pause in asked:
        at += pause
        bucket.take(some, at)
    wait = bucket.take(rows, at)
    if wait:
        assert bucket.take(rows, at + wait + 1e-9) == 0.0


@given(st.floats(-1e6, 1e6), st.integers(1, 50))
def test_a_clock_that_jumps_back_gives_nothing_away(jump: float, rows: int) -> None:
    bucket = Bucket(CAPACITY, SECONDS, 0.0)
    bucket.take(20, 0.0)
    bucket.take(rows, min(jump, 0.0))
    assert bucket.level <= CAPACITY
    assert bucket.take(rows, min(jump, 0.0)) > 0
