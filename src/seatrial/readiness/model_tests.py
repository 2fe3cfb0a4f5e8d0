"""M1 to M7: the model and how it was made."""

from seatrial.facts.estimate import Estimate
from seatrial.facts.model import Comparison, Slice
from seatrial.facts.readiness import TestResult
from seatrial.facts.rehearsal import PolicyResult, RehearsalReport
from seatrial.readiness.evidence import Evidence
from seatrial.readiness.marking import Criterion, Proof

M1 = Criterion(
    "M1",
    "The model's specification is reviewed and under version control",
    "Record the commit and its review with each training, and refuse to train from changed files.",
)
M2 = Criterion(
    "M2",
    "The number that training optimises tracks the value that is earned",
    "Release several models, and correlate their promised with their realised value, with an interval.",
)
M3 = Criterion(
    "M3",
    "Hyperparameters were tuned",
    "Record a search with its best, its default and the spread over seeds beside the model.",
)
M4 = Criterion(
    "M4",
    "What an old model costs is known",
    "Rehearse with a frozen and a monthly retrained model at least every 30 days, and on a world that stands still.",
)
M5 = Criterion(
    "M5",
    "A simpler model is not as good",
    "Compare with a constant and a linear model in training; the interval of the gain must lie above zero, and a "
    "model that gains nothing must be seen refused.",
)
M6 = Criterion(
    "M6",
    "The model is good enough on every important slice",
    "Declare `train.slices`, and let a floor per slice close the gate.",
)
M7 = Criterion(
    "M7",
    "The model treats groups of people fairly",
    "Declare protected columns and compare errors between their groups, or record why that does not apply.",
)

RIVALS = ("constant", "linear")


def m1_review(_: Evidence) -> TestResult:
    """M1: commits and reviews are not recorded in this version."""
    return M1.absent(
        "Training records digests of the product file and contract, but no commit and no review."
    )


def m2_proxy(evidence: Evidence) -> TestResult:
    """M2: too few pairs of promised and realised value exist to correlate in this version."""
    return M2.absent(
        f"{len(evidence.models)} models made a promise; promised and realised value were not correlated over them."
    )


def m3_tuning(_: Evidence) -> TestResult:
    """M3: no search is run in this version."""
    return M3.absent("No hyperparameter search was recorded.")


def m4_staleness(evidence: Evidence) -> TestResult:
    """M4: the last rehearsal's frozen model against a monthly retrained one, month by month."""
    report = evidence.rehearsal
    frozen, monthly = _policy(report, "frozen"), _policy(report, "monthly")
    if report is None or frozen is None or monthly is None or not frozen.by_month:
        return M4.absent("No rehearsal compared a frozen with a retrained model.")
    months = [month for month in frozen.by_month if month in monthly.by_month]
    lost = {month: monthly.by_month[month] - frozen.by_month[month] for month in months}
    worse = sum(amount > 0 for amount in lost.values())
    curve = ", ".join(f"{month} {amount:+,.0f}" for month, amount in sorted(lost.items()))
    words = (
        f"Not retraining cost {sum(lost.values()):,.0f} {report.unit} over {len(lost)} months, "
        f"in {worse} of them ({curve})"
    )
    return M4.mark(Proof(words, report.at), evidence.now)


def _policy(report: RehearsalReport | None, name: str) -> PolicyResult | None:
    return next((result for result in report.policies if result.policy == name), None) if report else None


def m5_simpler(evidence: Evidence) -> TestResult:
    """M5: the advantage in value over a constant and a linear model on the validation rows."""
    model = evidence.model
    found = {c.policy: c for c in model.comparisons if c.policy in RIVALS and c.advantage} if model else {}
    missing = [name for name in RIVALS if name not in found]
    if model is None or missing:
        return M5.absent(f"No comparison was recorded with: {', '.join(missing)}.")
    unit = evidence.product.file.objective.unit if evidence.product.file.objective else ""
    gains = "; ".join(f"over {name} {_span(found[name].advantage)} {unit} per decision" for name in RIVALS)
    words = f"Advantage on {model.validation_rows:,} validation rows: {gains}"
    unproven = [name for name in RIVALS if not _above_zero(found[name])]
    lacks = f"an interval above zero over the {' and the '.join(unproven)} model" if unproven else ""
    return M5.mark(Proof(words, model.trained_at, _refused_rival(evidence), lacks), evidence.now)


def _above_zero(comparison: Comparison) -> bool:
    advantage = comparison.advantage
    return advantage is not None and advantage.lower is not None and advantage.lower > 0


def _refused_rival(evidence: Evidence) -> str:
    """A release that was refused because a simpler policy was as good, in words; "" when there was none."""
    for release in reversed(evidence.releases):
        for gate in release.gates:
            if gate.gate.startswith("no worse than") and not gate.passed:
                return f"release {release.id} was refused by the gate {gate.gate!r}"
    return ""


def m6_slices(evidence: Evidence) -> TestResult:
    """M6: the loss per slice of the validation rows, worst slice named."""
    model = evidence.model
    judged = [part for part in model.slices if part.loss.value is not None] if model else []
    if model is None or not judged:
        return M6.absent("No slices were measured in training.")
    worst = max(judged, key=_loss)
    columns = sorted({part.column for part in judged})
    words = (
        f"{len(judged)} slices by {', '.join(columns)}; Brier loss overall {_span(model.promised_loss)}, "
        f"worst {worst.column} = {worst.group} with {_span(worst.loss)} on {worst.rows:,} rows"
    )
    return M6.mark(
        Proof(words, model.trained_at, lacks="a floor per slice that closes the gate"), evidence.now
    )


def _loss(part: Slice) -> float:
    return part.loss.value or 0.0


def m7_fairness(_: Evidence) -> TestResult:
    """M7: groups are not compared in this version."""
    return M7.absent("No protected column is declared, and no reason why none is needed.")


def _span(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "unknown"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:,.3g} (no interval)"
    return f"{estimate.value:,.3g} [{estimate.lower:,.3g}, {estimate.upper:,.3g}]"
