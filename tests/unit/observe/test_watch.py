from datetime import timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from seatrial.errors import DataRefused
from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Incident, Verdict
from seatrial.facts.model import Model
from seatrial.measures import blocks
from seatrial.observe.days import longest_wait
from seatrial.observe.watch import LOSS, VALUE, WatchState, advance, from_plain, restart, start, to_plain
from tests.ledger_streams import FIRST, in_two_bookings, ledger_days, model, product

PRODUCT = product()
SHIFT = timedelta(days=60)
END = FIRST + timedelta(days=400)


def promised(rng: np.random.Generator) -> Model:
    """A model that promises what 60 healthy days hold."""
    rows = ledger_days(rng, days=60)
    days = rows["block"].to_numpy()
    return msgspec.structs.replace(
        model(loss=0.0, value=0.0),
        promise=blocks.mean(rows["value"].to_numpy(), days),
        promised_loss=blocks.mean(rows["loss"].to_numpy(), days),
    )


def watched(then: dict[str, float], seed: int = 0, days: int = 120) -> tuple[list[Finding], list[Incident]]:
    rng = np.random.default_rng(seed)
    kept = promised(rng)
    rows = pl.concat(
        [ledger_days(rng, days=60), ledger_days(rng, days=days, first=FIRST + SHIFT, **then)]  # type: ignore[arg-type]
    )
    state = start(PRODUCT, kept, release="r0001")
    _, findings, incidents = advance(state, PRODUCT, kept, rows, release="r0001", at=END)
    return findings, incidents


@pytest.mark.parametrize("seed", range(5))
def test_a_release_that_keeps_its_promise_raises_no_alarm(seed: int) -> None:
    findings, incidents = watched({}, seed, days=300)
    assert incidents == []
    assert {finding.verdict for finding in findings} == {Verdict.OK, Verdict.NOT_ENOUGH_DATA}


@pytest.mark.parametrize("seed", range(5))
def test_an_improvement_raises_no_alarm(seed: int) -> None:
    assert watched({"chance": 0.6}, seed)[1] == []


@pytest.mark.parametrize("seed", range(3))
def test_outcomes_that_leave_the_scores_alarm_on_loss_as_concept_drift(seed: int) -> None:
    _, incidents = watched({"flip": 0.25}, seed)
    (incident,) = [one for one in incidents if one.measure == LOSS]
    assert "concept drift" in incident.cause
    assert abs(incident.began_at - (FIRST + SHIFT)) < timedelta(days=21)
    assert incident.detected_at == END


@pytest.mark.parametrize("seed", range(3))
def test_a_poor_time_alarms_on_value_with_its_cost(seed: int) -> None:
    findings, incidents = watched({"chance": 0.12}, seed)
    (incident,) = incidents
    assert incident.measure == VALUE
    assert "covariate shift" in incident.cause
    assert incident.cost_per_day is not None
    assert incident.cost_per_day > 10
    assert "EUR per day" in incident.cause
    (alarm,) = [finding for finding in findings if finding.verdict is Verdict.ALARM]
    assert incident.finding == alarm.id
    assert alarm.e_value is not None
    assert alarm.e_value >= 730


def test_tolerated_harm_raises_no_alarm() -> None:
    tolerant = product(tolerance=10_000)
    rng = np.random.default_rng(0)
    kept = promised(rng)
    rows = ledger_days(rng, days=120, chance=0.12)
    _, _, incidents = advance(
        start(tolerant, kept, release="r0001"), tolerant, kept, rows, release="r0001", at=END
    )
    assert incidents == []


def test_after_an_alarm_the_measure_stays_quiet_until_it_is_restarted() -> None:
    rng = np.random.default_rng(0)
    kept = promised(rng)
    state = start(PRODUCT, kept, release="r0001")
    poor = ledger_days(rng, days=120, chance=0.12)
    state, findings, _ = advance(state, PRODUCT, kept, poor, release="r0001", at=FIRST + timedelta(days=150))
    of_value = [finding.verdict for finding in findings if finding.measure == VALUE]
    assert of_value.count(Verdict.ALARM) == 1
    assert of_value[-1] is Verdict.SHOWN
    more = ledger_days(rng, days=60, chance=0.12, first=FIRST + timedelta(days=150))
    _, _, still = advance(state, PRODUCT, kept, more, release="r0001", at=END)
    _, _, again = advance(restart(state, VALUE), PRODUCT, kept, more, release="r0001", at=END)
    assert still == []
    assert [one.began_at >= FIRST + timedelta(days=150) for one in again] == [True]


