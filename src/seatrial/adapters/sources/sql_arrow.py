"""Query results as Arrow, straight from the database's wire: ADBC drivers for SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from importlib import import_module
from types import ModuleType
from typing import Any

import polars as pl
import polars.selectors as cs
import sqlalchemy as sa

from seatrial.adapters.sources.sql_errors import database_may_pass
from seatrial.adapters.sources.sql_rows import exact_scales
from seatrial.adapters.sources.sql_types import EXACT, is_exact, plain_types
from seatrial.errors import MissingExtra

_DRIVERS = {"sqlite": "adbc_driver_sqlite.dbapi", "postgresql": "adbc_driver_postgresql.dbapi"}
_BATCH = {
    "sqlite": {"adbc.sqlite.query.batch_rows": "50000"},
    "postgresql": {"adbc.postgresql.batch_size_hint_bytes": str(8 * 2**20)},
}


class NoArrow(Exception):
    """No driver gives this result as Arrow: none is installed, or a column has a type that it cannot give."""


def arrow_tables(url: sa.URL, statement: str) -> Iterator[pl.DataFrame]:
    """The result in batches, the first one also when it has no rows. Raises NoArrow, or what may pass as it is."""
    backend = url.get_backend_name()
    driver = _driver(backend)
    try:
        with closing(driver.connect(_address(url))) as connection, closing(connection.cursor()) as cursor:
            cursor.adbc_statement.set_options(**_BATCH[backend])
            cursor.execute(statement)
            for table in _batches(cursor.fetch_arrow(), lambda: _scales(url, statement)):
                if backend == "sqlite":
                    _check_floats(table)
                yield table
    except NoArrow:
        raise
    except Exception as error:
        # What will not pass is tried row by row: that may work, and else tells better what is wrong.
        if database_may_pass(error):
            raise
        raise NoArrow(str(error)) from error


def _driver(backend: str) -> ModuleType:
    try:
        return import_module(_DRIVERS[backend])
    except (KeyError, ModuleNotFoundError) as error:
        raise NoArrow(f"no ADBC driver for {backend}") from error


def _address(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"{url.database}?mode=ro"
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _scales(url: sa.URL, statement: str) -> Mapping[str, int]:
    """The scales of exact numbers, which PostgreSQL's own driver tells, if it is there, and this one does not."""
    try:
        return exact_scales(url, statement)
    except MissingExtra:
        return {}


def _batches(stream: Any, scales_of: Callable[[], Mapping[str, int]]) -> Iterator[pl.DataFrame]:
    from arro3.core import RecordBatchReader

    reader = RecordBatchReader.from_stream(stream)
    _check_types(reader.schema)
    empty = pl.DataFrame(reader.schema.empty_table())
    scales = scales_of() if any(map(is_exact, empty.dtypes)) else {}
    given = False
    for batch in reader:
        given = True
        yield plain_types(pl.DataFrame(batch), scales)
    if not given:
        yield plain_types(empty, scales)


def _check_floats(table: pl.DataFrame) -> None:
    """SQLite's columns may hold whole numbers beside fractions, which this driver makes floats, altered or not."""
    for column in table.select(cs.float()).iter_columns():
        if (column.abs() >= EXACT).any():
            raise NoArrow(f"column {column.name} may hold whole numbers beyond 2^53")


def _check_types(schema: Any) -> None:
    from arro3.core import DataType

    known = (
        DataType.is_boolean, DataType.is_integer, DataType.is_floating, DataType.is_string,
        DataType.is_large_string, DataType.is_date, DataType.is_time, DataType.is_timestamp,
        DataType.is_null,
    )  # fmt: skip
    for field in schema:
        if not any(is_a(field.type) for is_a in known):
            raise NoArrow(f"column {field.name} is {field.type}")
