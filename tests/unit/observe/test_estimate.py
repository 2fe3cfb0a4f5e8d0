from datetime import timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from seatrial.facts.finding import Verdict
from seatrial.observe.estimate import ESTIMATED_LOSS, ESTIMATED_VALUE, estimate
from seatrial.observe.window import Window
from seatrial.product.product import Product
from tests.ledger_streams import ALSO, FIRST, ledger_days, model, predictions, product

MODEL = model(loss=0.19, value=2.0, spread=0.1)
WINDOW = Window(since=FIRST, until=FIRST + timedelta(days=4), at=FIRST + timedelta(hours=1))


def rows(score: float | None, count: int = 400, *, decision: bool = True) -> pl.DataFrame:
    return predictions(
        [
            {
                "prediction_id": f"p{i}",
                "made_at": FIRST + timedelta(days=i % 4),
                "score": score,
                "decision": decision,
            }
            for i in range(count)
        ]
    )


def of(
    made: pl.DataFrame, ledger: pl.DataFrame | None = None, kept: Product | None = None
) -> dict[str, object]:
    findings = estimate(kept or product(), MODEL, made, release="r0001", window=WINDOW, ledger=ledger)
    return (
        {finding.measure: finding for finding in findings}
        | {f"{finding.measure} verdict": finding.verdict for finding in findings}
        | {f"{finding.measure} value": finding.value for finding in findings}
    )


def test_loss_and_value_follow_from_calibrated_scores() -> None:
    found = of(rows(0.25))
    assert found[f"{ESTIMATED_LOSS} value"] == pytest.approx(0.25 * 0.75)
    assert found[f"{ESTIMATED_VALUE} value"] == pytest.approx(0.25 * 10 - 0.75 * 2)
    assert found[f"{ESTIMATED_LOSS} verdict"] is Verdict.OK


def test_rows_that_became_harder_are_shown_before_any_outcome() -> None:
    found = of(rows(0.5))
    assert found[f"{ESTIMATED_LOSS} verdict"] is Verdict.SHOWN
    assert found[f"{ESTIMATED_VALUE} verdict"] is Verdict.OK


def test_decisions_that_will_earn_too_little_are_shown() -> None:
    found = of(rows(0.2, decision=False))
    assert found[f"{ESTIMATED_VALUE} value"] == pytest.approx(-0.2)
    assert found[f"{ESTIMATED_VALUE} verdict"] is Verdict.SHOWN


def test_matured_rows_and_fallbacks_are_left_out() -> None:
    matured = rows(0.25).with_columns(pl.lit(FIRST).alias("matured_at").cast(pl.Datetime("us", "UTC")))
    for made in (matured, rows(None), pl.DataFrame()):
        found = of(made)
        assert found[f"{ESTIMATED_LOSS} value"] is None
        assert found[f"{ESTIMATED_LOSS} verdict"] is Verdict.NOT_ENOUGH_DATA


def test_a_value_that_reads_more_than_the_label_takes_the_ledgers_averages() -> None:
    dear = product(value=ALSO, also=("minutes",))
    booked = ledger_days(np.random.default_rng(0), days=5)
    found = of(rows(0.25), booked, dear)
    assert found[f"{ESTIMATED_VALUE} value"] == pytest.approx(0.25 * 4.0 - 0.75 * 1.0)
    assert of(rows(0.25), None, dear)[f"{ESTIMATED_VALUE} verdict"] is Verdict.NOT_ENOUGH_DATA


def test_a_calibration_is_applied() -> None:
    halved = msgspec.structs.replace(MODEL, calibration=((0.0, 1.0), (0.0, 0.5)))
    loss = estimate(product(), halved, rows(0.5), release="r0001", window=WINDOW)[0]
    assert loss.value == pytest.approx(0.25 * 0.25 + 0.75 * 0.25)
