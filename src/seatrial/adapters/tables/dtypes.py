"""What a column may hold, so that it comes back from storage exactly as it was given."""

from collections.abc import Mapping

import polars as pl
from polars.datatypes import DataTypeClass

from seatrial.errors import DataRefused

_STORABLE: frozenset[type[pl.DataType]] = frozenset({
    pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Float32, pl.Float64,
    pl.Boolean, pl.String, pl.Binary, pl.Date, pl.Decimal,
})  # fmt: skip
_TIMESTAMP = pl.Datetime("us", "UTC")


def check_storable(table: str, frame: pl.DataFrame, existing: Mapping[str, pl.DataType]) -> None:
    """Nothing, when every column can be stored as it is. Raises DataRefused with every problem otherwise.

    Delta casts what does not fit, silently: 2.5 becomes 2 in an integer column, unsigned integers wrap.
    """
    problems = [_problem(name, dtype, existing.get(name)) for name, dtype in frame.schema.items()]
    if frame.width == 0:
        problems.append("no columns, expected at least one")
    if found := [problem for problem in problems if problem]:
        raise DataRefused(f"table {table}: the rows cannot be stored as they are: {'; '.join(found)}")


def _problem(name: str, dtype: pl.DataType, expected: pl.DataType | None) -> str:
    if _has_null_type(dtype):
        return f"column {name} holds only nulls and has no type, expected a type: cast it to the column's own"
    if not _is_storable(dtype):
        return f"column {name} is {dtype}, expected one of {_storable_names()}, or lists or structs of them"
    if expected is not None and expected != dtype:
        return f"column {name} is {dtype}, expected {expected} as in the rows already stored"
    return ""


def _is_storable(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Datetime):
        return dtype == _TIMESTAMP
    return all(_is_storable(inner) for inner in _inner(dtype)) if _inner(dtype) else type(dtype) in _STORABLE


def _has_null_type(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Null) or any(_has_null_type(inner) for inner in _inner(dtype))


def _inner(dtype: pl.DataType) -> list[pl.DataType]:
    if isinstance(dtype, pl.List):
        return [_instance(dtype.inner)]
    return [_instance(field.dtype) for field in dtype.fields] if isinstance(dtype, pl.Struct) else []


def _instance(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    return dtype() if isinstance(dtype, DataTypeClass) else dtype


def _storable_names() -> str:
    return ", ".join([*sorted(kind.__name__ for kind in _STORABLE), str(_TIMESTAMP)])
