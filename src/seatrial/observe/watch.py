"""The watch over a live release: does it do worse than its model promised, beyond what the product tolerates?

Two one-sided e-detectors, one on Brier loss and one on the shortfall of value, each fed with one number per day
(`measures.edetector`): days share shocks, so rows would not do. An improvement never alarms.

The budget: `false_alarms` per year is what all of it may cost together. A detector that alarms at evidence c raises
at most T / c false alarms within T days in expectation; two detectors share the budget, so c = 2 * 365 / budget, and
1 per year gives c = 730.

A day is due when everything that was decided on it has had `horizon` to mature after the day ended, and the caller has
handed over all rows that matured until then. What matures later is counted as late and left out. A due day enters as
soon as `COVERED` of its answers have their value, or after `GRACE` with what it has: outcomes are often posted later
than they mature. If fewer than `ENOUGH` have it even then, the day says that there is not enough data and moves no
detector, for missing outcomes are no evidence. These rules know which outcomes came but not what they say, so they
select none. Days enter in the order in which they close, those that close together in the order of days.

Closing goes by the moments at which rows were booked, not by when somebody looked: a worker that catches up with many
bookings closes the same days with the same rows as one that saw each of them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import numpy as np
import polars as pl

from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Incident, Verdict
from seatrial.facts.model import Model
from seatrial.measures import blocks, edetector
from seatrial.measures.edetector import EDetector
from seatrial.measures.intervals import unknown
from seatrial.observe.days import Day, answered_rows, day_end, day_start, days_of, merged
from seatrial.observe.gap import explain, written
from seatrial.observe.promise import Limits, limits
from seatrial.product.product import Product

LOSS = "loss"
VALUE = "value"
MEASURES = (LOSS, VALUE)
FEWEST_DAYS = 7
# So few answers without an outcome move the mean of a day by less than days differ.
COVERED = 0.95
# A week has every rhythm in which people post outcomes.
GRACE = timedelta(days=7)
# Below this the answers without an outcome could say the opposite of the others.
ENOUGH = 0.5
_DAYS_PER_YEAR = 365.0
_WINDOW = 28
# Longer than any alarm takes that is worth having; bounds the size of the state.
_REMEMBERED = 400


class WatchState(msgspec.Struct, frozen=True, kw_only=True):
    """All that the watch remembers of one release.

    `waiting` are sums of days that have not closed; `days` the newest that entered, of `seen` altogether, as they
    closed. `alarmed` maps a measure to the day whose evidence raised the alarm; it stays quiet until `restart`.
    `late` counts rows whose value came after their day had closed, `uncovered` days that closed with too few outcomes.
    `until` is the last moment handed over.
    """

    release: str
    horizon: float
    detectors: dict[str, EDetector]
    waiting: tuple[Day, ...] = ()
    days: tuple[Day, ...] = ()
    seen: int = 0
    alarmed: dict[str, str] = {}
    late: int = 0
    uncovered: int = 0
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
    """The watch after more bookings, two findings for each day that closed, and new incidents.

    `at` says that every row matured until then is in this batch or was in one before, and every outcome booked until
    then; rows may come in any order and split in any way. First bookings and `awaited` values count; corrections of
    known values (`value.ledger.resettle`) do not belong here. When `release` is another one than before, the watch
    starts anew, with `model` its model.
    """
    if state.release != release:
        state = start(product, model, release=release, horizon=timedelta(seconds=state.horizon))
    findings: list[Finding] = []
    incidents: list[Incident] = []
    for closing in _closings(state, model, ledger_batch, at):
        state = closing(state)
        state, complete = _closed(state)
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


def _due_at(state: WatchState, block: str) -> datetime:
    return day_end(block) + timedelta(seconds=state.horizon)


def _closings(
    state: WatchState, model: Model, batch: pl.DataFrame, at: datetime
) -> Iterator[Callable[[WatchState], WatchState]]:
    """Steps up to `at`: before each moment of booking, with its rows, and `at` itself; days may close after each."""
    rows = answered_rows(batch, state.release) if not batch.is_empty() else batch
    if rows.is_empty():
        yield partial(_moved_to, at=at)
        return
    if not _missing(state, rows):
        # Days then close by the clock alone, and each at the same moment with the same rows.
        yield partial(_booked_at, model=model, part=rows, moment=at)
        return
    booked = rows.with_columns(pl.min_horizontal("settled_at", pl.lit(at)).alias("settled_at"))
    for part in booked.sort("settled_at").partition_by("settled_at", maintain_order=True):
        moment: datetime = part["settled_at"][0]
        yield partial(_moved_to, at=_just_before(part, moment))
        yield partial(_booked_at, model=model, part=part, moment=moment)
    yield partial(_moved_to, at=at)


def _missing(state: WatchState, rows: pl.DataFrame) -> bool:
    awaits = rows.select((pl.col("value").is_null() | pl.col("awaited")).any()).item()
    return bool(awaits) or any(day.missing for day in state.waiting)


def _just_before(part: pl.DataFrame, moment: datetime) -> datetime:
    """The last moment at which none of these rows would have been booked: the first of them had not matured."""
    matured = part.filter(~pl.col("awaited")).select(pl.col("matured_at").min()).item()
    return min(moment, matured or moment) - timedelta(microseconds=1)


def _booked_at(state: WatchState, *, model: Model, part: pl.DataFrame, moment: datetime) -> WatchState:
    return _moved_to(_taken_in(state, model, part), at=moment)


def _moved_to(state: WatchState, *, at: datetime) -> WatchState:
    return msgspec.structs.replace(state, until=max(at, state.until or at))


def _closed(state: WatchState) -> tuple[WatchState, list[Day]]:
    """The state without the days that close by `until`, and those days."""
    complete = [day for day in state.waiting if _complete(state, day)]
    waiting = tuple(day for day in state.waiting if not _complete(state, day))
    return msgspec.structs.replace(state, waiting=waiting), complete


def _complete(state: WatchState, day: Day) -> bool:
    due = _due_at(state, day.block)
    if state.until is None or state.until < due:
        return False
    return day.coverage >= COVERED or state.until >= due + GRACE


def _taken_in(state: WatchState, model: Model, rows: pl.DataFrame) -> WatchState:
    due_at = (
        pl.col("block").str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC")
        + timedelta(days=1)
        + timedelta(seconds=state.horizon)
    )
    is_open = pl.col("block").is_in([day.block for day in state.waiting])
    if state.until is not None:
        is_open |= due_at > state.until
    else:
        is_open = pl.lit(True)
    in_time = (pl.col("matured_at") < due_at) & is_open
    late = rows.filter(~in_time, pl.col("value").is_not_null())
    return msgspec.structs.replace(
        state,
        waiting=merged(state.waiting, days_of(rows.filter(in_time), model)),
        late=state.late + late.height,
    )


def _day_done(
    state: WatchState, product: Product, model: Model, day: Day, at: datetime
) -> tuple[WatchState, list[Finding], list[Incident]]:
    if day.coverage < ENOUGH:
        state = msgspec.structs.replace(state, uncovered=state.uncovered + 1)
        return state, [_uncovered(state, product, name, day, at) for name in MEASURES], []
    limit = limits(product, model)
    fed = {name: x for name, x in _observed(day, limit).items() if name not in state.alarmed}
    detectors = {
        name: edetector.update(detector, fed[name]) if name in fed else detector
        for name, detector in state.detectors.items()
    }
    threshold = alarm_threshold(product)
    raised = [name for name in fed if edetector.alarm(detectors[name], threshold)]
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


def _observed(day: Day, limit: Limits) -> dict[str, float]:
    """What each detector learns from a day, on the unit scale; nothing on loss when no row was scored."""
    observed = {}
    if day.mean_loss is not None:
        observed[LOSS] = min(1.0, day.mean_loss)
    if day.mean_value is not None:
        observed[VALUE] = limit.shortfall(day.mean_value)
    return observed


def _uncovered(state: WatchState, product: Product, measure: str, day: Day, at: datetime) -> Finding:
    """That a day had too few outcomes to say anything."""
    return Finding(
        id=f"{product.name}-{state.release}-{measure}-{day.block}",
        product=product.name,
        at=at,
        window_from=day_start(day.block),
        window_to=day_end(day.block),
        release=state.release,
        segment="all",
        measure=measure,
        value=None,
        e_value=_evidence(state, measure),
        sample_size=day.rows,
        verdict=Verdict.NOT_ENOUGH_DATA,
        detail=(
            f"{day.rows} of {day.rows + max(0, day.missing)} answers of {day.block} have an outcome "
            f"{GRACE.days} days after all had matured; at least {ENOUGH:.0%} are needed, so the day does not count; "
            f"{state.uncovered} such days"
        ),
    )


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
        window_from=day_start(min(day.block for day in window)),
        window_to=day_end(max(day.block for day in window)),
        release=state.release,
        segment="all",
        measure=measure,
        value=mean.value,
        lower=mean.lower,
        upper=mean.upper,
        e_value=_evidence(state, measure),
        sample_size=sum(_rows(day, measure) for day in window),
        verdict=_verdict(state, measure, raised),
        detail=_detail(state, product, limit, measure),
    )


def _evidence(state: WatchState, measure: str) -> float:
    return math.exp(min(700.0, edetector.log_evidence(state.detectors[measure])))


def _verdict(state: WatchState, measure: str, raised: bool) -> Verdict:
    if raised:
        return Verdict.ALARM
    if measure in state.alarmed:
        return Verdict.SHOWN
    days = sum(1 for day in state.days if _rows(day, measure))
    return Verdict.OK if days >= FEWEST_DAYS else Verdict.NOT_ENOUGH_DATA


def _detail(state: WatchState, product: Product, limit: Limits, measure: str) -> str:
    said = {
        LOSS: f"mean Brier loss by day; at most {limit.loss:.4g} is tolerated",
        VALUE: f"{product.objective.section.unit} per decision by day; at least {limit.value:.4g} is tolerated",
    }[measure]
    said += f"; alarm at evidence {alarm_threshold(product):.4g}; {state.seen} days seen"
    if state.late:
        said += f"; {state.late} rows matured too late for their day, or their outcome came after it closed"
    if state.uncovered:
        said += f"; {state.uncovered} days left out for want of outcomes"
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
    """The remembered days from where the excess most likely began, in the order of days."""
    detector = state.detectors[measure]
    fed = [day for day in state.days if _rows(day, measure)]
    # Counted from the end: the detector may have begun after the first day that is remembered.
    number = detector.seen - (edetector.began(detector) or 0)
    return tuple(sorted(fed[max(0, len(fed) - number) :], key=lambda day: day.block))


def _shortfall_per_day(days: Sequence[Day], model: Model) -> Estimate:
    promised = model.promise.value or 0.0
    return blocks.mean(np.array([promised * day.rows - day.value for day in days]))


def _mean(days: Sequence[Day], measure: str) -> Estimate:
    fed = [day for day in days if _rows(day, measure)]
    if not fed:
        return unknown(method="ratio by blocks, Student's t")
    sums = [day.loss if measure == LOSS else day.value for day in fed]
    return blocks.ratio(np.array(sums), np.array([float(_rows(day, measure)) for day in fed]))


def _rows(day: Day, measure: str) -> int:
    """The rows that say something on this measure."""
    return day.loss_rows if measure == LOSS else day.rows


def _finding_id(state: WatchState, product: Product, measure: str) -> str:
    return f"{product.name}-{state.release}-{measure}-{state.days[-1].block}"
