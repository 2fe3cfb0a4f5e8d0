"""The JSON bodies of the scoring door."""

from collections.abc import Sequence
from typing import Any

import msgspec

from seatrial.serve.request import Answered, Fault
from seatrial.serve.serving import Serving


class PredictBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a prediction is asked for with."""

    rows: list[dict[str, Any]]
    partial: bool = False
    idempotency_key: str | None = None


class OutcomesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What outcomes are reported with; the rows are checked one by one."""

    outcomes: list[Any]


class ActionsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What actions are reported with; the rows are checked one by one."""

    actions: list[Any]


class PredictAnswer(msgspec.Struct, frozen=True):
    """Answers in the order of the rows. `release` is the live one; a row may be answered by a canary."""

    product: str
    release: str
    predictions: Sequence[Answered]
    faults: Sequence[Fault]


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
