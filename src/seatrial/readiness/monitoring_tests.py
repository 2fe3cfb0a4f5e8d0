"""O1 to O7: what is watched while the product runs."""

from datetime import datetime, timedelta

import polars as pl

from seatrial.contract.canonical import json_rows
from seatrial.contract.decoder import RowDecoder
from seatrial.decide.policy import next_steps
from seatrial.decide.situation import Policy, Situation
from seatrial.errors import RequestInvalid
from seatrial.facts.finding import Verdict
from seatrial.facts.readiness import TestResult
from seatrial.facts.step import StepKind
from seatrial.product.product import Product
from seatrial.readiness.data_tests import broken_row_control
from seatrial.readiness.evidence import Evidence
from seatrial.readiness.marking import Criterion, Proof

O1 = Criterion(
    "O1",
    "Changes of what the product depends on are noticed",
    "Record locked versions and source contracts with each run, and raise a finding when they change.",
)
O2 = Criterion(
    "O2",
    "Rules on data hold in training and in serving",
    "Serve under the contract that training was checked by, and count refused requests per rule as findings.",
)
O3 = Criterion(
    "O3",
    "Training and serving compute the same features",
    "Train on a snapshot whose newest rows were served, so that logged and recomputed features can be compared.",
)
O4 = Criterion(
    "O4",
    "Models do not grow too old",
    "Retrain on age (`retrain.on: [age]`) within `max_age`, and rehearse to know what age costs.",
)
O5 = Criterion(
    "O5",
    "Numbers stay sound",
    "Package with parity on missing and unseen values, and mend what makes scores leave [0, 1].",
)
O6 = Criterion(
    "O6",
    "Speed and memory do not get worse",
    "Compare latency percentiles of each release with those of the one before, as a gate.",
)
O7 = Criterion(
    "O7",
    "The quality of what was answered does not get worse",
    "Report outcomes, so that the ledger fills and the detectors run; an alarm that fired is the negative control.",
)

TOLERANCE = 1e-6


def o1_dependencies(_: Evidence) -> TestResult:
    """O1: changes of dependencies raise nothing in this version."""
    return O1.absent("Changes of libraries and of sources' schemas raise no finding.")


def o2_invariants(evidence: Evidence) -> TestResult:
    """O2: the rules on the last snapshot and on answered requests, with a broken row on both sides."""
    snapshot, product = evidence.snapshot, evidence.product
    served = evidence.served.by_contract.get(product.contract.version, 0)
    if snapshot is None or not snapshot.rules or not served:
        return O2.absent("The contract was not enforced on both a snapshot and answered requests.")
    broken = {rule.rule: rule.failed for rule in snapshot.rules if rule.failed}
    worst = ", ".join(
        f"{rule} {count:,}" for rule, count in sorted(broken.items(), key=lambda item: -item[1])[:3]
    )
    words = (
        f"{len(snapshot.rules)} rules in training, {sum(broken.values()):,} violations"
        f"{f' (most: {worst})' if worst else ''}; {served:,} requests answered under contract "
        f"{product.contract.version}"
    )
    sides = (
        broken_row_control(product, evidence.sample, evidence.now),
        _refused_request(product, evidence.sample),
    )
    control = "; ".join(sides) if all(sides) else ""
    return O2.mark(
        Proof(words, snapshot.created_at, control, "a count of refused requests per rule"), evidence.now
    )


def _refused_request(product: Product, sample: pl.DataFrame) -> str:
    """How the request decoder took a recorded row, and the same row without its key; "" unless only that fell."""
    if sample.is_empty():
        return ""
    [row] = json_rows(product.request, sample.head(1).select(product.request_columns))
    decoder = RowDecoder(product.request, product.request_columns)
    try:
        decoder.convert([row])
    except RequestInvalid:
        return ""
    try:
        decoder.convert([{**row, product.key: None}])
    except RequestInvalid as refusal:
        return f"as a request it was refused with {len(refusal.faults)} fault named"
    return ""


def o3_skew(evidence: Evidence) -> TestResult:
    """O3: features logged by serving against the same rows' features in the last snapshot, value by value."""
    snapshot = evidence.snapshot
    rows = _paired(evidence)
    if snapshot is None or rows.is_empty():
        return O3.absent(
            "No row of the last snapshot was answered by serving, so there is nothing to compare."
        )
    names = [name for name in _features(evidence.product) if f"feature_{name}" in rows.columns]
    agreeing = {name: int(rows.select(_same(name).sum()).item()) for name in names}
    equal, values = sum(agreeing.values()), rows.height * len(names)
    off = sorted(name for name, count in agreeing.items() if count < rows.height)
    words = f"{equal:,} of {values:,} feature values agree on {rows.height:,} rows answered by serving"
    words += f"; differing in {', '.join(off)}" if off else ""
    lacks = "agreement of every value" if equal < values else ""
    return O3.mark(Proof(words, snapshot.created_at, _shifted(rows, names, equal), lacks), evidence.now)


def _features(product: Product) -> list[str]:
    return [feature.name for feature in product.features]


def _paired(evidence: Evidence) -> pl.DataFrame:
    if evidence.sample.is_empty() or evidence.logged.is_empty():
        return pl.DataFrame()
    key = pl.col(evidence.product.key).cast(pl.String).alias("key")
    names = [name for name in _features(evidence.product) if name in evidence.sample.columns]
    return evidence.sample.select(key, *names).join(evidence.logged, on="key", how="inner")


def _same(name: str, offline: pl.Expr | None = None) -> pl.Expr:
    computed, logged = pl.col(name) if offline is None else offline, pl.col(f"feature_{name}")
    both_missing = computed.is_null() & logged.is_null()
    return (both_missing | _close(computed, logged)).fill_null(False)


