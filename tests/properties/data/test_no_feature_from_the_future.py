"""No feature from the future: what was not known at the decision cannot change an example."""

from datetime import timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.data.examples import build_examples
from tests.harbour import DELAY, START, call, frame, harbour_product, source_tables, tide

PRODUCT = harbour_product()
FEATURES = [feature.name for feature in PRODUCT.features]
# Few quays and times, on both sides of the delay, so that ties and near misses are common.
HOURS = st.sampled_from([0.0, 1.0, 1.0 + 20 / 60, 1.0 + 21 / 60, 2.0, 3.0])
QUAYS = st.sampled_from(["north", "north", "north", "south", None])
BASINS = st.sampled_from([1, 1, 1, 2, None])
TIDES = st.builds(
    lambda hour, depth, quay, basin: tide(hour, depth, quay=quay, basin=basin),
    HOURS,
    st.floats(0, 9),
    QUAYS,
    BASINS,
)
NOW_HOURS = st.sampled_from([0.5, 1.0, 1.0 + 20 / 60, 2.0, 4.0])
CALLS = st.lists(st.tuples(NOW_HOURS, QUAYS, BASINS), min_size=1, max_size=6).map(
    lambda drawn: [
        call(number, hour, quay=quay, basin=basin) for number, (hour, quay, basin) in enumerate(drawn)
    ]
)


def examples(calls: list[dict[str, Any]], tides: list[dict[str, Any]]) -> pl.DataFrame:
    ships = frame("ships", [{"ship": "Argo", "length": 20.0}])
    frames = {"calls": frame("calls", calls), "tides": frame("tides", tides), "ships": ships}
    return build_examples(PRODUCT, source_tables(frames))


def known(row: dict[str, Any], hour: float) -> bool:
    return bool(row["measured_at"] + DELAY <= START + timedelta(hours=hour))


@given(
    CALLS,
    st.lists(TIDES, max_size=8),
    st.lists(TIDES, max_size=8),
    NOW_HOURS,
    st.randoms(use_true_random=False),
)
@settings(max_examples=150)
def test_rows_known_after_a_decision_do_not_change_its_features(
    calls: list[dict[str, Any]],
    tides: list[dict[str, Any]],
    others: list[dict[str, Any]],
    hour: float,
    random: Any,
) -> None:
    """Every tide not yet known at `hour` is removed and others come in its place, anywhere in the table."""
    past = [row for row in tides if known(row, hour)]
    future = [row for row in others if not known(row, hour)]
    rewritten = list(past)
    for row in future:
        rewritten.insert(random.randint(0, len(rewritten)), row)
    decided = pl.col("announced_at") <= START + timedelta(hours=hour)
    assert_frame_equal(
        examples(calls, rewritten).filter(decided).select("call", *FEATURES),
        examples(calls, tides).filter(decided).select("call", *FEATURES),
    )


@given(CALLS, st.lists(TIDES, max_size=8))
def test_outcomes_do_not_change_features(calls: list[dict[str, Any]], tides: list[dict[str, Any]]) -> None:
    """Nor do later rows of the examples' own source."""
    untold = [{**row, "late": None, "hours_late": None, "berthed_at": None} for row in calls]
    later = [*untold, call(99, 50)]
    before = examples(calls, tides).select("call", *FEATURES)
    assert_frame_equal(examples(later, tides).head(len(calls)).select("call", *FEATURES), before)


@given(CALLS, st.lists(TIDES, max_size=8))
def test_the_latest_row_known_is_the_one_taken(
    calls: list[dict[str, Any]], tides: list[dict[str, Any]]
) -> None:
    """Against a search row by row; of rows of one moment the last stands."""
    expected = {row["call"]: latest(row, tides) for row in calls}
    assert dict(examples(calls, tides).select("call", "depth").rows()) == expected


def latest(row: dict[str, Any], tides: list[dict[str, Any]]) -> float | None:
    found: dict[str, Any] | None = None
    for one in tides:
        fits = all(row[key] is not None and row[key] == one[key] for key in ("quay", "basin"))
        available = one["measured_at"] + DELAY <= row["announced_at"]
        if fits and available and (found is None or one["measured_at"] >= found["measured_at"]):
            found = one
    return found["depth"] if found else None
