"""What comes into the engine and what goes out of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from seatrial.facts.prediction import Variant

Fault = dict[str, object]


class SentRows(msgspec.Struct, frozen=True):
    """Rows that `decoder` read on their way in: tuples of physical values in its order.

    `again` reads them as Python objects, for whoever has another decoder.
    """

    decoder: object
    rows: Sequence[tuple[Any, ...]]
    again: Callable[[], Sequence[Any]]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to answer. With `partial`, faulty rows are left out of the answer instead of refusing the whole.

    `rows` are Python objects, as a JSON decoder gives them; or `sent` holds them already read. `received_at` is when
    the request arrived, if that was before the engine saw it; or `arrived` says so in seconds of a clock that never
    jumps, from which latency is counted.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    sent: SentRows | None = None
    idempotency_key: str | None = None
    partial: bool = False
    trace_id: str | None = None
    received_at: datetime | None = None
    arrived: float | None = None

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.rows) if self.sent is None else len(self.sent.rows)

    @property
    def plain(self) -> Sequence[Any]:
        """The rows as a JSON decoder gives them."""
        return self.rows if self.sent is None else self.sent.again()


class Answered(msgspec.Struct, frozen=True):
    """One answer; `row` is the index of the request row, `fallback` says why the model did not answer."""

    row: int
    prediction_id: str
    key: str
    score: float | None
    decision: bool
    release: str
    variant: Variant
    fallback: str | None


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions in the order of the request's rows; with `partial`, the good ones.

    `release` is the live one; a row may be answered by a canary. `faults` names rows that were left out: row, field,
    expected, received.
    """

    release: str
    predictions: Sequence[Answered]
    faults: Sequence[Fault] = ()


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """How many outcomes or actions were recorded, and each fault of the refused: row, field, expected, received."""

    accepted: int
    refused: tuple[Fault, ...] = ()
