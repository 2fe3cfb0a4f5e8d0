"""Query results row by row, from any database that SQLAlchemy has a dialect for."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from seatrial.adapters.sources.sql_types import exact_numbers, plain_types, refuse_altered
from seatrial.errors import MissingExtra

_BATCH_ROWS = 50_000
# PostgreSQL's own numbers for its types, so that a column without values has its type too.
_POSTGRES_TYPES: dict[int, pl.DataType] = {
    16: pl.Boolean(),
    **dict.fromkeys((20, 21, 23), pl.Int64()),
    **dict.fromkeys((700, 701), pl.Float64()),
    **dict.fromkeys((25, 1042, 1043), pl.String()),
    1082: pl.Date(),
    1083: pl.Time(),
    1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"),
}
_EXACT = 1700
# A column's type, or that its numbers are exact, and their digits after the point; None where nobody tells.
Described = tuple[pl.DataType | Literal["exact"] | None, int | None]
_PLAIN: dict[type, Callable[[Any], Any]] = {
    UUID: str,
    dict: lambda value: json.dumps(value, ensure_ascii=False),
}


def row_tables(url: sa.URL, statement: str) -> Iterator[pl.DataFrame]:
    """The result in batches, the first one also when it has no rows. Raises MissingExtra without a driver."""
    with _answer(url, statement) as result:
        yield from _batches(result)


def exact_scales(url: sa.URL, statement: str) -> dict[str, int]:
    """The digits after the point of exact numbers, by column, where the result says them.

    Raises MissingExtra without a driver.
    """
    with _answer(url, statement) as result:
        return {name: scale for name, (_, scale) in _types(result).items() if scale is not None}


@contextmanager
def _answer(url: sa.URL, statement: str) -> Iterator[sa.CursorResult[Any]]:
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            # A server-side cursor where there is one; `%` in the statement is no place for a parameter.
            streaming = connection.execution_options(stream_results=True, no_parameters=True)
            result = streaming.exec_driver_sql(statement)
            with _closed_at_last(result):
                yield result
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


def _types(result: sa.CursorResult[Any]) -> dict[str, Described]:
    """The columns with their types, where the driver tells them."""
    described = result.cursor.description or ()
    return dict(zip(result.keys(), map(_described, described), strict=True))


def _described(column: Sequence[Any]) -> Described:
    code = column[1]
    if not isinstance(code, int):
        return None, None
    return ("exact", column[5]) if code == _EXACT else (_POSTGRES_TYPES.get(code), None)


def _frame(types: Mapping[str, Described], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return plain_types(
        pl.DataFrame(
            [
                _series(name, *kind, values)
                for (name, kind), values in zip(types.items(), columns, strict=True)
            ]
        )
    )


def _series(
    name: str, kind: pl.DataType | Literal["exact"] | None, scale: int | None, values: Sequence[Any]
) -> pl.Series:
    if kind == "exact" or Decimal in map(type, values):
        texts = [None if value is None else format(Decimal(value), "f") for value in values]
        return exact_numbers(pl.Series(name, texts, dtype=pl.String), scale)
    plain = [_PLAIN[type(value)](value) if type(value) in _PLAIN else value for value in values]
    series = pl.Series(name, plain, dtype=kind, strict=False)
    refuse_altered(series, values)
    return series.cast(pl.String) if series.dtype == pl.Null else series
