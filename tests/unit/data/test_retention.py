"""Rows that are older than they may be kept are recognised, and not taken in again."""

from datetime import timedelta

import polars as pl

from seatrial.data.changes import as_changes
from seatrial.data.retention import delivered_in_time, in_time, kept_from, outdated, removed
from tests.harbour import PRODUCT_FILE, START, call, frame, harbour_product, tide

FOR_EVER = harbour_product()
TEN_DAYS = harbour_product(PRODUCT_FILE + "governance: {retention: 10d}\n")
NOW = START + timedelta(days=10, hours=2)


def test_the_product_file_says_how_long() -> None:
    assert kept_from(TEN_DAYS, NOW) == START + timedelta(hours=2)
    assert kept_from(FOR_EVER, NOW) is None


def test_what_is_delivered_again_is_cut_where_the_stored_rows_were() -> None:
    calls = frame("calls", [call(number, number) for number in (1, 2, 3)])
    kept, dropped = in_time(TEN_DAYS, "calls", calls, NOW)
    assert (kept["call"].to_list(), dropped) == (["c2", "c3"], 1)
    assert in_time(FOR_EVER, "calls", calls, NOW) == (calls, 0)
    assert in_time(TEN_DAYS, "calls", calls.clear(), NOW)[1] == 0


def test_of_a_lookup_the_last_old_row_of_each_key_is_kept() -> None:
    tides = [tide(-9, 1.0), tide(-8, 2.0), tide(1, 3.0), tide(5, 4.0), tide(-7, 5.0, quay="south")]
    kept, _ = in_time(TEN_DAYS, "tides", frame("tides", tides), NOW)
    assert kept["depth"].to_list() == [3.0, 4.0, 5.0]


def test_a_source_without_times_is_kept() -> None:
    ships = frame("ships", [{"ship": "Argo", "length": 1.0}])
    assert not outdated(TEN_DAYS, "ships", ships, NOW).any()


def test_rows_that_came_back_are_told_from_those_that_were_removed() -> None:
    argo = pl.DataFrame({"ship": ["Argo"]})
    none = argo.clear()
    stored = pl.concat([as_changes(argo, none, 1), as_changes(none, argo, 2), as_changes(argo, none, 3)])
    assert removed(stored, {1, 2, 3}).to_list() == [True, True, False]
    assert not removed(stored, {1, 3}).any()
    shuffled = stored[[2, 1, 0]]
    assert removed(shuffled, {2}).to_list() == [False, True, True]


def test_days_are_moments_too() -> None:
    tides = frame("tides", [tide(-48, 1.0), tide(-24, 2.0), tide(24, 3.0)])
    days = tides.with_columns(pl.col("measured_at").dt.date())
    kept, dropped = in_time(TEN_DAYS, "tides", days, NOW)
    assert (kept["depth"].to_list(), dropped) == ([2.0, 3.0], 1)


def test_what_is_too_old_is_known_before_the_check_however_its_time_is_written() -> None:
    calls = frame("calls", [call(number, number) for number in (1, 2, 3)])
    written = calls.with_columns(pl.col("announced_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for delivered in (calls, written):
        kept, dropped = delivered_in_time(TEN_DAYS, "calls", delivered, NOW)
        assert (kept["call"].to_list(), dropped) == (["c2", "c3"], 1)
    odd = written.with_columns(announced_at=pl.lit("yesterday"))
    assert delivered_in_time(TEN_DAYS, "calls", odd, NOW)[1] == 0
    assert delivered_in_time(TEN_DAYS, "calls", odd.drop("announced_at"), NOW)[1] == 0
    assert delivered_in_time(TEN_DAYS, "tides", frame("tides", [tide(-9, 1.0), tide(-8, 2.0)]), NOW)[1] == 0
    assert delivered_in_time(FOR_EVER, "calls", calls, NOW)[1] == 0
