"""The watch over a live release: does it do worse than its model promised, beyond what the product tolerates?

Two one-sided e-detectors, one on Brier loss and one on the shortfall of value, each fed with one number per day
(`measures.edetector`): days share shocks, so rows would not do. An improvement never alarms.

The budget: `false_alarms` per year is what all of it may cost together. A detector that alarms at evidence c raises
at most T / c false alarms within T days in expectation; two detectors share the budget, so c = 2 * 365 / budget, and
1 per year gives c = 730.

A day enters when it is complete: when everything that was decided on it has had `horizon` to mature after the day
ended, and the caller has handed over all rows that matured until then. What matures later is counted as late and
left out; the rule knows no outcomes, so it selects none.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl

from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Incident, Verdict
from seatrial.facts.model import Model
from seatrial.measures import blocks, edetector
from seatrial.measures.edetector import EDetector
from seatrial.observe.days import Day, answered_rows, day_end, day_start, days_of, merged
from seatrial.observe.gap import explain, written
from seatrial.observe.promise import Limits, limits
from seatrial.product.product import Product

LOSS = "loss"
VALUE = "value"
MEASURES = (LOSS, VALUE)
FEWEST_DAYS = 7
_DAYS_PER_YEAR = 365.0
_WINDOW = 28
# Longer than any alarm takes that is worth having; bounds the size of the state.
_REMEMBERED = 400


class WatchState(msgspec.Struct, frozen=True, kw_only=True):
    """All that the watch remembers of one release.

    `waiting` are sums of days that are not complete; `days` the newest complete ones, of `seen` altogether, in
    order. `alarmed` maps a measure to the day whose evidence raised the alarm; it stays quiet until `restart`.
    `late` counts rows that came after their day was complete. `until` is the last moment handed over.
    """

    release: str
    horizon: float
    detectors: dict[str, EDetector]
    began_at_seen: dict[str, int]
    waiting: tuple[Day, ...] = ()
    days: tuple[Day, ...] = ()
    seen: int = 0
    alarmed: dict[str, str] = {}
    late: int = 0
    until: datetime | None = None


def start(
    product: Product, model: Model, *, release: str, horizon: timedelta = timedelta(days=1)
) -> WatchState:
    """The watch over a release that has not answered yet.

    `horizon` is how long after its decision's day a row may mature: `days.longest_wait` of the training examples says
    how long that takes.

    Raises:
        DataRefused: when the model promises no value or no loss.
    """
    limit = limits(product, model)
    return WatchState(
        release=release,
        horizon=horizon.total_seconds(),
        detectors={LOSS: edetector.start(limit.loss), VALUE: edetector.start(limit.value_null)},
        began_at_seen=dict.fromkeys(MEASURES, 0),
    )


def advance(
    state: WatchState,
    product: Product,
    model: Model,
    ledger_batch: pl.DataFrame,
    *,
    release: str,
    at: datetime,
) -> tuple[WatchState, list[Finding], list[Incident]]:
    """The watch after more first bookings, two findings for each day that became complete, and new incidents.

    `at` says that every row matured until then is in this batch or was in one before; bookings may come in any order
    and split in any way. Corrections of rows booked before (`value.ledger.resettle`) do not belong here. When
    `release` is another one than before, the watch starts anew, with `model` its model.
    """
    if state.release != release:
        state = start(product, model, release=release, horizon=timedelta(seconds=state.horizon))
    state = _taken_in(state, model, ledger_batch)
    complete = [day for day in state.waiting if _complete_at(state, day.block) <= at]
    waiting = tuple(day for day in state.waiting if _complete_at(state, day.block) > at)
    state = msgspec.structs.replace(state, waiting=waiting, until=max(at, state.until or at))
    findings: list[Finding] = []
    incidents: list[Incident] = []
    for day in complete:
        state, found, raised = _day_done(state, product, model, day, at)
        findings += found
        incidents += raised
    return state, findings, incidents


def restart(state: WatchState, measure: str) -> WatchState:
    """The watch with a fresh detector for a measure, for when its incident was closed."""
    return msgspec.structs.replace(
        state,
        detectors={**state.detectors, measure: edetector.restart(state.detectors[measure])},
        began_at_seen={**state.began_at_seen, measure: state.seen},
        alarmed={name: day for name, day in state.alarmed.items() if name != measure},
    )


def to_plain(state: WatchState) -> dict[str, Any]:
    """The state as numbers, strings, lists and dicts, as `facts.job.Progress.state` stores it."""
    plain: dict[str, Any] = msgspec.to_builtins(state)
    return plain


def from_plain(plain: dict[str, Any]) -> WatchState:
    """The state that `to_plain` wrote. Raises msgspec.ValidationError for anything else."""
    return msgspec.convert(plain, WatchState)


def alarm_threshold(product: Product) -> float:
    """The evidence at which each of the two detectors alarms, from the product's budget of false alarms."""
    return edetector.threshold_for(product.file.observe.false_alarms, _DAYS_PER_YEAR, len(MEASURES))


def _complete_at(state: WatchState, block: str) -> datetime:
    return day_end(block) + timedelta(seconds=state.horizon)


def _taken_in(state: WatchState, model: Model, batch: pl.DataFrame) -> WatchState:
    if batch.is_empty():
        return state
    rows = answered_rows(batch, state.release)
    complete_at = (
        pl.col("block").str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC")
        + timedelta(days=1)
        + timedelta(seconds=state.horizon)
    )
    in_time = pl.col("matured_at") < complete_at
    if state.until is not None:
        in_time &= complete_at > state.until
    kept = rows.filter(in_time)
    return msgspec.structs.replace(
        state,
        waiting=merged(state.waiting, days_of(kept, model)),
        late=state.late + rows.height - kept.height,
    )


