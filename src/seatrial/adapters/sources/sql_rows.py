"""Query results row by row, from any database that SQLAlchemy has a dialect for."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from seatrial.adapters.sources.sql_types import plain_types
from seatrial.errors import MissingExtra

_BATCH_ROWS = 50_000
# PostgreSQL's own numbers for its types, so that a column without values has its type too.
_POSTGRES_TYPES: dict[int, pl.DataType] = {
    16: pl.Boolean(),
    **dict.fromkeys((20, 21, 23), pl.Int64()),
    **dict.fromkeys((700, 701, 1700), pl.Float64()),
    **dict.fromkeys((25, 1042, 1043), pl.String()),
    1082: pl.Date(),
    1083: pl.Time(),
    1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"),
}
_PLAIN: dict[type, Callable[[Any], Any]] = {
    Decimal: float,
    UUID: str,
    dict: lambda value: json.dumps(value, ensure_ascii=False),
}


def row_tables(url: sa.URL, statement: str) -> Iterator[pl.DataFrame]:
    """The result in batches, the first one also when it has no rows. Raises MissingExtra without a driver."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            # A server-side cursor where there is one; `%` in the statement is no place for a parameter.
            streaming = connection.execution_options(stream_results=True, no_parameters=True)
            result = streaming.exec_driver_sql(statement)
            with _closed_at_last(result):
                yield from _batches(result)
    finally:
        engine.dispose()


@contextmanager
def _closed_at_last(result: sa.CursorResult[Any]) -> Iterator[None]:
    """Closes the driver's cursor also when the connection is gone, which SQLAlchemy leaves to the garbage."""
    cursor, driver = result.cursor, result.connection.dialect.dbapi
    try:
        yield
    finally:
        if driver is not None:
            with suppress(driver.Error):
                cursor.close()


def _batches(result: sa.CursorResult[Any]) -> Iterator[pl.DataFrame]:
    types = _types(result)
    given = False
    for rows in result.partitions(_BATCH_ROWS):
        given = True
        yield _frame(types, rows)
    if not given:
        yield _frame(types, ())


def _engine(url: sa.URL) -> sa.Engine:
    plain = url.get_backend_name() == "postgresql" and "+" not in url.drivername
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg") if plain else url, poolclass=sa.NullPool
        )
    except ModuleNotFoundError as error:
        extra = "postgres" if url.get_backend_name() == "postgresql" else "sql"
        raise MissingExtra(str(error.name), extra) from error


def _types(result: sa.CursorResult[Any]) -> dict[str, pl.DataType | None]:
    """The columns with their types, where the driver tells them."""
    described = result.cursor.description or ()
    codes = [column[1] for column in described]
    known = [_POSTGRES_TYPES.get(code) if isinstance(code, int) else None for code in codes]
    return dict(zip(result.keys(), known, strict=True))


def _frame(types: dict[str, pl.DataType | None], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return plain_types(
        pl.DataFrame(
            [_series(name, kind, values) for (name, kind), values in zip(types.items(), columns, strict=True)]
        )
    )


def _series(name: str, kind: pl.DataType | None, values: Sequence[Any]) -> pl.Series:
    plain = [_PLAIN[type(value)](value) if type(value) in _PLAIN else value for value in values]
    series = pl.Series(name, plain, dtype=kind, strict=False)
    return series.cast(pl.String) if series.dtype == pl.Null else series
