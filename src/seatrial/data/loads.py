"""What is stored of a source: its last load, and its rows as they stand or ever stood."""

import msgspec
import polars as pl

from seatrial.data.changes import CHANGE, LOAD, state
from seatrial.facts.job import Progress
from seatrial.facts.load import DONE, PENDING, Load
from seatrial.ports.metadata import Transaction
from seatrial.ports.tables import Tables


def last_load(transaction: Transaction, product: str, source: str) -> Load | None:
    """The newest load of a source whose rows are committed, or None."""
    progress = transaction.get(Progress, product, _pointer(source))
    return None if progress is None else transaction.get(Load, product, load_id(source, progress.position))


def loads_of(transaction: Transaction, product: str, source: str | None = None) -> list[Load]:
    """The loads whose rows are committed, oldest first; of one source, or of all."""
    done = [load for load in transaction.all(Load, product) if load.state == DONE]
    return [load for load in done if source in (None, load.source)]


def load_id(source: str, number: int) -> str:
    """The id of a source's load."""
    return f"{source}-{number:04d}"


def writer_of(source: str) -> str:
    """The name under which a source's loads are committed to its table; their numbers are the versions."""
    return f"load:{source}"


def put_pending(transaction: Transaction, load: Load) -> None:
    """Record what is about to be committed."""
    transaction.put(msgspec.structs.replace(load, state=PENDING))


def put_done(transaction: Transaction, load: Load) -> Load:
    """Record that a load's rows are committed: it is the source's last one now."""
    done = msgspec.structs.replace(load, state=DONE)
    transaction.put(done)
    pointer = Progress(id=_pointer(load.source), product=load.product, position=load.number, at=load.read_at)
    transaction.put(pointer)
    return done


def committed_but_pending(transaction: Transaction, tables: Tables, product: str, source: str) -> Load | None:
    """The load that was killed after its rows were committed and before that was recorded, or None."""
    last = last_load(transaction, product, source)
    pending = transaction.get(Load, product, load_id(source, (last.number if last else 0) + 1))
    if (
        pending is None
        or pending.state != PENDING
        or (tables.version(pending.table, writer_of(source)) or 0) < pending.number
    ):
        return None
    return pending


def stored_rows(tables: Tables, load: Load) -> pl.DataFrame:
    """The source's rows as they stood after the load, in order."""
    return state(tables.read(load.table, where=pl.col(LOAD) <= load.number), load.number)


def committed(tables: Tables, load: Load) -> pl.DataFrame:
    """Every change in the table of a source's last load, those of a process that never recorded them included."""
    return tables.read(load.table)


def rows_ever(tables: Tables, load: Load) -> pl.DataFrame:
    """Every change of the source's rows up to the load, with the columns that tell of it."""
    return tables.read(load.table, where=pl.col(LOAD) <= load.number)


def corrected_in(changes: pl.DataFrame, identity: list[str], aside: pl.DataFrame) -> pl.DataFrame:
    """The distinct values of `identity` and the loads that added a row with them after an earlier load had brought one.

    `aside` tells which values were put aside, by which load (columns `identity` and LOAD).
    """
    added = changes.filter(pl.col(CHANGE) > 0).select(*identity, LOAD).unique()
    first = pl.concat([added, aside.select(added.columns).cast(added.schema)])
    first = first.group_by(identity).agg(pl.col(LOAD).min().alias("__first"))
    later = added.join(first, on=identity, how="left", nulls_equal=True)
    return later.filter(pl.col(LOAD) > pl.col("__first")).drop("__first")


def _pointer(source: str) -> str:
    return f"load:{source}"
