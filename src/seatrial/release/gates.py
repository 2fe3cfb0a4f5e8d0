"""The gates between a trained model and traffic: each executed, each with its evidence kept.

A gate compares point estimates on validation rows and records the interval beside them; certainty about
value is asked for later, on matured outcomes of the shadow and the canary.
"""

from collections.abc import Callable

from seatrial.facts.estimate import Estimate
from seatrial.facts.model import Comparison, Model
from seatrial.facts.release import GateResult
from seatrial.facts.snapshot import Snapshot
from seatrial.product.product import Product

Numbers = dict[str, float | int | str | None]


def run_gates(product: Product, model: Model, snapshot: Snapshot) -> tuple[GateResult, ...]:
    """The verdict of every gate, passed or not, in a fixed order."""
    gates: tuple[Callable[[], GateResult], ...] = (
        lambda: _owner(product),
        lambda: _objective(product),
        lambda: _contract(snapshot),
        lambda: _lineage(model, snapshot),
        lambda: _parity(model),
        lambda: _promise(model, product),
        *(lambda policy=policy: _beats(model, policy) for policy in _rivals(model)),
    )
    return tuple(gate() for gate in gates)


def refused(gates: tuple[GateResult, ...]) -> list[str]:
    """The gates that did not open, with their evidence, in words."""
    return [f"{gate.gate}: {gate.evidence}" for gate in gates if not gate.passed]


def _owner(product: Product) -> GateResult:
    owner = product.owner
    evidence = f"business {owner.business}, engineering {owner.engineering}" if owner else "no owner declared"
    return GateResult(gate="owner declared", passed=owner is not None, evidence=evidence)


def _objective(product: Product) -> GateResult:
    objective = product.compiled_objective
    evidence = (
        f"value in {objective.section.unit}, digest {objective.digest[:19]}" if objective else "no objective"
    )
    return GateResult(gate="objective declared", passed=objective is not None, evidence=evidence)


def _contract(snapshot: Snapshot) -> GateResult:
    rows = sum(source.rows for source in snapshot.sources)
    kept = sum(source.kept for source in snapshot.sources)
    return GateResult(
        gate="contract enforced",
        passed=bool(snapshot.rules) and rows > 0,
        evidence=f"{len(snapshot.rules)} rules on {rows} rows; {rows - kept} put aside",
        numbers={"rules": len(snapshot.rules), "rows": rows, "put_aside": rows - kept},
    )


def _lineage(model: Model, snapshot: Snapshot) -> GateResult:
    return GateResult(
        gate="lineage known",
        passed=model.snapshot == snapshot.id,
        evidence=f"trained on snapshot {snapshot.id[:19]} of {snapshot.rows} examples",
        numbers={"snapshot": snapshot.id, "examples": snapshot.rows},
    )


def _parity(model: Model) -> GateResult:
    parity = model.parity
    return GateResult(
        gate="package equals model",
        passed=parity.holds,
        evidence=f"largest difference {parity.largest_difference:.2g} on {parity.rows} rows",
        numbers={"largest_difference": parity.largest_difference, "differing_rows": parity.differing_rows},
    )


def _promise(model: Model, product: Product) -> GateResult:
    objective = product.compiled_objective
    unit = objective.section.unit if objective else "(no unit)"
    return GateResult(
        gate="promise above zero",
        passed=model.promise.value is not None and model.promise.value > 0,
        evidence=f"{_words(model.promise)} {unit} per decision on {model.validation_rows} validation rows",
        numbers=_numbers(model.promise),
    )


def _rivals(model: Model) -> list[Comparison]:
    return [comparison for comparison in model.comparisons if comparison.policy != "model"]


def _beats(model: Model, rival: Comparison) -> GateResult:
    """At least as much value as a rival: trivial policies may be tied by a model that equals them.

    The live model is a rival only on rows that neither saw, where a refit can hardly show what its newer data are
    worth: it must not be shown to be worse; the shadow, on new rows, decides.
    """
    advantage = rival.advantage or Estimate(value=None)
    passed = advantage.value is not None and advantage.value >= 0
    if rival.policy == "live" and not passed:
        passed = advantage.upper is None or advantage.upper >= 0
    return GateResult(
        gate=f"no worse than {rival.policy.replace('_', ' ')}",
        passed=passed,
        evidence=f"advantage {_words(advantage)} over {model.validation_rows} validation rows",
        numbers=_numbers(advantage),
    )


def _words(estimate: Estimate) -> str:
    if estimate.value is None:
        return "unknown"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:,.2f} (too little data for an interval)"
    return f"{estimate.value:,.2f} [{estimate.lower:,.2f}, {estimate.upper:,.2f}]"


def _numbers(estimate: Estimate) -> Numbers:
    return {"value": estimate.value, "lower": estimate.lower, "upper": estimate.upper, "n": estimate.n}