def test_another_release_is_watched_anew() -> None:
    rng = np.random.default_rng(0)
    kept = promised(rng)
    poor = ledger_days(rng, days=120, chance=0.12)
    state, _, first = advance(
        start(PRODUCT, kept, release="r0001"), PRODUCT, kept, poor, release="r0001", at=FIRST + 3 * SHIFT
    )
    state, findings, none = advance(state, PRODUCT, kept, poor, release="r0002", at=END)
    assert (len(first), none, findings) == (1, [], [])
    assert (state.release, state.seen, state.alarmed) == ("r0002", 0, {})


def test_a_day_waits_until_all_of_it_can_have_matured() -> None:
    kept = promised(np.random.default_rng(0))
    rows = ledger_days(np.random.default_rng(1), days=1)
    state = start(PRODUCT, kept, release="r0001", horizon=timedelta(hours=12))
    state, early, _ = advance(
        state, PRODUCT, kept, rows.head(50), release="r0001", at=FIRST + timedelta(hours=35)
    )
    assert early == []
    state, done, _ = advance(
        state, PRODUCT, kept, rows.tail(50), release="r0001", at=FIRST + timedelta(hours=36)
    )
    assert {finding.sample_size for finding in done} == {100}
    state, more, _ = advance(state, PRODUCT, kept, rows, release="r0001", at=END)
    assert (more, state.late) == ([], 100)


def test_what_matures_later_than_the_horizon_is_left_out_and_counted() -> None:
    kept = promised(np.random.default_rng(0))
    rows = ledger_days(np.random.default_rng(1), days=1)
    slow = rows.with_columns(
        pl.when(pl.int_range(pl.len()) < 30)
        .then(pl.col("matured_at") + timedelta(days=9))
        .otherwise("matured_at")
        .alias("matured_at")
    )
    state, findings, _ = advance(
        start(PRODUCT, kept, release="r0001"), PRODUCT, kept, slow, release="r0001", at=END
    )
    assert state.late == 30
    assert "30 rows matured too late" in findings[0].detail
    assert longest_wait(slow) == timedelta(days=9, hours=6)


def renamed(prefix: str) -> pl.Expr:
    return pl.concat_str(pl.lit(prefix), pl.col("prediction_id")).alias("prediction_id")


def test_shadows_and_corrections_do_not_count_and_rows_without_score_count_for_value_alone() -> None:
    kept = promised(np.random.default_rng(0))
    rows = ledger_days(np.random.default_rng(1), days=1)
    shadow = rows.with_columns(pl.lit("shadow").alias("assigned"), renamed("other"))
    fallback = rows.with_columns(
        pl.lit(None, dtype=pl.Float64).alias("loss"), pl.lit(-3.0).alias("value"), renamed("none")
    )
    corrected = rows.with_columns(
        pl.col("settled_at") + timedelta(days=1), (1.0 - pl.col("loss")).alias("loss")
    )
    batch = pl.concat([rows, shadow, fallback, corrected])
    _, findings, _ = advance(
        start(PRODUCT, kept, release="r0001"), PRODUCT, kept, batch, release="r0001", at=END
    )
    assert [finding.sample_size for finding in findings] == [100, 200]
    assert findings[0].value == pytest.approx(rows["loss"].mean())
    assert findings[1].value == pytest.approx((rows["value"].sum() - 300) / 200)


def test_the_state_survives_as_plain_json() -> None:
    rng = np.random.default_rng(0)
    kept = promised(rng)
    state, _, _ = advance(
        start(PRODUCT, kept, release="r0001"),
        PRODUCT,
        kept,
        ledger_days(rng, days=30, chance=0.12),
        release="r0001",
        at=FIRST + timedelta(days=20),
    )
    stored = msgspec.json.decode(msgspec.json.encode(to_plain(state)))
    assert from_plain(stored) == state


def test_a_model_without_a_promise_cannot_be_watched() -> None:
    empty = msgspec.structs.replace(model(loss=0.1, value=1.0), promise=Estimate(value=None))
    with pytest.raises(DataRefused, match="promises no value"):
        start(PRODUCT, empty, release="r0001")


