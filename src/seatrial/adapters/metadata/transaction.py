"""What happens inside one transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from seatrial.adapters.metadata import leases
from seatrial.adapters.metadata.codec import address, continued, decode, encode, kind_of
from seatrial.adapters.metadata.schema import LEASES, LOGBOOK, RECORDS
from seatrial.errors import IntegrityBroken
from seatrial.facts.job import Lease
from seatrial.facts.logbook import LogEntry
from seatrial.ports.clock import Clock

FactT = TypeVar("FactT", bound=msgspec.Struct)
_Insert = sqlite.Insert | postgresql.Insert
_INSERT: dict[str, Callable[[sa.Table], _Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlTransaction:
    """Reads and writes on one connection, whose owner commits or rolls back."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._insert = _INSERT[connection.dialect.name]

    def put(self, fact: msgspec.Struct) -> None:
        kind, product, id = address(fact)
        now = _text(self._clock.now())
        row = {
            "kind": kind, "product": product, "id": id, "body": encode(fact), "first_at": now, "changed_at": now
        }  # fmt: skip
        insert = self._insert(RECORDS).values(row)
        self._connection.execute(
            insert.on_conflict_do_update(
                index_elements=["kind", "product", "id"],
                set_={"body": insert.excluded.body, "changed_at": insert.excluded.changed_at},
            )
        )

    def get(self, kind: type[FactT], product: str, id: str) -> FactT | None:
        body = self._connection.scalar(
            sa.select(RECORDS.c.body).where(
                RECORDS.c.kind == kind_of(kind), RECORDS.c.product == product, RECORDS.c.id == id
            )
        )
        return None if body is None else decode(body, kind, id)

    def all(self, kind: type[FactT], product: str | None = None, *, limit: int | None = None) -> list[FactT]:
        query = sa.select(RECORDS.c.id, RECORDS.c.body).where(RECORDS.c.kind == kind_of(kind))
        if product is not None:
            query = query.where(RECORDS.c.product == product)
        newest_first = self._connection.execute(query.order_by(RECORDS.c.seq.desc()).limit(limit))
        return [decode(body, kind, id) for id, body in reversed(newest_first.all())]

    def log(
        self, *, product: str, kind: str, subject: str, body: dict[str, Any], actor: str = "seatrial"
    ) -> LogEntry:
        entry = LogEntry(
            seq=0,
            at=self._clock.now(),
            product=product,
            kind=kind,
            subject=subject,
            body=body,
            actor=actor,
            previous="",
        )
        stored = continued(self._last_entry(), entry)
        self._connection.execute(sa.insert(LOGBOOK).values(_entry_row(stored)))
        return stored

    def logbook(
        self, product: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[LogEntry]:
        query = sa.select(LOGBOOK).where(LOGBOOK.c.seq > after).order_by(LOGBOOK.c.seq).limit(limit)
        if product is not None:
            query = query.where(LOGBOOK.c.product == product)
        return [_entry(row) for row in self._connection.execute(query).mappings()]

    def guard(self, lease: Lease) -> None:
        leases.check_held(self.stored_lease(lease.name), lease, self._clock.now())

    def stored_lease(self, name: str) -> Lease | None:
        """The lease as it is stored, whoever holds it."""
        rows = self._connection.execute(sa.select(LEASES).where(LEASES.c.name == name)).mappings()
        row = rows.one_or_none()
        return None if row is None else msgspec.convert(_plain(row), Lease)

    def store_lease(self, lease: Lease) -> None:
        """Store a lease in place of the one before."""
        insert = self._insert(LEASES).values(msgspec.to_builtins(lease))
        self._connection.execute(
            insert.on_conflict_do_update(
                index_elements=["name"],
                set_={name: insert.excluded[name] for name in ("holder", "epoch", "expires_at")},
            )
        )

    def _last_entry(self) -> LogEntry | None:
        query = sa.select(LOGBOOK).order_by(LOGBOOK.c.seq.desc()).limit(1)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else _entry(row)


def _entry_row(entry: LogEntry) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(entry),
        "body": msgspec.json.encode(entry.body, order="sorted").decode(),
    }


def _entry(row: sa.RowMapping) -> LogEntry:
    try:
        return msgspec.convert(_plain(row) | {"body": msgspec.json.decode(row["body"])}, LogEntry)
    except msgspec.DecodeError as error:
        raise IntegrityBroken(
            f"logbook entry {row['seq']}: it does not read as one: {error}; it was changed after it was written"
        ) from error


def _plain(row: sa.RowMapping) -> dict[str, Any]:
    # SQLAlchemy's column names are a subclass of str, which msgspec refuses as keys.
    return {str(name): value for name, value in row.items()}


def _text(moment: datetime) -> str:
    return str(msgspec.to_builtins(moment))
