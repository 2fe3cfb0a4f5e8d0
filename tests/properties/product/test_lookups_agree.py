"""Training joins and serving searches; both find the same row."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.product.lookups import LookupIndex, join, prepare
from seatrial.product.schema import Lookup
from tests.harbour import START, frame, tide

TIMED = Lookup(on=("quay", "basin"), as_of="measured_at", available_after=1200, columns=("depth",))  # type: ignore[arg-type]  # seconds
TIMELESS = Lookup(on=("quay", "basin"), columns=("depth",))
MINUTES = st.integers(0, 8).map(lambda tens: tens * 10)
KEYS = st.tuples(st.sampled_from(["north", "south", None]), st.sampled_from([1, 2, None]))
TIDES = st.builds(
    lambda minutes, depth, key: tide(minutes / 60, depth, quay=key[0], basin=key[1]),
    MINUTES,
    st.none() | st.floats(0, 9),
    KEYS,
)
ASKED = st.lists(st.tuples(MINUTES, KEYS), max_size=8)


@pytest.mark.parametrize("lookup", [TIMED, TIMELESS])
@given(tides=st.lists(TIDES, max_size=12), asked=ASKED)
def test_joined_and_searched_columns_are_equal(
    lookup: Lookup, tides: list[dict[str, Any]], asked: list[tuple[int, tuple[Any, Any]]]
) -> None:
    prepared = prepare(frame("tides", tides), lookup, {"depth": "depth"})
    rows = pl.DataFrame(
        [(START + timedelta(minutes=minutes), *key) for minutes, key in asked],
        schema={"at": pl.Datetime("us", "UTC"), "quay": pl.String, "basin": pl.Int64},
        orient="row",
    )
    joined = join(rows, prepared, lookup, "at")
    assert_frame_equal(joined.select(rows.columns), rows)
    assert_frame_equal(LookupIndex(prepared, lookup).find(rows, "at"), joined.select("depth"))
