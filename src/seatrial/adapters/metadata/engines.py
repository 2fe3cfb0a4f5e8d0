"""Connections on which writers come one after the other, on SQLite and on PostgreSQL."""

import sqlite3
import time
from pathlib import Path

import sqlalchemy as sa

from seatrial.errors import MissingExtra, SettingsInvalid

_WAIT_SECONDS = 30
# Any number will do, as long as every Seatrial uses the same one in a database.
_ADVISORY_LOCK = 0x5EA7_71A1


def open_engine(url: str, *, durable: bool) -> sa.Engine:
    """An engine for `sqlite:///path` or `postgresql://…`. Raises SettingsInvalid, or MissingExtra without a driver."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise _unknown("it is no URL") from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, durable=durable)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed)
    raise _unknown(f"it begins with {parsed.drivername}")


def _sqlite(url: sa.URL, *, durable: bool) -> sa.Engine:
    if url.database in {None, "", ":memory:"}:
        raise _unknown("it names no file")
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": _WAIT_SECONDS})

    def connect(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own transactions begin at the first write: what was read before it can be lost.
        connection.isolation_level = None
        _use_wal(connection)
        # FULL syncs every commit, so that a promotion that was reported survives a loss of power.
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")

    sa.event.listen(engine, "connect", connect)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    # Processes that open a new file together get in each other's way here, and SQLite's own waiting does
    # not apply to this switch.
    until = time.monotonic() + _WAIT_SECONDS
    while not _switched_to_wal(connection, last_try=time.monotonic() > until):
        time.sleep(0.01)


def _switched_to_wal(connection: sqlite3.Connection, *, last_try: bool) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if last_try or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _postgresql(url: sa.URL) -> sa.Engine:
    try:
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg", "postgres") from error

    def begin(connection: sa.Connection) -> None:
        # Taken before anything is read, so that nothing read can change before the commit.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

    sa.event.listen(engine, "begin", begin)
    return engine


def _unknown(found: str) -> SettingsInvalid:
    problem = f"the URL must be sqlite:///path or postgresql://…, {found}; set it to one of the two"
    return SettingsInvalid([problem], name="metadata store")
