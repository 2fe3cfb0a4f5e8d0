"""The rules of the loop: a situation in, the steps that follow from it out. Pure functions.

A challenger is judged on the value of matured decisions, compared row by row with the live release. Two things
end a trial early, at any look: an always-valid interval that lies below zero (rolled back) or above it
(promoted). Otherwise it ends on one day that was fixed beforehand, by the sign of what it earned more: looking
every day and stopping at the first good one would promote by luck. The canary's shares grow meanwhile; they
bound what a sick release can do, not what is known about its value.
"""

from seatrial.decide.situation import Situation, Trial
from seatrial.facts.finding import Incident
from seatrial.facts.release import Phase
from seatrial.facts.step import Step, StepKind

# Two weeks hold every weekday twice. The day on which a trial is decided by value.
TRIAL_DAYS = 14
# The interval is asymptotic in days: before a week of them it may be far too narrow.
FEWEST_DAYS = 7
# A trial that cannot be judged blocks the next retraining; in days of the calendar.
LONGEST_DAYS = 60
# A challenger that leaves more rows than this to the fallback is not what would go live.
MOST_FALLBACKS = 0.05
FEWEST_ROWS = 50


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
    gone = _reason_to_go(situation, trial)
    if gone is not None:
        return _step(StepKind.ROLL_BACK, trial, gone)
    difference = trial.difference
    if difference.value is None or trial.rows_in_step < situation.policy.shadow_outcomes:
        return _step(StepKind.HOLD, trial, f"waiting for {situation.policy.shadow_outcomes} matured outcomes")
    following = next_share(situation.policy.canary, trial.release.phase, trial.release.share)
    if following is not None and difference.value >= 0:
        return _step(StepKind.PROMOTE, trial, f"no harm seen; canary at {following:.0%}", share=following)
    if following is None and (_surely_better(trial) or trial.days >= TRIAL_DAYS):
        return _to_live(situation, trial)
    return _step(StepKind.HOLD, trial, f"{trial.days} of {TRIAL_DAYS} days of outcomes seen")


def _reason_to_go(situation: Situation, trial: Trial) -> str | None:
    """Why the challenger is rolled back, or None."""
    difference = trial.difference
    if trial.scored_rows >= FEWEST_ROWS and trial.fallback_share > MOST_FALLBACKS:
        return f"it left {trial.fallback_share:.0%} of its rows to the fallback"
    if trial.days >= FEWEST_DAYS and difference.upper is not None and difference.upper < 0:
        return "it earns less than the live release, beyond doubt"
    if trial.days >= TRIAL_DAYS and difference.value is not None and difference.value < 0:
        return f"it earned less than the live release in {trial.days} days"
    age = (situation.now - trial.release.created_at).total_seconds() / 86400
    if age >= LONGEST_DAYS:
        return f"it could not be judged in {age:.0f} days: {trial.days} days with outcomes"
    return None


def _surely_better(trial: Trial) -> bool:
    return trial.days >= FEWEST_DAYS and trial.difference.lower is not None and trial.difference.lower > 0


def _to_live(situation: Situation, trial: Trial) -> Step:
    why = (
        "it earns more than the live release, beyond doubt"
        if _surely_better(trial)
        else f"it earned at least as much as the live release in {trial.days} days"
    )
    if situation.policy.approve_live and trial.release.id not in situation.approved:
        return _step(StepKind.ASK, trial, f"{why}; the product file asks for approval")
    return _step(StepKind.PROMOTE, trial, why, share=1.0)


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
