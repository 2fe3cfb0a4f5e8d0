"""What follows from a situation, rule by rule."""

from typing import Any

import pytest

from seatrial.decide.policy import FEWEST_DAYS, FEWEST_ROWS, LONGEST_DAYS, TRIAL_DAYS, next_share, next_steps
from seatrial.decide.situation import Situation
from seatrial.facts.release import Phase
from seatrial.facts.step import Step, StepKind
from tests.situations import DAY, NOW, incident, policy, situation, trial


def only(given: Situation) -> Step:
    [step] = next_steps(given)
    return step


def judged(**changes: Any) -> Step:
    return only(situation(trial=trial(**changes)))


def test_a_healthy_product_needs_nothing() -> None:
    assert next_steps(situation()) == []


def test_without_a_live_release_nothing_is_decided() -> None:
    alarming = situation(live=None, trial=trial(), incidents=(incident(),), live_trained_to=NOW - 900 * DAY)
    assert next_steps(alarming) == []


@pytest.mark.parametrize(("phase", "share"), [(Phase.SHADOW, 0.0), (Phase.CANARY, 0.1), (Phase.CANARY, 0.5)])
def test_a_challenger_that_surely_earns_less_is_rolled_back(phase: Phase, share: float) -> None:
    step = judged(value=-3.0, half=1.0, phase=phase, share=share, days=FEWEST_DAYS)
    assert (step.kind, step.release) == (StepKind.ROLL_BACK, "r0002")
    assert step.numbers["upper"] == -2.0


def test_surely_less_needs_no_number_of_outcomes() -> None:
    assert judged(value=-3.0, half=1.0, rows_in_step=1).kind is StepKind.ROLL_BACK


def test_an_interval_of_less_than_a_week_is_not_believed() -> None:
    assert judged(value=-3.0, half=1.0, days=FEWEST_DAYS - 1).kind is StepKind.HOLD


def test_an_interval_that_reaches_zero_is_no_proof_of_harm() -> None:
    assert judged(value=-1.0, half=1.0, days=FEWEST_DAYS).kind is StepKind.HOLD


def test_too_few_outcomes_in_the_present_step_hold_it() -> None:
    step = judged(rows_in_step=499)
    assert step.kind is StepKind.HOLD
    assert "500" in step.why
    assert judged(rows_in_step=500).kind is StepKind.PROMOTE


def test_a_difference_that_is_unknown_holds_whatever_the_number_of_outcomes() -> None:
    assert judged(value=None, half=None).kind is StepKind.HOLD


def test_a_challenger_that_earned_less_goes_when_its_two_weeks_are_over() -> None:
    assert judged(value=-0.5, days=TRIAL_DAYS - 1).kind is StepKind.HOLD
    assert judged(value=-0.5, days=TRIAL_DAYS).kind is StepKind.ROLL_BACK
    assert judged(value=-0.5, days=TRIAL_DAYS, rows_in_step=10).kind is StepKind.ROLL_BACK


def test_a_lucky_challenger_is_not_live_before_its_two_weeks_are_over() -> None:
    last: dict[str, Any] = {"phase": Phase.CANARY, "share": 0.5}
    assert judged(value=0.5, days=TRIAL_DAYS - 1, **last).kind is StepKind.HOLD
    assert judged(value=0.5, half=None, days=1, **last).kind is StepKind.HOLD
    step = judged(value=0.5, days=TRIAL_DAYS, **last)
    assert (step.kind, step.numbers["share"]) == (StepKind.PROMOTE, 1.0)


def test_proof_that_it_earns_more_ends_the_trial_early_but_not_within_a_week() -> None:
    last: dict[str, Any] = {"phase": Phase.CANARY, "share": 0.5, "value": 3.0, "half": 1.0}
    assert judged(days=FEWEST_DAYS - 1, **last).kind is StepKind.HOLD
    assert judged(days=FEWEST_DAYS, **last).kind is StepKind.PROMOTE


def test_a_challenger_that_answers_by_its_fallback_goes_at_once() -> None:
    step = judged(value=3.0, scored_rows=FEWEST_ROWS, fallback_share=0.06, days=1)
    assert (step.kind, "fallback" in step.why) == (StepKind.ROLL_BACK, True)
    assert judged(scored_rows=FEWEST_ROWS - 1, fallback_share=1.0).kind is StepKind.PROMOTE
    assert judged(scored_rows=5000, fallback_share=0.05).kind is StepKind.PROMOTE


def test_a_challenger_that_cannot_be_judged_does_not_block_the_loop_for_ever() -> None:
    def stuck(days: int) -> Step:
        unknown = trial(value=None, half=None, days=0, rows_in_step=0)
        return only(situation(now=unknown.release.created_at + days * DAY, trial=unknown))

    assert stuck(LONGEST_DAYS - 1).kind is StepKind.HOLD
    assert stuck(LONGEST_DAYS).kind is StepKind.ROLL_BACK


