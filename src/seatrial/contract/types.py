"""Type names of contracts as Polars types."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from seatrial.contract.model import TypeName
from seatrial.facts.tables import Column

TIMESTAMP = pl.Datetime("us", "UTC")

# Tables of the workspace can hold neither times of day nor values of any shape: times are text as in 12:30:00,
# arrays and objects their canonical JSON.
POLARS: dict[str, Any] = {
    "string": pl.String(),
    "float": pl.Float64(),
    "int": pl.Int64(),
    "bool": pl.Boolean(),
    "timestamp": TIMESTAMP,
    "date": pl.Date(),
    "time": pl.String(),
    "array": pl.String(),
    "object": pl.String(),
}


def polars_type(name: str) -> Any:
    """The Polars type that holds a contract type."""
    return POLARS[name]


def type_name(dtype: Any) -> TypeName | None:
    """The contract type that a Polars type fits, or None (nested types, durations, binary).

    Dates fit timestamp: they count as their midnight in UTC.
    """
    if dtype.is_integer():
        return "int"
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    if dtype == pl.Boolean:
        return "bool"
    if isinstance(dtype, pl.Datetime | pl.Date) or dtype in (pl.Date, pl.Datetime):
        return "timestamp"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "string"
    return None


def polars_schema(columns: Sequence[Column]) -> dict[str, Any]:
    """The Polars schema of a table of `facts.tables`."""
    return {column.name: POLARS[column.type] for column in columns}
