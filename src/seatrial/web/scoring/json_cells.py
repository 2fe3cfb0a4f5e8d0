"""Values of any shape in formats that have only text for them."""

from typing import Any

import msgspec

from seatrial.contract.model import ColumnContract


def json_cell(column: ColumnContract, value: Any) -> Any:
    """What a text says in JSON, for a column of arrays or objects; anything else as it is."""
    if column.type not in ("array", "object") or not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value
