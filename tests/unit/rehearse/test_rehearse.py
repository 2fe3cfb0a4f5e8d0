"""A rehearsal on sixty days of parcels: all policies on the same rows, nothing looks ahead."""

from datetime import datetime

import msgspec
import polars as pl
import pytest

from seatrial.cycle.tools import FixedHistory, Tools
from seatrial.errors import DataRefused, GateClosed
from seatrial.facts.rehearsal import LoopEvent, PolicyResult, RehearsalReport
from seatrial.rehearse.rehearse import rehearse
from seatrial.rehearse.replay import SHOWN, Scratch
from tests.fakes.training import START
from tests.parcels_loop import DAY, World, history_of

BEGAN, ENDED = START + 30 * DAY, START + 80 * DAY
CHANGED = START + 42 * DAY
MORE = """
release: {shadow: {outcomes: 20}, canary: [50%]}
retrain: {max_age: 5d, at_most: 1 per 4d}
"""


class Rehearsed:
    """One rehearsal and what was heard of it on the way."""

    def __init__(self, examples: pl.DataFrame | None = None, began: datetime = BEGAN) -> None:
        self.world = World(more=MORE, rows=1500, days=100)
        self.world.clock.advance_to(began)
        history = history_of(self.world.examples if examples is None else examples)
        tools = Tools(
            history=FixedHistory(history), framework=self.world.framework, runtime=self.world.tools.runtime
        )
        scratch = Scratch(
            workspace=self.world.workspace,
            clock=self.world.clock,
            journal=self.world.writer,
            tools=tools,
            history=history,
        )
        self.heard: list[LoopEvent] = []
        self.days: list[datetime] = []
        self.phases: list[str] = []
        self.report: RehearsalReport = rehearse(
            self.world.product,
            scratch,
            start=began,
            end=ENDED,
            on_event=self.heard.append,
            on_day=lambda day, rows: self.days.append(day),
            on_phase=self.phases.append,
        )

    def policy(self, name: str) -> PolicyResult:
        return next(line for line in self.report.policies if line.policy == name)

    def replayed(self) -> pl.DataFrame:
        sent = pl.col("sent_at")
        return self.world.examples.filter((sent >= BEGAN) & (sent < ENDED))


def turned(since: datetime) -> pl.DataFrame:
    """The same parcels, those sent since a moment with the opposite outcome."""
    examples = World(more=MORE, rows=1500, days=100).examples
    late = pl.when(pl.col("sent_at") >= since).then(~pl.col("late")).otherwise(pl.col("late"))
    return examples.with_columns(late.alias("late"))


@pytest.fixture(scope="module")
def rehearsed() -> Rehearsed:
    return Rehearsed()


def test_all_policies_are_compared_on_the_same_rows(rehearsed: Rehearsed) -> None:
    names = [line.policy for line in rehearsed.report.policies]
    assert names == ["no_model", "act_always", "baseline", "frozen", "monthly", "loop", "oracle"]
    rows = rehearsed.replayed().height
    assert rehearsed.report.rows == rehearsed.policy("act_always").acted == rows
    assert rehearsed.policy("no_model").acted == 0
    assert {tuple(line.by_month) for line in rehearsed.report.policies} == {("2025-01", "2025-02", "2025-03")}


def test_totals_are_the_sums_of_their_months(rehearsed: Rehearsed) -> None:
    for line in rehearsed.report.policies:
        assert line.value.value == pytest.approx(sum(line.by_month.values()))


def test_the_loops_value_is_what_its_ledger_booked(rehearsed: Rehearsed) -> None:
    ledger = rehearsed.world.ledger()
    answers = ledger.filter(pl.col("assigned") != "shadow")
    loop = rehearsed.policy("loop")
    assert loop.value.value == pytest.approx(answers["value"].sum())
    assert loop.acted == answers["decision"].sum()
    assert answers.height == rehearsed.report.rows
    assert rehearsed.report.value_per_row.value == pytest.approx(answers["value"].mean())


