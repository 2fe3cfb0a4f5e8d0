"""The model card: what a model is, what it was made from, what it is worth and where it ends, as Markdown."""

from collections.abc import Iterable, Sequence

import msgspec

from seatrial.facts.estimate import Estimate
from seatrial.facts.model import Model
from seatrial.facts.snapshot import Snapshot
from seatrial.product.product import Product
from seatrial.train.slices import SMALLEST


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the card says beyond the model: rows fitted for the comparison, rows a linear model saw, rows capped.

    `embargoed_rows` are older rows that the comparison left out, because their outcomes came too late for it.
    """

    compared_rows: int
    embargoed_rows: int
    linear_rows: int
    unvalued_rows: int
    capped_rows: int


def write_card(product: Product, snapshot: Snapshot, model: Model, facts: Facts) -> str:
    """The card of a model, as Markdown; `model.id` and `model.card` need not be known yet."""
    parts = (
        _what(product, model),
        _data(snapshot, model, facts),
        _worth(product, model, facts),
        _slices(model),
        _features(model),
        _package(model),
        _limits(product, model, facts),
    )
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _what(product: Product, model: Model) -> list[str]:
    return [
        f"# Model card: {product.name}",
        "",
        product.file.purpose,
        "",
        f"- Estimator: {model.estimator}",
        f"- Predicts: the probability of `{product.label}`",
        f"- Decides: `{product.objective.section.decision}`, threshold {model.threshold:.6g}",
        f"- Trained: {model.trained_at:%Y-%m-%d %H:%M} UTC, because: {model.why}",
        f"- Seed: {model.seed}",
    ]


def _data(snapshot: Snapshot, model: Model, facts: Facts) -> list[str]:
    sources = (
        f"- Source {source.name}: {source.kept:,} of {source.rows:,} rows kept" for source in snapshot.sources
    )
    return [
        "## Data",
        "",
        f"- Snapshot: `{snapshot.id}`, {snapshot.rows:,} examples, contract {snapshot.contract_version}",
        f"- Decisions made from {model.trained_from:%Y-%m-%d} to {model.trained_to:%Y-%m-%d}",
        f"- Judged on the newest {model.validation_rows:,} rows, by a model of the {facts.compared_rows:,} older ones",
        "- No day is in both",
        f"- {facts.embargoed_rows:,} older rows were not in that fit: their outcomes were open when the newest began",
        f"- The package was then fitted again, with the same settings, on all {model.training_rows:,} rows",
        "- The threshold stayed as the judged model chose it",
        *sources,
    ]


def _worth(product: Product, model: Model, facts: Facts) -> list[str]:
    unit = product.objective.section.unit
    rows = (
        (
            comparison.policy.replace("_", " "),
            _words(comparison.value),
            _words(comparison.advantage),
            _number(comparison.log_loss),
            _number(comparison.auc),
            _number(comparison.threshold),
        )
        for comparison in model.comparisons
    )
    head = ("policy", f"value, {unit}", f"model's advantage, {unit}", "log loss", "AUC", "threshold")
    return [
        "## Worth on the validation rows",
        "",
        *_table(head, rows),
        "",
        f"- Promise: {_words(model.promise)} {unit} per decision, each day under a threshold that others chose",
        f"- Brier loss: {_words(model.promised_loss)}",
        f"- Intervals at {model.promise.confidence:.0%}, with {model.promise.n} days as units",
        f"- The linear model saw {facts.linear_rows:,} rows",
    ]


def _slices(model: Model) -> list[str]:
    if not model.slices:
        return []
    rows = (
        (part.column, part.group, f"{part.rows:,}", _words(part.loss), _words(part.value))
        for part in model.slices
    )
    head = ("column", "group", "rows", "Brier loss", "value per decision")
    return [f"## Slices of at least {SMALLEST} rows", "", *_table(head, rows)]


def _features(model: Model) -> list[str]:
    rows = ((name, f"{rise:.5f}") for name, rise in model.importances.items())
    return ["## Features", "", *_table(("feature", "rise of the log loss when permuted"), rows)]


def _package(model: Model) -> list[str]:
    parity = model.parity
    return [
        "## Package",
        "",
        *_served(model),
        f"- Parity: {parity.largest_difference:.2g} at most from the fitted model, {parity.tolerance:g} allowed",
        f"- Compared on {parity.rows:,} rows, unseen categories and missing values among them",
    ]


def _served(model: Model) -> list[str]:
    if model.served_by == "onnx":
        return [f"- Served by ONNX Runtime: `{model.artifact}`"]
    return [
        f"- Served by its own library, in a process of its own: `{model.artifact}`",
        f"- Not converted to ONNX, because: {' '.join(model.not_converted.split())}",
    ]


def _limits(product: Product, model: Model, facts: Facts) -> list[str]:
    lowest, highest = product.objective.section.value_range
    return [
        "## Limits",
        "",
        f"- Known only for what the data hold: decisions like those until {model.trained_to:%Y-%m-%d}.",
        "- The outcome is taken not to depend on the action.",
        f"- Values are capped to [{lowest:g}, {highest:g}]; of the model's decisions {facts.capped_rows:,} were.",
        f"- {facts.unvalued_rows:,} validation rows of unknown value were left out.",
        "- The threshold was chosen on the rows of the table above, which flatters scores there; see the promise.",
        "- Importances say what the model uses, not what causes the outcome.",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _words(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "-"
    if estimate.lower is None or estimate.upper is None:
        return f"{_amount(estimate.value)} (too little data for an interval)"
    return f"{_amount(estimate.value)} [{_amount(estimate.lower)}, {_amount(estimate.upper)}]"


def _amount(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _number(number: float | None) -> str:
    return "-" if number is None else f"{number:.4f}"
