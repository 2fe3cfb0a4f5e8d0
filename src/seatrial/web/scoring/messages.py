"""The JSON bodies of the scoring door."""

from typing import Any

import msgspec

from seatrial.serve.request import Answers, Fault
from seatrial.serve.serving import Serving


class PredictBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a prediction is asked for with."""

    rows: list[dict[str, Any]]
    partial: bool = False
    idempotency_key: str | None = None


class OutcomesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What outcomes are reported with; the rows are checked one by one."""

    outcomes: list[Any]


class AnsweredRow(msgspec.Struct, frozen=True):
    """One answer; `row` is the index of the request row, `fallback` says why the model did not answer."""

    row: int
    prediction_id: str
    key: str
    score: float | None
    decision: bool
    release: str
    variant: str
    fallback: str | None


class PredictAnswer(msgspec.Struct, frozen=True):
    """Answers in the order of the rows. `release` is the live one; a row may be answered by a canary."""

    product: str
    release: str
    predictions: list[AnsweredRow]
    faults: tuple[Fault, ...]


class ColumnShown(msgspec.Struct, frozen=True):
    """A request column as a caller needs to know it."""

    name: str
    type: str
    required: bool
    description: str


class ProductShown(msgspec.Struct, frozen=True):
    """A product as its callers see it."""

    product: str
    purpose: str
    release: str
    model_digest: str
    contract_version: str
    columns: list[ColumnShown]


def predict_answer(serving: Serving, answers: Answers) -> PredictAnswer:
    """The body of a prediction's answer."""
    rows = [
        AnsweredRow(row, p.prediction_id, p.key, p.score, p.decision, p.release, p.served.value, p.fallback)
        for row, p in zip(answers.rows, answers.predictions, strict=True)
    ]
    return PredictAnswer(serving.product, serving.live.id, rows, answers.faults)


def product_shown(serving: Serving) -> ProductShown:
    """The product that is live. Raises NotReady when none is."""
    live = serving.live
    columns = [
        ColumnShown(column.name, column.type, column.required, column.description)
        for column in live.product.request.columns
        if column.name in live.schema
    ]
    product = live.product
    return ProductShown(
        product.name,
        product.file.purpose,
        live.id,
        live.release.bundle.model,
        product.contract.version,
        columns,
    )