def test_simple_policies_are_worth_what_a_hand_would_sum(rehearsed: Rehearsed) -> None:
    rows = rehearsed.replayed()
    acting = pl.when(pl.col("late")).then((4 * pl.col("weight")).clip(-5, 20)).otherwise(-3.0).alias("value")
    values = rows.select(acting, "express")
    assert rehearsed.policy("no_model").value.value == 0.0
    assert rehearsed.policy("act_always").value.value == pytest.approx(values["value"].sum())
    assert rehearsed.policy("baseline").value.value == pytest.approx(
        values.filter(pl.col("express"))["value"].sum()
    )
    assert rehearsed.policy("oracle").value.value == pytest.approx(
        values.filter(pl.col("value") > 0)["value"].sum()
    )


def test_advantages_are_over_the_frozen_prototype(rehearsed: Rehearsed) -> None:
    frozen = rehearsed.policy("frozen").value.value or 0.0
    assert rehearsed.policy("frozen").advantage is None
    for line in rehearsed.report.policies:
        if line.advantage is not None:
            assert line.advantage.value == pytest.approx((line.value.value or 0.0) - frozen)
            assert (line.value.value or 0.0) <= (rehearsed.policy("oracle").value.value or 0.0)


def test_the_loop_lived_on_the_way_and_its_events_are_in_time_order(rehearsed: Rehearsed) -> None:
    events = rehearsed.report.events
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert rehearsed.heard == list(events)
    kinds = [event.kind for event in events]
    assert {"release live", "job started", "release shadow", "release canary", "release retired"} <= set(
        kinds
    )
    assert set(kinds) <= SHOWN
    assert rehearsed.policy("loop").retrainings == kinds.count("job started") >= 2
    assert rehearsed.policy("monthly").retrainings == 2
    assert BEGAN <= events[0].at <= events[-1].at <= ENDED


def test_every_day_passes_once_and_the_comparison_is_announced(rehearsed: Rehearsed) -> None:
    assert rehearsed.days == sorted(set(rehearsed.days))
    assert rehearsed.days[0] == BEGAN + DAY
    assert rehearsed.days[-1] >= ENDED
    assert len(rehearsed.phases) == 1


def test_every_answer_has_its_outcome(rehearsed: Rehearsed) -> None:
    counts = rehearsed.report.counts
    assert counts["rows"] == counts["outcomes"] == counts["joined"] == counts["settled"]
    assert (counts["without_outcome"], counts["duplicates"], counts["unknown"]) == (0, 0, 0)
    assert (counts["refused_rows"], counts["fallbacks"]) == (0, 0)


def plain(report: RehearsalReport) -> RehearsalReport:
    return msgspec.structs.replace(report, seconds=0.0)


def test_a_rehearsal_repeats_itself(rehearsed: Rehearsed) -> None:
    assert plain(Rehearsed().report) == plain(rehearsed.report)


def test_what_is_known_only_after_the_end_changes_nothing(rehearsed: Rehearsed) -> None:
    """Neither the outcomes of later decisions nor later rows themselves reach a model or a decision."""
    later = turned(ENDED)
    assert plain(Rehearsed(later).report) == plain(rehearsed.report)


def test_what_happens_later_changes_no_earlier_decision(rehearsed: Rehearsed) -> None:
    """Turn every outcome from a day on: until then the loop did the same, and it notices afterwards."""
    other = Rehearsed(turned(CHANGED))
    before = [event for event in rehearsed.report.events if event.at <= CHANGED]
    assert len(before) > 3
    assert [event for event in other.report.events if event.at <= CHANGED] == before
    early = pl.col("made_at") < CHANGED
    columns = ["prediction_id", "release", "assigned", "score", "decision", "value"]
    assert (
        other.world.ledger()
        .filter(early)
        .select(columns)
        .equals(rehearsed.world.ledger().filter(early).select(columns))
    )
    assert other.policy("loop").value != rehearsed.policy("loop").value


def test_dates_without_a_decision_are_refused() -> None:
    with pytest.raises(DataRefused, match="no example was decided"):
        Rehearsed(turned(ENDED).filter(pl.col("sent_at") < BEGAN - DAY))


def test_a_past_without_an_example_is_refused() -> None:
    with pytest.raises(DataRefused, match="no matured example"):
        Rehearsed(began=START)


def test_a_first_model_that_its_gates_refuse_is_not_rehearsed() -> None:
    random = World(more=MORE, rows=1500, days=100).examples.with_columns(
        (pl.col("parcel_id").hash(seed=1) % 2 == 0).alias("late"), pl.lit(0.1).alias("weight")
    )
    with pytest.raises(GateClosed):
        Rehearsed(random)
