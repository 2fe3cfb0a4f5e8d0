from datetime import timedelta

import polars as pl
import pytest

from seatrial.contract.types import polars_schema
from seatrial.errors import DataRefused
from seatrial.facts.tables import LEDGER
from seatrial.value.ledger import current, resettle, settle
from seatrial.value.outcomes import match_outcomes
from tests.ledger_streams import ALSO, FIRST, outcomes, predictions, product

DAY = timedelta(days=1)


def settled(rows: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    return settle(product(), rows, reports, settled_at=FIRST + DAY).rows


def test_a_matured_row_is_valued_for_its_decision_the_baseline_acting_and_resting() -> None:
    made = predictions([{"prediction_id": "a", "feature_size": 3.0, "decision": True, "score": 0.7}])
    row = settled(made, outcomes([{"prediction_id": "a", "late": True}])).row(0, named=True)
    assert (row["value"], row["baseline_value"]) == (30.0, -1.0)
    assert (row["act_value"], row["rest_value"]) == (30.0, -1.0)
    assert row["loss"] == pytest.approx(0.09)
    assert (row["label"], row["block"], row["capped"]) == (True, "2024-03-01", False)


def test_the_value_range_cuts_and_the_row_says_so() -> None:
    made = predictions([{"prediction_id": "a", "feature_size": 9.0}])
    row = settled(made, outcomes([{"prediction_id": "a", "late": True}])).row(0, named=True)
    assert (row["value"], row["capped"]) == (60.0, True)


def test_a_row_without_outcome_is_booked_without_value() -> None:
    booked = settle(product(), predictions([{"prediction_id": "a"}]), pl.DataFrame(), settled_at=FIRST + DAY)
    row = booked.rows.row(0, named=True)
    assert booked.counts.without_outcome == 1
    assert [row[name] for name in ("label", "value", "baseline_value", "act_value", "loss")] == [None] * 5


def test_a_fallback_answer_has_a_value_but_no_loss() -> None:
    made = predictions([{"prediction_id": "a", "score": None, "fallback": "model_error", "decision": False}])
    row = settled(made, outcomes([{"prediction_id": "a", "late": True}])).row(0, named=True)
    assert (row["value"], row["loss"]) == (-1.0, None)


def test_an_outcome_named_by_key_reaches_the_answer_and_its_shadow() -> None:
    rows: list[dict[str, object]] = [
        {"prediction_id": "a", "release": "r0001"},
        {"prediction_id": "a", "release": "r0002", "assigned": "shadow", "decision": False},
    ]
    booked = settled(predictions(rows), outcomes([{"key": "key-a", "late": False}]))
    assert dict(booked.select("release", "value").iter_rows()) == {"r0001": -2.0, "r0002": 0.0}


def test_the_latest_revision_received_in_time_stands() -> None:
    reports = [
        {"prediction_id": "a", "late": False, "revision": 1, "received_at": FIRST + timedelta(hours=8)},
        {"prediction_id": "a", "late": True, "revision": 0, "received_at": FIRST + timedelta(hours=9)},
        {"prediction_id": "a", "late": True, "revision": 2, "received_at": FIRST + 2 * DAY},
    ]
    assert settled(predictions([{"prediction_id": "a"}]), outcomes(reports))["label"].to_list() == [False]


def test_reports_that_come_twice_change_or_name_nothing_are_counted() -> None:
    reports = [
        {"prediction_id": "a", "late": True},
        {"prediction_id": "a", "late": True},
        {"prediction_id": "b", "late": True},
        {"prediction_id": "b", "late": False, "revision": 1},
        {"prediction_id": "nobody", "late": True},
        {"key": "nothing", "late": True},
    ]
    counts = match_outcomes(
        product(), predictions([{"prediction_id": "a"}, {"prediction_id": "b"}]), outcomes(reports)
    )
    assert (counts.matched, counts.duplicates, counts.corrected, counts.unknown) == (2, 1, 1, 2)


def test_a_value_that_reads_nothing_of_the_request_can_be_booked() -> None:
    flat = product(value="CASE WHEN decision AND late THEN 5.0 ELSE 0.0 END")
    made = predictions([{"prediction_id": "a"}, {"prediction_id": "b"}])
    reports = outcomes([{"prediction_id": "a", "late": True}])
    assert settle(flat, made, reports, settled_at=FIRST + DAY).rows["value"].to_list() == [5.0, None]


def test_a_label_that_was_reported_as_unknown_is_no_outcome() -> None:
    reports: list[dict[str, object]] = [
        {"prediction_id": "a", "late": True},
        {"prediction_id": "a", "late": None, "revision": 1},
    ]
    assert settled(predictions([{"prediction_id": "a"}]), outcomes(reports))["value"].to_list() == [None]


def test_without_predictions_every_report_is_unknown() -> None:
    counts = match_outcomes(product(), pl.DataFrame(), outcomes([{"prediction_id": "a", "late": True}]))
    assert (counts.matched, counts.unknown) == (0, 1)


def test_a_late_outcome_is_booked_as_a_correction_that_readers_prefer() -> None:
    made = predictions([{"prediction_id": "a"}, {"prediction_id": "b"}])
    reports = [{"prediction_id": "b", "late": False}]
    first = settled(made, outcomes(reports))
    late = outcomes([*reports, {"prediction_id": "a", "late": True, "received_at": FIRST + 3 * DAY}])
    again = resettle(product(), made, late, first, settled_at=FIRST + 4 * DAY)
    assert again.rows["prediction_id"].to_list() == ["a"]
    assert (first["awaited"].any(), again.rows["awaited"].to_list()) == (False, [True])
    now = current(pl.concat([again.rows, first]))
    assert dict(now.select("prediction_id", "value").iter_rows()) == {"a": 10.0, "b": -2.0}
    assert resettle(product(), made, late, now, settled_at=FIRST + 5 * DAY).rows.is_empty()


def test_only_the_first_known_value_was_awaited() -> None:
    made = predictions([{"prediction_id": "a"}])
    ledger = settled(made, outcomes([]))
    for revision, (late, awaited) in enumerate([(True, True), (None, False), (False, False)]):
        reports = outcomes([{"prediction_id": "a", "late": late, "revision": revision}])
        at = FIRST + (2 + revision) * DAY
        rows = resettle(product(), made, reports, ledger, settled_at=at).rows
        assert rows["awaited"].to_list() == [awaited]
        ledger = pl.concat([ledger, rows])
    assert current(ledger)["value"].to_list() == [-2.0]


def test_another_answer_under_the_same_id_amends_nothing() -> None:
    made = predictions([{"prediction_id": "a"}])
    early = {"made_at": FIRST + DAY, "received_at": FIRST - DAY}
    again = predictions([{"prediction_id": "a", "release": "r0002", **early}])
    shadow = predictions([{"prediction_id": "a", "release": "r0002", "assigned": "shadow"}])
    ledger = settled(pl.concat([made, shadow]), outcomes([]))
    reports = outcomes([{"prediction_id": "a", "late": True}])
    rows = resettle(
        product(), pl.concat([again, made, shadow]), reports, ledger, settled_at=FIRST + 2 * DAY
    ).rows
    assert dict(rows.select("release", "assigned").iter_rows()) == {"r0001": "live", "r0002": "shadow"}


def test_another_objective_alone_corrects_nothing() -> None:
    made, reports = predictions([{"prediction_id": "a"}]), outcomes([{"prediction_id": "a", "late": True}])
    first = settled(made, reports)
    dearer = product(value="CASE WHEN late THEN 5.0 ELSE 0.0 END")
    assert resettle(dearer, made, reports, first, settled_at=FIRST + 4 * DAY).rows.is_empty()


def test_a_value_that_needs_more_than_the_label_waits_for_it() -> None:
    dear = product(value=ALSO, also=("minutes",))
    made = predictions([{"prediction_id": "a"}, {"prediction_id": "b"}])
    reports = outcomes(
        [{"prediction_id": "a", "late": True}, {"prediction_id": "b", "late": True, "minutes": 4.0}],
        also=("minutes",),
    )
    rows = settle(dear, made, reports, settled_at=FIRST + DAY).rows
    assert dict(rows.select("prediction_id", "value").iter_rows()) == {"a": None, "b": 6.0}


def test_predictions_without_a_column_that_the_value_reads_are_refused() -> None:
    made = predictions([{"prediction_id": "a"}]).drop("feature_size")
    with pytest.raises(DataRefused, match="feature_size"):
        settled(made, outcomes([]))


def test_nothing_to_settle_is_an_empty_ledger() -> None:
    empty = settle(product(), pl.DataFrame(), pl.DataFrame(), settled_at=FIRST)
    assert dict(empty.rows.schema) == polars_schema(LEDGER)
    assert empty.counts.rows == 0
    assert current(pl.DataFrame()).is_empty()
