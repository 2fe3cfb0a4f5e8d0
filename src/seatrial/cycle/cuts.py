"""What is taken out of the tables of a product for good, table by table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import polars as pl

from seatrial.cycle.tally import PROGRESS, Totals, progress_of
from seatrial.data.changes import state
from seatrial.data.digest import rows_digest
from seatrial.facts.job import Progress
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import examples_table, source_table
from seatrial.ports.metadata import Transaction
from seatrial.ports.tables import Tables
from seatrial.ports.workspace import Workspace

# Stands in the ledger where money is kept and whose it was is not.
ERASED = "erased"
_BLANKED = ("key", "unit")

Which = Callable[[pl.DataFrame], pl.Series]


@dataclass(frozen=True)
class Cut:
    """One table, and which of its rows go; with `blanks`, they stay, and only their key and unit go."""

    table: str
    which: Which
    blanks: bool = False

    def rows(self, tables: Tables) -> int:
        """How many rows the cut concerns."""
        return self.concerned(tables).height

    def concerned(self, tables: Tables) -> pl.DataFrame:
        """The rows that the cut concerns."""
        stored = tables.read(self.table)
        return stored.filter(self._hit(stored)) if stored.height else stored

    def make(self, tables: Tables) -> None:
        """Cut. Done again it changes nothing, and finishes a cut that was killed."""
        tables.rewrite(self.table, self._left)

    def _left(self, stored: pl.DataFrame) -> pl.DataFrame:
        hit = self._hit(stored)
        if not self.blanks:
            return stored.filter(~hit)
        return stored.with_columns(
            pl.when(hit).then(pl.lit(ERASED)).otherwise(pl.col(name)).alias(name) for name in _BLANKED
        )

    def _hit(self, stored: pl.DataFrame) -> pl.Series:
        hit = self.which(stored).fill_null(False)
        return hit & (stored["key"] != ERASED) if self.blanks else hit


def source_tables(tables: Tables, product: str) -> Iterator[tuple[str, str]]:
    """Every table with rows of a source, with the source's name; a source whose types changed has several."""
    prefix = source_table(product, "")
    for name in tables.names(prefix):
        yield name, name.removeprefix(prefix).split(".")[0]


def examples_tables(tables: Tables, product: str) -> list[str]:
    """Every table with examples; one more for each time that their columns changed."""
    plain = examples_table(product)
    return [name for name in tables.names(plain) if name == plain or name.startswith(f"{plain}.")]


def record_remaining(transaction: Transaction, tables: Tables, product: str) -> tuple[str, ...]:
    """The snapshots that hold fewer rows than were recorded of them; how many and which are left is recorded now."""
    stored = {name: tables.read(name) for name in examples_tables(tables, product)}
    changed = []
    for snapshot in transaction.all(Snapshot, product):
        frame = stored.get(snapshot.table, pl.DataFrame())
        left = state(frame, snapshot.number)
        erased = snapshot.rows - left.height
        if erased != snapshot.erased:
            remaining = rows_digest(left.select(snapshot.columns)) if left.width else ""
            transaction.put(msgspec.structs.replace(snapshot, erased=erased, remaining=remaining))
            changed.append(snapshot.id)
    return tuple(changed)


@contextmanager
def totals_kept(workspace: Workspace, product: str) -> Iterator[None]:
    """What was counted of all answers counts on after the block, though rows are gone: they were counted."""
    with workspace.metadata.begin() as transaction:
        progress = transaction.get(Progress, product, PROGRESS)
    yield
    if progress is None:
        return
    totals = msgspec.convert(progress.state["totals"], Totals)
    with workspace.metadata.begin() as transaction:
        transaction.put(progress_of(workspace, product, totals, position=progress.position))
