"""What comes into the engine and what goes out of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from seatrial.facts.prediction import Prediction

Fault = dict[str, object]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to answer. With `partial`, faulty rows are left out of the answer instead of refusing the whole.

    `received_at` is when the request arrived, if that was before the engine saw it.
    """

    rows: Sequence[Mapping[str, Any]]
    idempotency_key: str | None = None
    partial: bool = False
    trace_id: str | None = None
    received_at: datetime | None = None


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions in the order of the request's rows; `rows` holds the index of the row each one answers.

    `faults` names rows that were left out: row, field, expected, received.
    """

    predictions: tuple[Prediction, ...]
    rows: tuple[int, ...]
    faults: tuple[Fault, ...] = ()


class OutcomeReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """How many outcomes were recorded, and every fault of the refused ones: row, field, expected, received."""

    accepted: int
    refused: tuple[Fault, ...] = ()
