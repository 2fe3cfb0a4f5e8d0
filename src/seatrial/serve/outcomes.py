"""Outcomes as they are reported: checked row by row, journaled before they are acknowledged."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.model import ColumnContract
from seatrial.facts.prediction import Outcome
from seatrial.facts.records import OUTCOMES, encode_record
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.product.product import Product
from seatrial.serve.reports import Envelopes, Row, in_order, objects, read_rows
from seatrial.serve.request import Fault, Receipt

_COLUMNS = (ColumnContract(name="known_at", type="timestamp"),)


class OutcomeIntake:
    """Takes outcomes of one product."""

    def __init__(self, product: Product, journal: JournalWriter, clock: Clock) -> None:
        self._product = product
        self._journal = journal
        self._clock = clock
        self._envelopes = Envelopes(product, "outcome", _COLUMNS)
        self._values = RowDecoder(product.request, product.outcome_columns)

    def accept(self, rows: Sequence[object]) -> Receipt:
        """What was recorded and what was refused; the good rows are journaled, whatever the others are.

        A row names its prediction (`prediction_id`, or `key`) and holds the outcome columns of the contract,
        and may hold `known_at` (by default now) and `revision` (0). Raises JournalUnavailable.
        """
        faults: list[Fault] = []
        whole = objects(self._product, rows, faults)
        envelopes, values = self._parts(whole, faults)
        bad = {fault["row"] for fault in faults}
        good = [position for position in whole if position not in bad]
        if good:
            outcomes = [self._outcome(envelopes[position], values[position]) for position in good]
            self._journal.append(OUTCOMES, [encode_record(outcome) for outcome in outcomes])
        return Receipt(accepted=len(good), refused=in_order(faults))

    def _parts(self, whole: Mapping[int, Row], faults: list[Fault]) -> tuple[dict[int, Row], dict[int, Row]]:
        """Envelopes and outcome columns of the rows that read, by position; faults are added."""
        heads, bodies = {}, {}
        for position, row in whole.items():
            heads[position] = {name: row[name] for name in row if name in self._envelopes.columns}
            bodies[position] = {name: row[name] for name in row if name not in self._envelopes.columns}
        envelopes = self._envelopes.read(heads, faults)
        values = read_rows(self._values, bodies, faults)
        label = self._product.label
        faults += [_unlabelled(position, label) for position, row in values.items() if row[label] is None]
        return envelopes, values

    def _outcome(self, envelope: Row, values: Row) -> Outcome:
        now = self._clock.now()
        return Outcome(
            prediction_id=envelope["prediction_id"],
            key=envelope["key"],
            values={name: _recorded(value) for name, value in values.items()},
            known_at=envelope["known_at"] or now,
            received_at=now,
            revision=envelope["revision"] or 0,
        )


def _recorded(value: Any) -> float | int | bool | str | None:
    """As records hold it: dates and moments as text in ISO 8601."""
    return value.isoformat() if isinstance(value, date) else value  # a datetime is a date, too


def _unlabelled(row: int, label: str) -> Fault:
    return {"row": row, "field": label, "expected": "true or false: the outcome", "received": "null"}
