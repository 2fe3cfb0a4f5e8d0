"""The rules of the loop: a situation in, the steps that follow from it out. Pure functions.

A challenger is judged on the value of matured decisions, compared row by row with the live release. It is
rolled back as soon as the always-valid interval lies below zero, moves on when enough outcomes matured
without harm, and is promoted after its last canary share if it has not earned less than the live release.
"""

from seatrial.decide.situation import Situation, Trial
from seatrial.facts.finding import Incident
from seatrial.facts.release import Phase
from seatrial.facts.step import Step, StepKind

# A trial that has not shown itself at least as good after this many days of outcomes is given up: it costs
# attention and blocks the next retraining.
PATIENCE_DAYS = 14
# The interval is asymptotic in days: before a week of them it may be far too narrow.
FEWEST_DAYS = 7


def next_steps(situation: Situation) -> list[Step]:
    """The steps that follow from the situation, the most urgent first; empty when there is nothing to do."""
    if situation.live is None:
        return []
    if situation.trial is not None:
        return [_judge(situation, situation.trial)]
    if situation.retraining:
        return []
    retrain = _retrain(situation)
    return [retrain] if retrain is not None else []


def _judge(situation: Situation, trial: Trial) -> Step:
    difference = trial.difference
    if trial.days >= FEWEST_DAYS and difference.upper is not None and difference.upper < 0:
        return _step(StepKind.ROLL_BACK, trial, "it earns less than the live release, beyond doubt")
    if trial.rows_in_step < situation.policy.shadow_outcomes or difference.value is None:
        return _step(StepKind.HOLD, trial, f"waiting for {situation.policy.shadow_outcomes} matured outcomes")
    if difference.value < 0:
        if trial.days >= PATIENCE_DAYS:
            return _step(
                StepKind.ROLL_BACK, trial, f"not better than the live release after {trial.days} days"
            )
        return _step(StepKind.HOLD, trial, "it has earned less than the live release so far")
    return _forward(situation, trial)


def _forward(situation: Situation, trial: Trial) -> Step:
    following = next_share(situation.policy.canary, trial.release.phase, trial.release.share)
    if following is not None:
        return _step(StepKind.PROMOTE, trial, f"no harm seen; canary at {following:.0%}", share=following)
    if situation.policy.approve_live and trial.release.id not in situation.approved:
        return _step(StepKind.ASK, trial, "it has earned its promotion; the product file asks for approval")
    return _step(StepKind.PROMOTE, trial, "it has earned at least as much as the live release", share=1.0)


def next_share(canary: tuple[float, ...], phase: Phase, share: float) -> float | None:
    """The canary share that follows, or None when the next phase is live."""
    if phase is Phase.SHADOW:
        return canary[0] if canary else None
    return next((step for step in canary if step > share), None)


def _step(kind: StepKind, trial: Trial, why: str, **numbers: float) -> Step:
    evidence: dict[str, float | int | str | None] = {
        "difference_per_row": trial.difference.value,
        "lower": trial.difference.lower,
        "upper": trial.difference.upper,
        "rows": trial.rows,
        "days": trial.days,
        **numbers,
    }
    return Step(kind=kind, release=trial.release.id, why=why, numbers=evidence)


def _retrain(situation: Situation) -> Step | None:
    policy = situation.policy
    if situation.last_retrain_at is not None:
        since = (situation.now - situation.last_retrain_at).total_seconds()
        if since < policy.at_most:
            return None
    # A data fault is mended at its source; a model trained on it would learn the fault.
    # What costs nothing, such as a hard season that is still worth its while, is no reason either.
    harmful = [one for one in situation.incidents if one.kind == "harm" and _costs(one)]
    if "harm" in policy.retrain_on and harmful:
        first = harmful[0]
        return Step(
            kind=StepKind.RETRAIN,
            release=first.release,
            why=f"harm: {first.measure} since {first.began_at:%Y-%m-%d}",
            numbers={"incident": first.id, "cost_per_day": first.cost_per_day},
        )
    return _retrain_for_age(situation)


def _costs(incident: Incident) -> bool:
    return incident.closed_at is None and (incident.cost_per_day is None or incident.cost_per_day > 0)


def _retrain_for_age(situation: Situation) -> Step | None:
    policy = situation.policy
    if "age" not in policy.retrain_on or situation.live_trained_to is None:
        return None
    # A refused retraining must not be repeated every day: the next one waits a whole age again.
    newest = max(filter(None, (situation.live_trained_to, situation.last_retrain_at)))
    age = (situation.now - newest).total_seconds()
    if age < policy.max_age:
        return None
    return Step(
        kind=StepKind.RETRAIN,
        release=situation.live.id if situation.live else None,
        why=f"age: the newest training is {age / 86400:.0f} days old",
        numbers={"age_days": age / 86400},
    )
