"""I1 to I7: how models are made, checked, released and taken back."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from seatrial.facts.estimate import Estimate
from seatrial.facts.logbook import LogEntry
from seatrial.facts.model import Model
from seatrial.facts.readiness import TestResult
from seatrial.readiness.evidence import Evidence
from seatrial.readiness.marking import Criterion, Proof
from seatrial.release.gates import refused, run_gates

I1 = Criterion(
    "I1",
    "Training is reproducible",
    "Train twice on one snapshot: both must give one digest. For full marks, on a schedule.",
)
I2 = Criterion(
    "I2",
    "The model's specification has tests of its own",
    "Run checks on the estimator (one step lowers the loss, a tiny batch is learnt by heart) and record them.",
)
I3 = Criterion(
    "I3",
    "The whole pipeline is tested together",
    "Rehearse at least every 30 days; for full marks with faults injected, each with the reaction that is expected.",
)
I4 = Criterion(
    "I4",
    "A model's quality is checked before it sees traffic",
    "Release through the gates, and run readiness again within 30 days of it.",
)
I5 = Criterion(
    "I5",
    "One prediction can be taken apart",
    "Replay a stored prediction by its id with its features, release and score, and record that it agreed.",
)
I6 = Criterion(
    "I6",
    "A release is tried on a part of the traffic first",
    "Let the next release go through shadow and canary; a trial that was rolled back is the negative control.",
)
I7 = Criterion(
    "I7",
    "A release can be rolled back",
    "Run a rollback drill at least every 30 days and record how long it took.",
)

# The gates that a model can be broken for in memory.
BREAKABLE = {"package equals model", "promise above zero"}
TRIALS = ("release shadow", "release canary")


def i1_reproducible(evidence: Evidence) -> TestResult:
    """I1: trainings that gave the digest of an earlier one, as the logbook has them."""
    registered = evidence.entries("model registered")
    counts = Counter(entry.subject for entry in registered)
    torn = _differing(evidence.models)
    if torn:
        return I1.absent(f"Trainings on one snapshot with one seed gave different models: {torn}.")
    repeated = [model for model in evidence.models if counts[model.id] > 1]
    if not repeated:
        return I1.absent(
            f"{len(registered)} trainings were recorded, none of them repeated on the same snapshot."
        )
    model = repeated[-1]
    last = max(entry.at for entry in registered if entry.subject == model.id)
    others = sum(other.snapshot != model.snapshot for other in evidence.models)
    control = f"{others} trainings on other snapshots gave other digests" if others else ""
    words = f"{counts[model.id]} trainings on one snapshot gave the same model {model.id[:19]}"
    return I1.mark(Proof(words, last, control, "a schedule that repeats it"), evidence.now)


def _differing(models: Iterable[Model]) -> str:
    """Models that should be one: the same snapshot, seed, estimator and inputs, but another digest."""
    made: dict[tuple[object, ...], list[str]] = {}
    for model in models:
        made.setdefault((model.snapshot, model.seed, model.estimator, model.features), []).append(
            model.id[:19]
        )
    return "; ".join(" and ".join(ids) for ids in made.values() if len(ids) > 1)


def i2_specification(_: Evidence) -> TestResult:
    """I2: no checks of the estimator itself are run in this version."""
    return I2.absent("No checks of the estimator itself were recorded; packaging checks only its conversion.")


def i3_whole_pipeline(evidence: Evidence) -> TestResult:
    """I3: the last rehearsal, which runs every stage from the sources to the ledger."""
    report = evidence.rehearsal
    if report is None or not report.rows:
        return I3.absent("No rehearsal ran the whole pipeline.")
    steps = Counter(event.kind for event in report.events)
    acts = ", ".join(f"{count} {kind}" for kind, count in sorted(steps.items())) or "no incident and no step"
    words = (
        f"A rehearsal of {report.began:%Y-%m-%d} to {report.ended:%Y-%m-%d} ran {report.rows:,} rows in "
        f"{report.batches:,} batches through all stages in {report.seconds:,.0f} s: {acts}"
    )
    return I3.mark(Proof(words, report.at, lacks="injected faults"), evidence.now)


def i4_gates(evidence: Evidence) -> TestResult:
    """I4: the gates of the live release, and whether they close on a model that is broken on purpose."""
    live = evidence.live
    if live is None or not live.gates:
        return I4.absent("No release went live through gates.")
    closed = refused(live.gates)
    if closed:
        return I4.absent(f"Release {live.id} is live although gates were closed: {'; '.join(closed)}.")
    words = f"Release {live.id} went live through {len(live.gates)} gates{_turned_away(evidence)}"
    return I4.mark(Proof(words, live.created_at, _broken_model_control(evidence)), evidence.now)


def _turned_away(evidence: Evidence) -> str:
    count = sum(bool(refused(release.gates)) for release in evidence.releases)
    return f"; {count} candidates were refused so far" if count else ""


def _broken_model_control(evidence: Evidence) -> str:
    """What two gates say to the live model, and to the same one broken on purpose; "" unless only that is refused."""
    model, snapshot = evidence.model, evidence.snapshot
    if model is None or snapshot is None or evidence.product.compiled_objective is None:
        return ""
    sound, broken = (
        BREAKABLE & {gate.gate for gate in run_gates(evidence.product, one, snapshot) if not gate.passed}
        for one in (model, _broken(model))
    )
    if sound or broken != BREAKABLE:
        return ""
    return (
        "the same model with a loss promised and a package that differs was refused by both gates, it alone"
    )


def _broken(model: Model) -> Model:
    parity = msgspec.structs.replace(model.parity, differing_rows=1, largest_difference=1.0)
    return msgspec.structs.replace(model, parity=parity, promise=Estimate(value=-1.0, lower=-2.0, upper=-0.5))


def i5_one_prediction(_: Evidence) -> TestResult:
    """I5: predictions are stored with their features, but not replayed in this version."""
    return I5.absent("Predictions are stored with their features, but none was replayed.")


def i6_trials(evidence: Evidence) -> TestResult:
    """I6: whether each release after the first saw shadow or canary before it went live."""
    followers = [release for release in evidence.releases if release.live_from and release.previous]
    if not followers:
        return I6.absent("No release has followed another one; the first has nothing to be compared with.")
    tried = {entry.subject for entry in evidence.entries(*TRIALS)}
    untried = [release.id for release in followers if release.id not in tried]
    if untried:
        return I6.absent(f"Went live without a trial: {', '.join(untried)}.")
    words = f"{len(followers)} of {len(followers)} releases after the first went through shadow or canary"
    last = max(release.live_from for release in followers if release.live_from)
    return I6.mark(Proof(words, last, _failed_trial(evidence, tried)), evidence.now)


def _failed_trial(evidence: Evidence, tried: set[str]) -> str:
    """The trials that ended in a rollback, in words; "" when none did."""
    lived = {release.id for release in evidence.releases if release.live_from}
    gone = {entry.subject for entry in evidence.entries("release rolled back")}
    failed = sorted((tried & gone) - lived)
    return f"rolled back while on trial: {', '.join(failed)}" if failed else ""


def i7_rollback(evidence: Evidence) -> TestResult:
    """I7: the last rollback drill, or the last rollback that was meant."""
    drills, real = evidence.entries("rollback drill"), evidence.entries("release rolled back")
    if not drills and not real:
        return I7.absent("No rollback and no rollback drill is in the logbook.")
    if not drills:
        words = f"{len(real)} releases were rolled back, the last {real[-1].subject}"
        return I7.mark(
            Proof(
                words, real[-1].at, lacks="a scheduled drill with its time to rollback", controllable=False
            ),
            evidence.now,
        )
    return I7.mark(_drilled(drills[-1]), evidence.now)


def _drilled(entry: LogEntry) -> Proof:
    """A drill counts in full when it measured its time: a rollback that fails is no drill."""
    seconds = entry.body.get("seconds")
    measured = isinstance(seconds, int | float)
    words = f"A drill rolled back {entry.subject}{f' in {seconds:.2f} s' if measured else ''}"
    lacks = "" if measured else "the time to rollback"
    return Proof(words, entry.at, lacks=lacks, controllable=False)
