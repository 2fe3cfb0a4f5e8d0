"""What loss and value of unmatured decisions will be, from calibrated scores: an early warning, shown and never paged.

Confidence-based performance estimation (`measures.estimation`). It sees rows becoming harder, not outcomes ceasing to
follow the scores; `gap` sees that, once they have matured.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Verdict
from seatrial.facts.model import Model
from seatrial.measures.estimation import brier, expected_value
from seatrial.observe.days import calibrated
from seatrial.observe.promise import Limits, limits
from seatrial.observe.window import Window, answered
from seatrial.product.product import Product
from seatrial.product.stored import outcome_types, stored_columns, value_columns

ESTIMATED_LOSS = "estimated loss"
ESTIMATED_VALUE = "estimated value"
FEWEST_ROWS = 100


def estimate(
    product: Product,
    model: Model,
    predictions: pl.DataFrame,
    *,
    release: str,
    window: Window,
    ledger: pl.DataFrame | None = None,
) -> list[Finding]:
    """Two findings on the window's scored rows that have not matured by `window.at`: loss and value per decision.

    Shown when the whole interval breaks the limit that the watch holds the release to. A value that reads more of the
    outcome than the label takes, for those rows, what acting and resting were worth on average in `ledger` under
    either label; without such rows the finding says that there is not enough data.

    Raises:
        DataRefused: when the model promises nothing, or the predictions lack a column that the value reads.
    """
    rows = _unmatured(predictions, release, window)
    limit = limits(product, model)
    blocks = product.block(rows["made_at"]).to_numpy() if rows.height else None
    chance = calibrated(model, rows["score"]) if rows.height else np.empty(0)
    loss = brier(chance, np.clip(rows["score"].to_numpy(), 0.0, 1.0), blocks) if rows.height else _nothing()
    sides = _either_way(product, rows, ledger) if rows.height else None
    value = expected_value(chance, *sides, blocks) if sides is not None else _nothing()
    return [
        _finding(product, release, window, ESTIMATED_LOSS, loss, rows=rows.height, limit=limit),
        _finding(product, release, window, ESTIMATED_VALUE, value, rows=rows.height, limit=limit),
    ]


def _unmatured(predictions: pl.DataFrame, release: str, window: Window) -> pl.DataFrame:
    rows = answered(window.rows(predictions, release))
    if rows.is_empty():
        return rows
    return rows.filter(pl.col("matured_at") > window.at, pl.col("score").is_finite()).sort("prediction_id")


def _either_way(
    product: Product, rows: pl.DataFrame, ledger: pl.DataFrame | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """What each decision is worth with a true and with a false label, or None when that cannot be said."""
    others = product.objective.value.reads & set(product.outcome_columns) - {product.label}
    if others:
        return _from_ledger(rows, ledger)
    frame = stored_columns(product, rows, value_columns(product))
    unread = [pl.lit(None).alias(name) for name in outcome_types(product) if name != product.label]
    either = [
        product.value(frame.with_columns(pl.lit(label).alias(product.label), *unread), rows["decision"])[
            "value"
        ]
        for label in (True, False)
    ]
    # Half of a decision's value unknown leaves nothing to weigh.
    if any(side.null_count() for side in either):
        return None
    return either[0].to_numpy(), either[1].to_numpy()


def _from_ledger(
    rows: pl.DataFrame, ledger: pl.DataFrame | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    if ledger is None or ledger.is_empty():
        return None
    means = (
        ledger.drop_nulls(["label", "act_value", "rest_value"])
        .group_by("label")
        .agg(pl.col("act_value").mean(), pl.col("rest_value").mean())
    )
    by_label = {label: (act, rest) for label, act, rest in means.iter_rows()}
    if len(by_label) < 2:
        return None
    acted = rows["decision"].to_numpy()
    return np.where(acted, *by_label[True]), np.where(acted, *by_label[False])


def _finding(
    product: Product, release: str, window: Window, measure: str, found: Estimate, *, rows: int, limit: Limits
) -> Finding:
    of_loss = measure == ESTIMATED_LOSS
    enough = rows >= FEWEST_ROWS and found.lower is not None and found.upper is not None
    broken = enough and _broken(found, limit, of_loss)
    calm = Verdict.OK if enough else Verdict.NOT_ENOUGH_DATA
    tolerated = f"at most {limit.loss:.4g}" if of_loss else f"at least {limit.value:.4g}"
    unit = "Brier loss" if of_loss else product.objective.section.unit
    return window.finding(
        product.name,
        release,
        measure=measure,
        segment="unmatured",
        value=found,
        sample_size=rows,
        verdict=Verdict.SHOWN if broken else calm,
        detail=f"{unit} per decision expected before outcomes are known; {tolerated} is tolerated",
    )


def _broken(found: Estimate, limit: Limits, of_loss: bool) -> bool:
    if of_loss:
        return found.lower is not None and found.lower > limit.loss
    return found.upper is not None and found.upper < limit.value


def _nothing() -> Estimate:
    return Estimate(value=None, method="estimated without outcomes (CBPE)")
