"""Laws of what follows from a situation."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from seatrial.decide.policy import FEWEST_DAYS, next_steps
from seatrial.decide.situation import Situation
from seatrial.facts.release import Phase
from seatrial.facts.step import StepKind
from tests.situations import LIVE, NOW, incident, policy, situation, trial

days_ago = st.integers(0, 400).map(lambda days: NOW - timedelta(days=days))
policies = st.builds(
    policy,
    shadow_outcomes=st.integers(0, 1000),
    canary=st.sampled_from([(), (0.05,), (0.1, 0.5), (0.05, 0.25, 0.5)]),
    approve_live=st.booleans(),
    retrain_on=st.sets(st.sampled_from(["harm", "age"])).map(frozenset),
)
trials = st.builds(
    trial,
    st.none() | st.floats(-5, 5),
    st.none() | st.floats(0, 5),
    phase=st.sampled_from([Phase.SHADOW, Phase.CANARY]),
    share=st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5]),
    days=st.integers(0, 30),
    rows_in_step=st.integers(0, 2000),
)
incidents = st.builds(
    incident,
    kind=st.sampled_from(["harm", "fault"]),
    cost=st.none() | st.floats(-10, 10),
    closed_at=st.none() | days_ago,
)
situations = st.builds(
    situation,
    policy=policies,
    live=st.sampled_from([None, LIVE]),
    live_trained_to=st.none() | days_ago,
    trial=st.none() | trials,
    incidents=st.lists(incidents, max_size=3).map(tuple),
    last_retrain_at=st.none() | days_ago,
    retraining=st.booleans(),
    approved=st.sets(st.sampled_from(["r0001", "r0002"])).map(frozenset),
)


@given(situations)
def test_the_same_situation_has_the_same_steps(given_: Situation) -> None:
    assert next_steps(given_) == next_steps(given_)


@given(situations)
def test_a_release_is_never_moved_on_and_taken_back_at_once(given_: Situation) -> None:
    kinds = {step.kind for step in next_steps(given_)}
    assert not {StepKind.PROMOTE, StepKind.ROLL_BACK} <= kinds


@given(situations)
def test_what_surely_earns_less_goes_after_a_week_whatever_else_holds(given_: Situation) -> None:
    tried = given_.trial
    if tried is None or given_.live is None or tried.days < FEWEST_DAYS:
        return
    if tried.difference.upper is not None and tried.difference.upper < 0:
        assert [step.kind for step in next_steps(given_)] == [StepKind.ROLL_BACK]


@given(situations)
def test_only_the_challenger_is_promoted_and_its_share_only_grows(given_: Situation) -> None:
    for step in next_steps(given_):
        if step.kind is StepKind.PROMOTE:
            assert given_.trial is not None
            assert step.release == given_.trial.release.id
            share = step.numbers["share"]
            assert isinstance(share, float)
            assert share > given_.trial.release.share or given_.trial.release.phase is Phase.SHADOW
            assert (given_.trial.difference.value or 0.0) >= 0.0


@given(situations)
def test_a_retraining_never_starts_beside_a_trial_or_another_retraining(given_: Situation) -> None:
    if StepKind.RETRAIN in {step.kind for step in next_steps(given_)}:
        assert given_.trial is None
        assert not given_.retraining
        assert given_.live is not None
        if given_.last_retrain_at is not None:
            waited = (given_.now - given_.last_retrain_at).total_seconds()
            assert waited >= given_.policy.at_most
