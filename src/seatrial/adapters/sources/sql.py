"""Tables from SQL databases, by queries: as Arrow where a driver for it is there, else row by row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import sqlalchemy as sa

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.delivering import Otherwise, delivered
from seatrial.adapters.sources.sql_arrow import NoArrow, arrow_tables
from seatrial.adapters.sources.sql_errors import database_may_pass
from seatrial.adapters.sources.sql_rows import row_tables
from seatrial.data.ports import Delivery


class SqlSource:
    """Puts the query `sql` of a source to the database at `url`.

    With `incremental`, rows come in the order of that column, from the watermark on, in batches; the position
    moves with every batch, so that a reading that is cut short goes on where it was.
    """

    def __init__(self, *, with_arrow: bool = True) -> None:
        self._with_arrow = with_arrow

    def read(self, asked: Asked) -> Iterator[Delivery]:
        """The rows of the query. Raises SourceFailed when the database cannot be reached or refuses it."""
        url = _database(asked)
        with_arrow = self._with_arrow

        def opening(start: Any) -> Iterator[pl.DataFrame]:
            nonlocal with_arrow
            for statement in _statements(asked, url, start):
                try:
                    yield from arrow_tables(url, statement) if with_arrow else row_tables(url, statement)
                except NoArrow as error:
                    with_arrow = False
                    raise Otherwise from error

        return delivered(asked, opening, _shown(url), database_may_pass, ordered=True)


def _database(asked: Asked) -> sa.URL:
    """The database's address with its secrets. Raises SourceFailed when it is none, without showing it."""
    text = asked.credentials.resolve(str(asked.source.url))
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise asked.failed("its url is no SQLAlchemy URL (dialect://user:password@host/database)") from None
    if url.password:
        asked.credentials.hide(url.password)
    for key, value in url.query.items():
        if "pass" in key:
            asked.credentials.hide(str(value))
    options = asked.credentials.options(asked.source.options)
    url = url.update_query_dict(options) if options else url
    return _sqlite_file(asked, url) if url.get_backend_name() == "sqlite" else url


def _sqlite_file(asked: Asked, url: sa.URL) -> sa.URL:
    """A file that is there, opened for reading only: a name that is none would make an empty database."""
    path = asked.within(str(url.database or ""))
    if not path.is_file():
        raise asked.failed(f"no SQLite file at {path}")
    return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})


def _shown(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"sqlite {Path(str(url.database)).name}"
    return f"{url.get_backend_name()} {url.host or ''}/{url.database or ''}"


def _statements(asked: Asked, url: sa.URL, start: Any) -> list[str]:
    """The query itself; of an incremental source, its rows without a value and then the others in order."""
    sql, column = str(asked.source.sql).strip().rstrip(";"), asked.source.incremental
    if column is None:
        return [sql]
    # Named parameters, of which there are none, or the percent signs of a text would be doubled.
    dialect = sa.create_mock_engine(url, executor=print, paramstyle="named").dialect
    name = dialect.identifier_preparer.quote(column)
    after = f">= {_literal(start, dialect)}" if start is not None else "IS NOT NULL"
    # The line's end closes a comment that the query may end with.
    rows = f"SELECT * FROM (\n{sql}\n) AS seatrial_source WHERE {name}"  # noqa: S608 - it is the user's own query
    return [f"{rows} IS NULL", f"{rows} {after} ORDER BY {name}"]


def _literal(value: Any, dialect: sa.Dialect) -> str:
    return str(sa.literal(value).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