def test_poor_fallback_answers_alarm_on_value_and_say_nothing_on_loss() -> None:
    rng = np.random.default_rng(0)
    kept = promised(rng)
    unscored = pl.lit(None, dtype=pl.Float64)
    rows = ledger_days(rng, days=40).with_columns(
        unscored.alias("score"), unscored.alias("loss"), pl.lit(-1.0).alias("value")
    )
    _, findings, incidents = advance(
        start(PRODUCT, kept, release="r0001"), PRODUCT, kept, rows, release="r0001", at=END
    )
    assert [one.measure for one in incidents] == [VALUE]
    of_loss = [finding for finding in findings if finding.measure == LOSS]
    assert {(finding.verdict, finding.sample_size, finding.value) for finding in of_loss} == {
        (Verdict.NOT_ENOUGH_DATA, 0, None)
    }


def late_watched(
    posted_at: pl.Expr, *, days: int = 60, chance: float = 0.12, until: int = 100
) -> tuple[WatchState, list[Finding], list[Incident]]:
    """A poor time, watched every six hours, with outcomes that come after their rows were booked without."""
    rng = np.random.default_rng(0)
    kept = promised(rng)
    stream = in_two_bookings(ledger_days(rng, days=days, rows=60, chance=chance), posted_at)
    state = start(PRODUCT, kept, release="r0001")
    findings: list[Finding] = []
    incidents: list[Incident] = []
    for number in range(4 * until):
        moment = FIRST + number * timedelta(hours=6)
        batch = stream.filter(pl.col("settled_at") == moment)
        state, found, raised = advance(state, PRODUCT, kept, batch, release="r0001", at=moment)
        findings, incidents = findings + found, incidents + raised
    return state, findings, incidents


MADE_ON = pl.col("made_at").dt.truncate("1d")


def test_outcomes_that_are_posted_long_after_maturity_raise_the_alarm() -> None:
    state, findings, incidents = late_watched(MADE_ON + timedelta(days=4, hours=6))
    assert VALUE in {one.measure for one in incidents}
    assert (state.seen, state.late, state.uncovered, state.waiting) == (60, 0, 0, ())
    assert findings[0].at == FIRST + timedelta(days=4, hours=6)
    assert {finding.sample_size for finding in findings[:2]} == {60}


def test_a_day_without_outcomes_is_no_evidence() -> None:
    state, findings, incidents = late_watched(pl.lit(None), days=5)
    assert incidents == []
    assert {(one.verdict, one.value, one.sample_size) for one in findings} == {
        (Verdict.NOT_ENOUGH_DATA, None, 0)
    }
    assert len({one.id for one in findings}) == len(findings) == 10
    assert (state.uncovered, state.seen, state.days, state.waiting) == (5, 0, (), ())
    assert {detector.seen for detector in state.detectors.values()} == {0}
    assert findings[0].at == FIRST + timedelta(days=9)
    assert "0 of 60 answers of 2024-03-01 have an outcome" in findings[0].detail


@pytest.mark.parametrize(("share", "counts"), [(0.4, False), (0.6, True), (0.97, True)])
def test_after_the_grace_a_day_counts_if_most_of_its_outcomes_came(share: float, counts: bool) -> None:
    came = pl.int_range(pl.len()).over("block") < share * 60
    posted = pl.when(came).then(MADE_ON + timedelta(days=3))
    state, findings, _ = late_watched(posted, days=1, until=30)
    assert (state.seen, state.uncovered) == (int(counts), int(not counts))
    closed = 3 if share > 0.95 else 9
    assert findings[0].at == FIRST + timedelta(days=closed)


def test_an_outcome_that_comes_after_its_day_closed_is_left_out_and_counted() -> None:
    posted = (
        pl.when(pl.int_range(pl.len()) < 20)
        .then(MADE_ON + timedelta(days=20))
        .otherwise(MADE_ON + timedelta(days=3))
    )
    state, findings, _ = late_watched(posted, days=1, until=30)
    assert (state.seen, state.late) == (1, 20)
    assert findings[0].sample_size == 40


def test_a_day_that_waits_for_outcomes_holds_up_no_other() -> None:
    posted = (
        pl.when(MADE_ON == FIRST).then(MADE_ON + timedelta(days=6)).otherwise(MADE_ON + timedelta(days=3))
    )
    state, findings, _ = late_watched(posted, days=4, until=30)
    assert [day.block for day in state.days] == ["2024-03-02", "2024-03-03", "2024-03-01", "2024-03-04"]
    assert findings[-1].window_from == FIRST
    assert findings[-1].window_to == FIRST + timedelta(days=4)
