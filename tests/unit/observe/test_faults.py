from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from seatrial.facts.finding import Verdict
from seatrial.observe.faults import FALLBACK, UNSEEN, faults, missing_shares
from seatrial.observe.window import Window
from seatrial.product.reference import Reference, make_reference
from tests.ledger_streams import FIRST, predictions, product

PRODUCT = product()
DAYS = 5
WINDOW = Window(since=FIRST, until=FIRST + timedelta(days=DAYS), at=FIRST + timedelta(days=DAYS))


def rows(per_day: int = 100, **of_day: dict[int, Any]) -> pl.DataFrame:
    """Five days of predictions; each keyword gives a column's value on some days."""
    made = []
    for number in range(DAYS * per_day):
        day = number // per_day
        row = {
            "prediction_id": f"p{number}",
            "made_at": FIRST + timedelta(days=day, minutes=number % per_day),
            "feature_size": float(number % 7),
            "feature_kind": "box" if number % 2 else "bag",
        }
        row |= {column: values[day] for column, values in of_day.items() if day in values}
        made.append(row)
    return predictions(made)


def reference() -> Reference:
    frame = rows()
    plain = frame.select(
        pl.col(f"feature_{feature.name}").alias(feature.name) for feature in PRODUCT.features
    )
    return make_reference(plain, PRODUCT.features, np.full(frame.height, 0.5))


def test_healthy_rows_raise_nothing() -> None:
    findings, incidents = faults(PRODUCT, reference(), rows(), release="r0001", window=WINDOW)
    assert [(finding.measure, finding.verdict) for finding in findings] == [(FALLBACK, Verdict.OK)]
    assert incidents == []


def test_a_lookup_that_went_missing_is_named_with_the_day_it_began() -> None:
    gone = rows(feature_wind={3: None, 4: None})
    _, (incident,) = faults(PRODUCT, reference(), gone, release="r0001", window=WINDOW)
    assert incident.cause == "data fault: lookup weather missing since 2024-03-04"
    assert incident.began_at == FIRST + timedelta(days=3)


def test_a_feature_of_the_request_is_named_itself() -> None:
    gone = rows(feature_size={4: None})
    _, (incident,) = faults(PRODUCT, reference(), gone, release="r0001", window=WINDOW)
    assert incident.cause == "data fault: feature size missing since 2024-03-05"


def test_an_incident_that_is_open_is_not_raised_again() -> None:
    gone = rows(feature_wind={4: None})
    findings, incidents = faults(PRODUCT, reference(), gone, release="r0001", window=WINDOW)
    later, again = faults(
        PRODUCT, reference(), gone, release="r0001", window=WINDOW, open_incidents=incidents
    )
    assert len(incidents) == 1
    assert again == []
    assert later == findings


def test_a_feed_that_came_back_is_no_fault() -> None:
    assert faults(PRODUCT, reference(), rows(feature_wind={2: None}), release="r0001", window=WINDOW)[1] == []


def test_a_day_of_few_rows_proves_nothing() -> None:
    gone = rows(per_day=20, feature_wind={4: None})
    findings, incidents = faults(PRODUCT, reference(), gone, release="r0001", window=WINDOW)
    assert incidents == []
    assert findings[0].verdict is Verdict.NOT_ENOUGH_DATA


def test_answers_from_the_fallback_alarm_with_their_reason() -> None:
    failing = rows(fallback={3: "model_error", 4: "model_error"})
    findings, (incident,) = faults(PRODUCT, reference(), failing, release="r0001", window=WINDOW)
    assert findings[0].verdict is Verdict.ALARM
    assert findings[0].value == pytest.approx(1.0)
    assert "100.0% of answers came from the fallback" in incident.cause
    assert "model_error (100 times)" in incident.cause
    assert incident.began_at == FIRST + timedelta(days=3)


def test_a_few_fallbacks_are_tolerated() -> None:
    few = rows().with_columns(
        pl.when(pl.int_range(pl.len()) % 50 == 0).then(pl.lit("timeout")).alias("fallback")
    )
    assert faults(PRODUCT, reference(), few, release="r0001", window=WINDOW)[1] == []


def test_unseen_categories_are_shown_and_never_alarm() -> None:
    findings, incidents = faults(
        PRODUCT, reference(), rows(feature_kind={4: "crate"}), release="r0001", window=WINDOW
    )
    shown = [finding for finding in findings if finding.measure == UNSEEN]
    assert [(one.segment, one.verdict, one.value) for one in shown] == [("kind", Verdict.SHOWN, 0.2)]
    assert incidents == []


def test_missing_shares_stand_beside_the_reference() -> None:
    shares = missing_shares(reference(), rows(feature_wind={4: None}))
    assert shares["wind"][0].value == pytest.approx(0.2)
    assert shares["wind"][1] == 0.0


def test_no_rows_no_findings() -> None:
    assert faults(PRODUCT, reference(), pl.DataFrame(), release="r0001", window=WINDOW) == ([], [])
