"""The metadata store on a database."""

import contextlib
import threading
from collections.abc import Iterator

import sqlalchemy as sa

from seatrial.adapters.metadata import leases
from seatrial.adapters.metadata.engines import open_engine
from seatrial.adapters.metadata.migrate import migrate
from seatrial.adapters.metadata.transaction import SqlTransaction
from seatrial.errors import Conflict
from seatrial.facts.job import Lease
from seatrial.ports.clock import Clock


class SqlMetadata:
    """Facts, leases and the logbook in one database. Transactions do not nest within a thread."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._inside = threading.local()

    @contextlib.contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        with self._alone(), self._connect() as connection, connection.begin():
            yield SqlTransaction(connection, self._clock)

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        with self.begin() as transaction:
            stored = transaction.stored_lease(name)
            lease = leases.taken(stored, name, holder, self._clock.now(), seconds)
            if lease is not None:
                transaction.store_lease(lease)
            return lease

    def renew(self, lease: Lease, seconds: float) -> Lease:
        with self.begin() as transaction:
            stored = transaction.stored_lease(lease.name)
            renewed = leases.prolonged(stored, lease, self._clock.now(), seconds)
            transaction.store_lease(renewed)
            return renewed

    def release(self, lease: Lease) -> None:
        with self.begin() as transaction:
            freed = leases.freed(transaction.stored_lease(lease.name), lease, self._clock.now())
            if freed is not None:
                transaction.store_lease(freed)

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # Without this, a second transaction would wait for its own thread until the database gives up.
        if getattr(self._inside, "yes", False):
            raise RuntimeError("a transaction is open in this thread already: use that one")
        self._inside.yes = True
        try:
            yield
        finally:
            self._inside.yes = False

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.OperationalError as error:
            raise Conflict(
                f"metadata store {self._engine.url.render_as_string(hide_password=True)}: "
                f"the transaction was broken off: {error.orig}; look what is stored, then try again"
            ) from error


def open_metadata(url: str, clock: Clock, *, durable: bool = True) -> SqlMetadata:
    """The store at `sqlite:///path` or `postgresql://…`, its schema brought up to date.

    Without `durable`, SQLite does not wait for the disk: for a scratch workspace that may be lost with
    the power. Raises SettingsInvalid for another URL or a newer schema, MissingExtra without a driver.
    """
    engine = open_engine(url, durable=durable)
    try:
        migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlMetadata(engine, clock)
