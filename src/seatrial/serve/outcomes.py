"""Outcomes as they are reported: checked row by row, journaled before they are acknowledged."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.masking import masked_faults
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.facts.prediction import Outcome
from seatrial.facts.records import OUTCOMES, encode_record
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.product.product import Product
from seatrial.serve.request import Fault, OutcomeReceipt

_ENVELOPE = TableContract(
    name="outcome",
    columns=(
        ColumnContract(name="prediction_id", type="string", max_length=200),
        ColumnContract(name="key", type="string", max_length=1000),
        ColumnContract(name="known_at", type="timestamp"),
        ColumnContract(name="revision", type="int", minimum=0),
    ),
)
_ENVELOPE_COLUMNS = tuple(column.name for column in _ENVELOPE.columns)


class OutcomeIntake:
    """Takes outcomes of one product."""

    def __init__(self, product: Product, journal: JournalWriter, clock: Clock) -> None:
        self._product = product
        self._journal = journal
        self._clock = clock
        self._envelopes = RowDecoder(_envelope(product), _ENVELOPE_COLUMNS)
        self._values = RowDecoder(product.request, product.outcome_columns)

    def accept(self, rows: Sequence[object]) -> OutcomeReceipt:
        """What was recorded and what was refused; the good rows are journaled, whatever the others are.

        A row names its prediction (`prediction_id`, or `key`) and holds the outcome columns of the contract,
        and may hold `known_at` (by default now) and `revision` (0). Raises JournalUnavailable.
        """
        whole = [(position, dict(row)) for position, row in enumerate(rows) if isinstance(row, Mapping)]
        strange = [
            _no_object(position, row) for position, row in enumerate(rows) if not isinstance(row, Mapping)
        ]
        faults = masked_faults(self._product.request, strange)
        envelopes, values = self._parts(whole, faults)
        bad = {fault["row"] for fault in faults}
        good = [position for position, _ in whole if position not in bad]
        if good:
            outcomes = [self._outcome(envelopes[position], values[position]) for position in good]
            self._journal.append(OUTCOMES, [encode_record(outcome) for outcome in outcomes])
        return OutcomeReceipt(accepted=len(good), refused=tuple(sorted(faults, key=_by_row)))

    def _parts(
        self, whole: Sequence[tuple[int, dict[str, Any]]], faults: list[Fault]
    ) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]]:
        """Envelopes and outcome columns of the rows that read, by position; faults are added."""
        positions = [position for position, _ in whole]
        heads = [_head(row) for _, row in whole]
        bodies = [{name: row[name] for name in row if name not in _ENVELOPE_COLUMNS} for _, row in whole]
        envelopes = _decoded(self._envelopes, heads, positions, faults)
        values = _decoded(self._values, bodies, positions, faults)
        faults += [
            _nameless(position)
            for position, envelope in envelopes.items()
            if envelope["prediction_id"] is None and envelope["key"] is None
        ]
        label = self._product.label
        faults += [_unlabelled(position, label) for position, row in values.items() if row[label] is None]
        return envelopes, values

    def _outcome(self, envelope: dict[str, Any], values: dict[str, Any]) -> Outcome:
        now = self._clock.now()
        return Outcome(
            prediction_id=envelope["prediction_id"],
            key=envelope["key"],
            values={name: _recorded(value) for name, value in values.items()},
            known_at=envelope["known_at"] or now,
            received_at=now,
            revision=envelope["revision"] or 0,
        )


def _envelope(product: Product) -> TableContract:
    """The columns that name a prediction; a key is as sensitive as the contract says."""
    key = product.request.column(product.key)
    classification = key.classification if key else None
    columns = (
        msgspec.structs.replace(column, classification=classification) if column.name == "key" else column
        for column in _ENVELOPE.columns
    )
    return msgspec.structs.replace(_ENVELOPE, columns=tuple(columns))


def _recorded(value: Any) -> float | int | bool | str | None:
    """As records hold it: dates and moments as text in ISO 8601."""
    return value.isoformat() if isinstance(value, date) else value  # a datetime is a date, too


def _decoded(
    decoder: RowDecoder, rows: list[dict[str, Any]], positions: list[int], faults: list[Fault]
) -> dict[int, dict[str, Any]]:
    good, wrong = decoder.partial(rows)
    faults += [{**fault, "row": positions[int(str(fault["row"]))]} for fault in wrong]
    return {positions[index]: row for index, row in good}


def _head(row: dict[str, Any]) -> dict[str, Any]:
    head = {name: row.get(name) for name in _ENVELOPE_COLUMNS}
    if isinstance(head["key"], int) and not isinstance(head["key"], bool):
        head["key"] = str(head["key"])  # predictions keep every key as text
    return head


def _by_row(fault: Fault) -> int:
    return int(str(fault["row"]))


def _no_object(row: int, received: object) -> Fault:
    return {"row": row, "field": "", "expected": "an object", "received": repr(received)[:80]}


def _nameless(row: int) -> Fault:
    return {
        "row": row,
        "field": "prediction_id",
        "expected": "a prediction_id or a key",
        "received": "neither",
    }


def _unlabelled(row: int, label: str) -> Fault:
    return {"row": row, "field": label, "expected": "true or false: the outcome", "received": "null"}