def _close(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Equal as text, or as numbers up to rounding."""
    numbers = [side.cast(pl.Float64, strict=False) for side in (left, right)]
    near = (numbers[0] - numbers[1]).abs() <= TOLERANCE * (1 + numbers[0].abs())
    return near.fill_null(left.cast(pl.String) == right.cast(pl.String))


def _shifted(rows: pl.DataFrame, names: list[str], equal: int) -> str:
    """How many values agree when each row's features are set against another row's; "" unless fewer do."""
    if rows.height < 2:
        return ""
    moved = sum(
        int(rows.select(_same(name, pl.col(name).shift(1, fill_value=pl.col(name).last())).sum()).item())
        for name in names
    )
    return f"against the wrong rows only {moved:,} agree" if moved < equal else ""


def o4_age(evidence: Evidence) -> TestResult:
    """O4: the live model's age against `max_age`, and whether the policy would retrain one that is too old."""
    live, model, retrain = evidence.live, evidence.model, evidence.product.file.retrain
    if live is None or model is None:
        return O4.absent("Nothing is live, so nothing grows old.")
    if "age" not in retrain.on:
        return O4.absent("The product file does not retrain on age.")
    age, allowed = evidence.now - model.trained_to, timedelta(seconds=retrain.max_age)
    words = f"The live model's data is {age.days} days old, {allowed.days} are allowed"
    lacking = []
    if age > allowed:
        lacking.append("a live model within its age")
    if evidence.rehearsal is None:
        lacking.append("a rehearsal that shows what age costs")
    return O4.mark(
        Proof(words, evidence.now, _old_model_control(evidence), " and ".join(lacking)), evidence.now
    )


def _old_model_control(evidence: Evidence) -> str:
    """What the policy does with the live model one day past its age; "" unless it retrains, and not before."""
    model, retrain = evidence.model, evidence.product.file.retrain
    if model is None:
        return ""
    limit = model.trained_to + timedelta(seconds=retrain.max_age)
    late = [step.kind for step in next_steps(_aged(evidence, limit + timedelta(days=1)))]
    early = next_steps(_aged(evidence, limit - timedelta(days=1)))
    if late != [StepKind.RETRAIN] or early:
        return ""
    return "one day past its age the policy retrains, one day before it does not"


def _aged(evidence: Evidence, now: datetime) -> Situation:
    retrain, release = evidence.product.file.retrain, evidence.product.file.release
    policy = Policy(
        shadow_outcomes=release.shadow.outcomes,
        canary=release.canary,
        approve_live="live" in release.approve,
        retrain_on=frozenset({"age"}),
        max_age=retrain.max_age,
        at_most=retrain.at_most,
    )
    trained_to = evidence.model.trained_to if evidence.model else None
    return Situation(now=now, policy=policy, live=evidence.live, live_trained_to=trained_to)


def o5_numbers(evidence: Evidence) -> TestResult:
    """O5: parity of the package, scores outside [0, 1] among the answers, and what a missing score decides."""
    model, served = evidence.model, evidence.served
    if model is None or not model.parity.rows:
        return O5.absent("No parity check of a package was recorded.")
    parity = model.parity
    words = (
        f"Package and model differ by at most {parity.largest_difference:.2g} on {parity.rows:,} rows, unseen and "
        f"missing values among them ({parity.differing_rows} beyond {parity.tolerance:g}); of {served.rows:,} "
        f"answers {served.impossible_scores} had a score outside [0, 1] and {served.fallbacks} were fallbacks"
    )
    lacking = []
    if not parity.holds:
        lacking.append("parity on every row")
    if not served.rows or served.impossible_scores:
        lacking.append("answers with sound scores")
    proof = Proof(words, model.trained_at, _missing_score_control(evidence), " and ".join(lacking))
    return O5.mark(proof, evidence.now)


def _missing_score_control(evidence: Evidence) -> str:
    """What a score that is not a number decides on a recorded row; "" unless nothing, while a sound one decides."""
    product, sample = evidence.product, evidence.sample
    if sample.is_empty() or product.compiled_objective is None:
        return ""
    rows = pl.concat([sample.head(1)] * 3)
    decisions = product.decide(rows, pl.Series([float("nan"), None, 1.0]), 0.5).to_list()
    if decisions[0] is not None or decisions[1] is not None or decisions[2] is None:
        return ""
    return "a score that is missing or not a number decided nothing, so the fallback answers; a sound one decided"


def o6_speed(evidence: Evidence) -> TestResult:
    """O6: latencies are recorded per prediction, but not compared between releases in this version."""
    return O6.absent(
        f"Latency is recorded with each of {evidence.served.rows:,} predictions, but releases are not compared by it."
    )


def o7_quality(evidence: Evidence) -> TestResult:
    """O7: outcomes joined in the ledger, findings of the detectors, and alarms that they gave."""
    booked = evidence.booked
    if not booked.labelled or booked.last_at is None or not evidence.findings:
        return O7.absent("No outcome was booked and judged by a detector.")
    judged = [finding for finding in evidence.findings if finding.e_value is not None]
    alarms = [finding for finding in judged if finding.verdict is Verdict.ALARM]
    measures = sorted({finding.measure for finding in judged})
    if not measures:
        return O7.absent(f"{booked.labelled:,} outcomes were booked, but no detector has judged them.")
    words = (
        f"{booked.labelled:,} of {booked.rows:,} booked predictions have their outcome; "
        f"detectors on {', '.join(measures)} gave {len(judged):,} findings, {len(alarms)} of them alarms"
    )
    control = f"an alarm was given for {alarms[-1].measure} on {alarms[-1].at:%Y-%m-%d}" if alarms else ""
    return O7.mark(Proof(words, booked.last_at, control), evidence.now)
