"""Tables that keep their changes."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.data.changes import applied, as_changes, difference, state

SCHEMA = {"key": pl.String(), "number": pl.Float64()}
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([0.0, -0.0, 1.5, float("inf"), None])),
    max_size=8,
).map(lambda rows: pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def history(states: list[pl.DataFrame]) -> pl.DataFrame:
    """The stored changes after each of the states was loaded in turn."""
    stored = pl.DataFrame()
    for number, rows in enumerate(states, start=1):
        changes = as_changes(*difference(state(stored), rows), number)
        stored = changes if stored.is_empty() else pl.concat([stored, changes])
    return stored


def multiset(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    """The rows in any order; -0.0 is 0.0, as in digests."""
    plain = frame.with_columns(pl.when(pl.col("number") == 0).then(0.0).otherwise("number").alias("number"))
    return sorted(plain.rows(), key=repr)


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_every_state_that_was_loaded_can_be_read_again(states: list[pl.DataFrame]) -> None:
    stored = history(states)
    if stored.is_empty():
        assert all(rows.is_empty() for rows in states)
        return
    for number, rows in enumerate(states, start=1):
        assert multiset(state(stored, number)) == multiset(rows)


@given(ROWS, ROWS)
def test_what_is_applied_is_what_will_be_read(old: pl.DataFrame, new: pl.DataFrame) -> None:
    added, removed = difference(old, new)
    stored = pl.concat([as_changes(old, old.clear(), 1), as_changes(added, removed, 2)])
    assert_frame_equal(applied(old, added, removed), state(stored))


@given(ROWS)
def test_equal_rows_in_another_order_change_nothing(rows: pl.DataFrame) -> None:
    added, removed = difference(rows, rows.reverse())
    assert added.is_empty()
    assert removed.is_empty()


def test_rows_come_back_in_the_order_of_their_loads() -> None:
    first = pl.DataFrame({"key": ["b", "a"], "number": [1.0, 2.0]})
    second = pl.DataFrame({"key": ["b", "c", "a"], "number": [1.0, 0.0, 2.0]})
    assert state(history([first, second]))["key"].to_list() == ["b", "a", "c"]