def _day_done(
    state: WatchState, product: Product, model: Model, day: Day, at: datetime
) -> tuple[WatchState, list[Finding], list[Incident]]:
    limit = limits(product, model)
    observed = {LOSS: min(1.0, day.mean_loss), VALUE: limit.shortfall(day.mean_value)}
    quiet = {name for name in MEASURES if name in state.alarmed}
    detectors = {
        name: detector if name in quiet else edetector.update(detector, observed[name])
        for name, detector in state.detectors.items()
    }
    threshold = alarm_threshold(product)
    raised = [n for n in MEASURES if n not in quiet and edetector.alarm(detectors[n], threshold)]
    state = msgspec.structs.replace(
        state,
        detectors=detectors,
        days=(*state.days, day)[-_REMEMBERED:],
        seen=state.seen + 1,
        alarmed={**state.alarmed, **dict.fromkeys(raised, day.block)},
    )
    findings = [_finding(state, product, limit, name, name in raised, at) for name in MEASURES]
    incidents = [_incident(state, product, model, limit, name, at) for name in raised]
    return state, findings, incidents


def _finding(
    state: WatchState, product: Product, limit: Limits, measure: str, raised: bool, at: datetime
) -> Finding:
    """The mean over the newest four weeks, and the evidence so far that the limit is broken."""
    window = state.days[-_WINDOW:]
    mean = _mean(window, measure)
    return Finding(
        id=_finding_id(state, product, measure),
        product=product.name,
        at=at,
        window_from=day_start(window[0].block),
        window_to=day_end(window[-1].block),
        release=state.release,
        segment="all",
        measure=measure,
        value=mean.value,
        lower=mean.lower,
        upper=mean.upper,
        e_value=math.exp(min(700.0, edetector.log_evidence(state.detectors[measure]))),
        sample_size=sum(day.rows for day in window),
        verdict=_verdict(state, measure, raised),
        detail=_detail(state, product, limit, measure),
    )


def _verdict(state: WatchState, measure: str, raised: bool) -> Verdict:
    if raised:
        return Verdict.ALARM
    if measure in state.alarmed:
        return Verdict.SHOWN
    return Verdict.OK if state.seen >= FEWEST_DAYS else Verdict.NOT_ENOUGH_DATA


def _detail(state: WatchState, product: Product, limit: Limits, measure: str) -> str:
    said = {
        LOSS: f"mean Brier loss by day; at most {limit.loss:.4g} is tolerated",
        VALUE: f"{product.objective.section.unit} per decision by day; at least {limit.value:.4g} is tolerated",
    }[measure]
    said += f"; alarm at evidence {alarm_threshold(product):.4g}; {state.seen} days seen"
    if state.late:
        said += f"; {state.late} rows matured too late for their day and are left out"
    if measure in state.alarmed:
        said += f"; alarm raised by the day {state.alarmed[measure]}"
    return said


def _incident(
    state: WatchState, product: Product, model: Model, limit: Limits, measure: str, at: datetime
) -> Incident:
    since = _since(state, measure)
    cost = _shortfall_per_day(since, model)
    unit = product.objective.section.unit
    return Incident(
        id=f"{product.name}-{state.release}-{measure}-{state.days[-1].block}",
        product=product.name,
        release=state.release,
        measure=measure,
        cause=(
            f"{_excess(since, limit, unit, measure)}. {explain(since, model.promised_loss).sentence}. "
            f"{_cost_sentence(cost, unit)}"
        ),
        began_at=day_start(since[0].block),
        detected_at=at,
        finding=_finding_id(state, product, measure),
        cost_per_day=cost.value,
    )


def _cost_sentence(cost: Estimate, unit: str) -> str:
    days = f"{cost.n} day{'s' if cost.n != 1 else ''}"
    if cost.value is not None and cost.value <= 0.0:
        return (
            f"So far it costs nothing against the promised value: {written(cost)} {unit} per day, by {days}."
        )
    return f"Against the promised value it costs {written(cost)} {unit} per day, by {days}."


def _excess(since: Sequence[Day], limit: Limits, unit: str, measure: str) -> str:
    mean = written(_mean(since, measure))
    if measure == LOSS:
        return f"Brier loss {mean} since {since[0].block}, at most {limit.loss:.4g} tolerated"
    return f"Value {mean} {unit} per decision since {since[0].block}, at least {limit.value:.4g} tolerated"


def _since(state: WatchState, measure: str) -> tuple[Day, ...]:
    """The remembered days from where the excess most likely began."""
    began = edetector.began(state.detectors[measure])
    number = state.began_at_seen[measure] + (began or 0)
    return state.days[max(0, number - (state.seen - len(state.days))) :]


def _shortfall_per_day(days: Sequence[Day], model: Model) -> Estimate:
    promised = model.promise.value or 0.0
    return blocks.mean(np.array([promised * day.rows - day.value for day in days]))


def _mean(days: Sequence[Day], measure: str) -> Estimate:
    sums = [day.loss if measure == LOSS else day.value for day in days]
    return blocks.ratio(np.array(sums), np.array([float(day.rows) for day in days]))


def _finding_id(state: WatchState, product: Product, measure: str) -> str:
    return f"{product.name}-{state.release}-{measure}-{state.days[-1].block}"
