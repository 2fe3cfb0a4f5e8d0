"""Actions as they are reported, what was really done: checked row by row, journaled before they are acknowledged."""

from collections.abc import Sequence
from typing import Any

from seatrial.contract.model import ColumnContract
from seatrial.facts.action import Action
from seatrial.facts.records import ACTIONS, encode_record
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.product.product import Product
from seatrial.serve.reports import Envelopes, in_order, objects
from seatrial.serve.request import Fault, Receipt

_COLUMNS = (
    ColumnContract(name="done", type="bool", required=True),
    ColumnContract(name="by", type="string", max_length=200),
    ColumnContract(name="at", type="timestamp"),
)


class ActionIntake:
    """Takes actions of one product."""

    def __init__(self, product: Product, journal: JournalWriter, clock: Clock) -> None:
        self._product = product
        self._journal = journal
        self._clock = clock
        self._envelopes = Envelopes(product, "action", _COLUMNS)

    def accept(self, rows: Sequence[object]) -> Receipt:
        """What was recorded and what was refused; the good rows are journaled, whatever the others are.

        A row names its prediction (`prediction_id`, or `key`), says with `done` whether the action was taken, and
        may hold `by`, `at` (by default now) and `revision` (0). Raises JournalUnavailable.
        """
        faults: list[Fault] = []
        envelopes = self._envelopes.read(objects(self._product, rows, faults), faults)
        bad = {fault["row"] for fault in faults}
        good = [self._action(row) for position, row in envelopes.items() if position not in bad]
        if good:
            self._journal.append(ACTIONS, [encode_record(action) for action in good])
        return Receipt(accepted=len(good), refused=in_order(faults))

    def _action(self, row: dict[str, Any]) -> Action:
        now = self._clock.now()
        return Action(
            prediction_id=row["prediction_id"],
            key=row["key"],
            done=row["done"],
            by=row["by"],
            at=row["at"] or now,
            received_at=now,
            revision=row["revision"] or 0,
        )