@pytest.mark.parametrize(
    ("phase", "share", "following"),
    [(Phase.SHADOW, 0.0, 0.1), (Phase.CANARY, 0.1, 0.5), (Phase.CANARY, 0.5, 1.0)],
)
def test_the_way_to_live_takes_each_canary_share_in_order(
    phase: Phase, share: float, following: float
) -> None:
    step = judged(phase=phase, share=share, days=TRIAL_DAYS)
    assert (step.kind, step.numbers["share"]) == (StepKind.PROMOTE, following)


def test_a_tie_moves_on() -> None:
    assert judged(value=0.0).kind is StepKind.PROMOTE


def test_without_canary_shares_the_shadow_goes_live() -> None:
    step = only(situation(policy=policy(canary=()), trial=trial(days=TRIAL_DAYS)))
    assert (step.kind, step.numbers["share"]) == (StepKind.PROMOTE, 1.0)


def test_no_share_follows_the_last_one() -> None:
    assert next_share((0.1, 0.5), Phase.CANARY, 0.5) is None
    assert next_share((), Phase.SHADOW, 0.0) is None


def test_approval_is_asked_for_live_alone_and_honoured() -> None:
    asks = policy(approve_live=True)
    last = trial(phase=Phase.CANARY, share=0.5, days=TRIAL_DAYS)
    assert only(situation(policy=asks, trial=trial())).kind is StepKind.PROMOTE
    asked = only(situation(policy=asks, trial=last))
    assert (asked.kind, asked.release) == (StepKind.ASK, "r0002")
    other = situation(policy=asks, trial=last, approved=frozenset({"r0009"}))
    assert only(other).kind is StepKind.ASK
    given = situation(policy=asks, trial=last, approved=frozenset({"r0002"}))
    assert only(given).numbers["share"] == 1.0


def test_approval_does_not_save_a_harmful_challenger() -> None:
    harmful = trial(value=-3.0, half=1.0, phase=Phase.CANARY, share=0.5)
    given = situation(policy=policy(approve_live=True), trial=harmful, approved=frozenset({"r0002"}))
    assert only(given).kind is StepKind.ROLL_BACK


def test_while_a_challenger_is_on_trial_nothing_is_retrained() -> None:
    old = situation(trial=trial(), incidents=(incident(),), live_trained_to=NOW - 900 * DAY)
    assert only(old).kind is StepKind.PROMOTE


def test_while_a_retraining_runs_no_other_one_starts() -> None:
    assert next_steps(situation(retraining=True, incidents=(incident(),))) == []


def test_age_retrains() -> None:
    assert next_steps(situation(live_trained_to=NOW - 59 * DAY)) == []
    step = only(situation(live_trained_to=NOW - 60 * DAY))
    assert (step.kind, step.numbers["age_days"]) == (StepKind.RETRAIN, 60.0)


def test_age_is_no_reason_when_the_product_does_not_say_so() -> None:
    harm_only = policy(retrain_on=frozenset({"harm"}))
    assert next_steps(situation(policy=harm_only, live_trained_to=NOW - 900 * DAY)) == []


def test_age_counts_from_the_last_retraining_even_if_it_was_refused() -> None:
    old = NOW - 900 * DAY
    assert next_steps(situation(live_trained_to=old, last_retrain_at=NOW - 59 * DAY)) == []
    assert only(situation(live_trained_to=old, last_retrain_at=NOW - 60 * DAY)).kind is StepKind.RETRAIN


@pytest.mark.parametrize("cost", [100.0, None])
def test_harm_that_costs_or_may_cost_retrains(cost: float | None) -> None:
    step = only(situation(incidents=(incident(cost=cost),)))
    assert step.kind is StepKind.RETRAIN
    assert (step.numbers["incident"], step.numbers["cost_per_day"]) == ("i1", cost)


@pytest.mark.parametrize(
    "harmless",
    [incident(kind="fault"), incident(cost=0.0), incident(cost=-5.0), incident(closed_at=NOW)],
    ids=["data fault", "costs nothing", "earns", "closed"],
)
def test_what_a_retraining_would_not_mend_does_not_retrain(harmless: Any) -> None:
    assert next_steps(situation(incidents=(harmless,))) == []


def test_harm_is_no_reason_when_the_product_does_not_say_so() -> None:
    age_only = policy(retrain_on=frozenset({"age"}))
    assert next_steps(situation(policy=age_only, incidents=(incident(),))) == []


def test_retrainings_keep_their_distance() -> None:
    harmed = {"incidents": (incident(),), "live_trained_to": NOW - 900 * DAY}
    assert next_steps(situation(**harmed, last_retrain_at=NOW - 6 * DAY)) == []
    assert only(situation(**harmed, last_retrain_at=NOW - 7 * DAY)).kind is StepKind.RETRAIN
