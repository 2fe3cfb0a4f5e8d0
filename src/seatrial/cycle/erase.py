"""Erasure: every trace of rows with a value, for good, with a proof that does not hold the value.

The value is suppressed before anything is removed, so nothing brings it back meanwhile. What is removed is
recorded as a pending erasure first: killed anywhere and run again with the same value, it ends the same.
"""

from collections.abc import Iterable

import msgspec

from seatrial.cycle.cuts import record_remaining, totals_kept
from seatrial.cycle.drain import drain
from seatrial.cycle.erase_artifacts import erase_from_artifacts, holding
from seatrial.cycle.erase_facts import erase_from_facts
from seatrial.cycle.erase_rows import Found, counts, cuts_of, found_by
from seatrial.cycle.settle import Settlement
from seatrial.data.erasure import commitment_of, fresh_salt
from seatrial.data.reach import contracts_before
from seatrial.data.sought import Sought, sought_value, value_texts
from seatrial.facts.erasure import DONE, PENDING, Erasure
from seatrial.facts.job import Lease
from seatrial.facts.logbook import LogEntry
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product

LOGGED = "erased"
JOURNAL = "journal"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure of a value, and the logbook entries that carry its commitment."""

    erasure: Erasure
    entries: tuple[LogEntry, ...]


def found_of(workspace: Workspace, product: Product, *, column: str, value: str) -> Found:
    """What an erasure would remove now; nothing is changed. Raises NotFound when no source has the column."""
    sought = sought_value(product, column, value, contracts_before(workspace, product))
    found = _found(workspace, sought)
    sealed = [one for segment in workspace.journal.sealed() for one in segment.records]
    waiting = found.rows.get(JOURNAL, 0) + sum(map(sought.rows_in, sealed))
    return msgspec.structs.replace(found, rows=counts({**found.rows, JOURNAL: waiting}))


def erase(
    workspace: Workspace,
    product: Product,
    *,
    column: str,
    value: str,
    why: str,
    by: str,
    lease: Lease | None = None,
) -> Erasure:
    """The erasure, done. Whoever calls it is alone with the product: it holds the loop's lease.

    `column` is `key`, a column of a source or `source.column`. Done again it finds nothing more and changes nothing.
    Raises NotFound when no source has the column, StorageFailed and others as the stores do: it is then pending.
    """
    sought = sought_value(product, column, value, contracts_before(workspace, product))
    work = _Erasing(workspace, sought, lease)
    erasure = work.begun(column, why, by)
    work.settle()
    found = _found(workspace, work.sought)
    if erasure.state == DONE and not found.rows:
        return erasure
    erasure = work.planned(erasure, found)
    with totals_kept(workspace, product.name):
        work.remove()
    return work.done(erasure)


def proofs(workspace: Workspace, product: Product, value: str) -> tuple[Proof, ...]:
    """The erasures of a value, oldest first, each with its logbook entries; none when it was never erased."""
    with workspace.metadata.begin() as transaction:
        erasures = transaction.all(Erasure, product.name)
        entries = [entry for entry in transaction.logbook(product.name) if entry.kind == LOGGED]
    before = contracts_before(workspace, product)
    ours = [one for one in erasures if _is_of(one, value_texts(product, value, one.columns, before))]
    return tuple(
        Proof(
            erasure=one,
            entries=tuple(entry for entry in entries if entry.body.get("commitment") == one.commitment),
        )
        for one in ours
    )


def erasures_of(transaction: Transaction, product: str, model: str) -> list[Erasure]:
    """The erasures of rows that a model was trained on."""
    return [one for one in transaction.all(Erasure, product) if model in one.models]


class _Erasing:
    """One erasure at work."""

    def __init__(self, workspace: Workspace, sought: Sought, lease: Lease | None) -> None:
        self.workspace, self.sought, self.lease = workspace, sought, lease
        self.product = sought.product

    def begun(self, column: str, why: str, by: str) -> Erasure:
        """The erasure of this value that is recorded, from now on at the latest: what is delivered is suppressed."""
        with self.workspace.metadata.begin() as transaction:
            self._guard(transaction)
            known = transaction.all(Erasure, self.product.name)
            for erasure in known:
                if erasure.column == column and _is_of(erasure, self.sought.written):
                    return erasure
            # One salt for all, so that a delivered value is hashed once, however many were erased.
            salt = known[0].salt if known else fresh_salt()
            erasure = Erasure(
                id=f"e{len(known) + 1:04d}",
                product=self.product.name,
                column=column,
                columns=self.sought.reach.sources,
                declared=self._declared(),
                salt=salt,
                commitment=commitment_of(salt, self.sought.text),
                state=PENDING,
                rows={},
                snapshots=(),
                models=(),
                why=why,
                by=by,
                at=self.workspace.clock.now(),
            )
            transaction.put(erasure)
            return erasure

    def settle(self) -> None:
        """The journal into the tables, and what has matured booked, so that its money is kept.

        A run that was killed did so before it removed anything: only what came since is to be booked then.
        """
        came = 0
        while (drained := drain(self.workspace, self.product, lease=self.lease)).segments or drained.aside:
            came += drained.segments
        with self.workspace.metadata.begin() as transaction:
            begun = any(
                one.state == PENDING and one.rows for one in transaction.all(Erasure, self.product.name)
            )
        if self.product.compiled_objective is not None and (came or not begun):
            settlement = Settlement(self.workspace, self.product)
            settlement.settle(self.workspace.clock.now())
            settlement.store(self.lease)

    def planned(self, erasure: Erasure, found: Found) -> Erasure:
        """The erasure with all that it removes, recorded before it does."""
        again = erasure.state == DONE
        rows = dict(erasure.rows)
        for name, now in found.rows.items():
            # What a killed run had removed already, this one finds no more.
            before = rows.get(name, 0)
            rows[name] = before + now if again else max(before, now)
        planned = msgspec.structs.replace(
            erasure,
            state=PENDING,
            columns=_merged(erasure.columns, self.sought.reach.sources),
            declared=self._declared(),
            rows=counts(rows),
            snapshots=_together(erasure.snapshots, found.snapshots),
            models=_together(erasure.models, found.models),
        )
        self._put(planned)
        return planned

    def _declared(self) -> dict[str, tuple[str, ...]]:
        tables = self.product.contract.tables
        return {table.name: tuple(column.name for column in table.columns) for table in tables}

    def remove(self) -> None:
        """Take the value out of the journal, tables and artifacts."""
        tables, name = self.workspace.tables, self.product.name
        self.workspace.journal.forget(self.sought.without)
        for cut in cuts_of(self.workspace, self.sought):
            cut.make(tables)
        with self.workspace.metadata.begin() as transaction:
            self._guard(transaction)
            record_remaining(transaction, tables, name)
            erase_from_facts(transaction, self.sought)
        artifacts = holding(self.workspace, self.sought)
        erase_from_artifacts(self.workspace, self.sought, artifacts, self.workspace.clock.now())

    def done(self, erasure: Erasure) -> Erasure:
        """The erasure, recorded as done, with its proof in the logbook."""
        done = msgspec.structs.replace(erasure, state=DONE)
        body = {
            "column": done.column,
            "commitment": done.commitment,
            "rows": done.rows,
            "snapshots": list(done.snapshots),
            "models": list(done.models),
            "why": done.why,
        }
        with self.workspace.metadata.begin() as transaction:
            self._guard(transaction)
            transaction.put(done)
            transaction.log(product=done.product, kind=LOGGED, subject=done.id, body=body, actor=done.by)
        return done

    def _put(self, erasure: Erasure) -> None:
        with self.workspace.metadata.begin() as transaction:
            self._guard(transaction)
            transaction.put(erasure)

    def _guard(self, transaction: Transaction) -> None:
        if self.lease is not None:
            transaction.guard(self.lease)


def _found(workspace: Workspace, sought: Sought) -> Found:
    """All that holds the value, with the records of the journal that were set aside."""
    aside = 0

    def noted(record: bytes) -> bytes:
        nonlocal aside
        aside += sought.rows_in(record)
        return record  # looked at only

    workspace.journal.forget(noted)
    found = found_by(workspace, sought)
    return msgspec.structs.replace(found, rows=counts({**found.rows, JOURNAL: aside}))


def _is_of(erasure: Erasure, texts: Iterable[str]) -> bool:
    return any(commitment_of(erasure.salt, text) == erasure.commitment for text in texts)


def _together(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _merged(
    first: dict[str, tuple[str, ...]], second: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    return {name: _together(first.get(name, ()), second.get(name, ())) for name in {**first, **second}}
