"""Examples: what was known at the decision, and when the outcome was."""

from datetime import timedelta

import polars as pl

from seatrial.data.examples import build_examples, lookup_tables
from seatrial.data.snapshot import examples_as_of
from tests.harbour import DELAY, START, call, frame, harbour_product, source_tables, tide

PRODUCT = harbour_product()
HOUR = timedelta(hours=1)


def examples(calls: list[dict[str, object]], tides: list[dict[str, object]]) -> pl.DataFrame:
    frames = {"calls": frame("calls", calls), "tides": frame("tides", tides)}
    ships = frame("ships", [{"ship": "Argo", "length": 20.0}])
    return build_examples(PRODUCT, source_tables({**frames, "ships": ships}))


def test_columns_are_the_products_then_the_outcome_then_its_times() -> None:
    built = examples([call(0, 1)], [tide(0, 4.0)])
    assert built.columns == [*PRODUCT.columns, "late", "hours_late", "known_at", "matured_at"]
    row = built.row(0, named=True)
    assert (row["depth"], row["length"], row["room"]) == (4.0, 20.0, 2.0)
    assert row["known_at"] == START + 25 * HOUR
    assert row["matured_at"] == START + 49 * HOUR


def test_rows_are_sorted_by_decision_time_then_key() -> None:
    built = examples([call(3, 2), call(2, 2), call(1, 5), call(0, 1)], [])
    assert built["call"].to_list() == ["c0", "c2", "c3", "c1"]


def test_a_lookup_row_counts_from_when_it_was_available() -> None:
    delay = DELAY / HOUR
    built = examples([call(0, 1 + delay), call(1, 1 + delay - 0.001)], [tide(0, 4.0), tide(1, 9.0)])
    assert dict(built.select("call", "depth").rows()) == {"c0": 9.0, "c1": 4.0}


def test_what_was_not_known_is_missing_and_no_row_is_lost() -> None:
    built = examples([call(0, 1, quay=None), call(1, 1, ship="Nemo"), call(2, 1, basin=2)], [tide(0, 4.0)])
    assert built.select("call", "depth", "length").rows() == [
        ("c0", None, 20.0),
        ("c1", 4.0, None),
        ("c2", None, 20.0),
    ]


def test_lookup_tables_are_prepared_by_the_names_of_the_lookups() -> None:
    frames = {"tides": frame("tides", [tide(0, 4.0)]), "ships": frame("ships", [])}
    tables = lookup_tables(PRODUCT, source_tables(frames))
    assert {name: table.height for name, table in tables.items()} == {"tides": 1, "ships": 0}


def test_only_matured_examples_with_a_known_outcome_are_taken() -> None:
    late = START + timedelta(days=9)
    calls = [
        call(0, 0),
        call(1, 1),
        call(2, 0, berthed_at=late),
        call(3, 0, berthed_at=None),
        call(4, 0, late=None),
    ]
    built = examples(calls, [])
    assert examples_as_of(PRODUCT, built, START + timedelta(days=2))["call"].to_list() == ["c0"]
    assert examples_as_of(PRODUCT, built, late)["call"].to_list() == ["c0", "c2", "c1"]
