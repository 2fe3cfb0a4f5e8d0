"""What outcomes and actions have in common as they are reported: which prediction they are about, row by row."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.masking import masked_faults
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.product.product import Product
from seatrial.serve.request import Fault

Row = dict[str, Any]
_NAMES = (
    ColumnContract(name="prediction_id", type="string", max_length=200),
    ColumnContract(name="key", type="string", max_length=1000),
    ColumnContract(name="revision", type="int", minimum=0),
)


class Envelopes:
    """Reads what every report of a kind holds: what names its prediction, its revision, and `columns`."""

    def __init__(self, product: Product, kind: str, columns: tuple[ColumnContract, ...]) -> None:
        table = _table(product, kind, columns)
        self.columns = tuple(column.name for column in table.columns)
        self._decoder = RowDecoder(table, self.columns)

    def read(self, rows: Mapping[int, Row], faults: list[Fault]) -> dict[int, Row]:
        """The envelopes that read, by position; a column that is not there is None. The faults of others are added."""
        found = read_rows(self._decoder, {position: _keyed(row) for position, row in rows.items()}, faults)
        faults += [
            _nameless(position)
            for position, row in found.items()
            if row["prediction_id"] is None and row["key"] is None
        ]
        return found


def objects(product: Product, rows: Sequence[object], faults: list[Fault]) -> dict[int, Row]:
    """The rows that are objects, by position; the faults of the others are added."""
    strange = [_no_object(position, row) for position, row in enumerate(rows) if not isinstance(row, Mapping)]
    faults += masked_faults(product.request, strange)
    return {position: dict(row) for position, row in enumerate(rows) if isinstance(row, Mapping)}


def read_rows(decoder: RowDecoder, rows: Mapping[int, Row], faults: list[Fault]) -> dict[int, Row]:
    """The rows that the decoder takes, by position; the faults of the others are added."""
    positions = [*rows]
    good, wrong = decoder.partial([*rows.values()])
    faults += [{**fault, "row": positions[int(str(fault["row"]))]} for fault in wrong]
    return {positions[index]: row for index, row in good}


def in_order(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """The faults in the order of their rows."""
    return tuple(sorted(faults, key=lambda fault: int(str(fault["row"]))))


def _table(product: Product, kind: str, columns: tuple[ColumnContract, ...]) -> TableContract:
    """The contract of envelopes; a key is as sensitive as the product's contract says."""
    key = product.request.column(product.key)
    classification = key.classification if key else None
    names = (
        msgspec.structs.replace(column, classification=classification) if column.name == "key" else column
        for column in _NAMES
    )
    return TableContract(name=kind, columns=(*names, *columns))


def _keyed(row: Row) -> Row:
    """Predictions keep every key as text."""
    key = row.get("key")
    return row | {"key": str(key)} if isinstance(key, int) and not isinstance(key, bool) else row


def _no_object(row: int, received: object) -> Fault:
    return {"row": row, "field": "", "expected": "an object", "received": repr(received)[:80]}


def _nameless(row: int) -> Fault:
    return {
        "row": row,
        "field": "prediction_id",
        "expected": "a prediction_id or a key",
        "received": "neither",
    }
