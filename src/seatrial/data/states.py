"""Which two states of which table a person means, and what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from seatrial.contract.model import Contract
from seatrial.contract.odcs import read_contract
from seatrial.data.changes import LOAD, state
from seatrial.data.comparison import State
from seatrial.data.loads import loads_of, stored_rows
from seatrial.data.profiles import stored_profile
from seatrial.errors import NotFound
from seatrial.facts.load import Load
from seatrial.facts.profile import TableProfile
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.metadata import Transaction
from seatrial.ports.tables import Tables
from seatrial.product.product import Product

EXAMPLES = "examples"
SHORTEST_PREFIX = 6


@dataclass(frozen=True)
class Pair:
    """An earlier and a later load of one source, or two snapshots."""

    table: str
    old: Load | Snapshot
    new: Load | Snapshot


def pair(transaction: Transaction, product: str, first: str = "", second: str = "") -> Pair:
    """The two states that are meant, in the order given.

    With no name the two newest snapshots; with one, of a source or "examples", its two newest states; with one id,
    that state and the newest of its kind, or the one before if it is the newest itself. Raises NotFound.
    """
    if second:
        old, new = found(transaction, product, first), found(transaction, product, second)
        if table_of(old) != table_of(new):
            raise NotFound(
                f"{first} is of {table_of(old)} and {second} of {table_of(new)}: only states of one table compare"
            )
        return Pair(table_of(old), old, new)
    known = named(transaction, product, first or EXAMPLES)
    if known is not None:
        return _newest_two(known, first or EXAMPLES)
    one = found(transaction, product, first)
    others = named(transaction, product, table_of(one))
    assert others  # it is one of them
    if one.id == others[-1].id:
        return _newest_two(others, table_of(one))
    return Pair(table_of(one), one, others[-1])


def named(transaction: Transaction, product: str, table: str) -> list[Load] | list[Snapshot] | None:
    """All states of a source or of the examples, oldest first; None when nothing of that name was read."""
    if table == EXAMPLES:
        return transaction.all(Snapshot, product)
    return loads_of(transaction, product, table) or None


def found(transaction: Transaction, product: str, id: str) -> Load | Snapshot:
    """The load or snapshot with the id, or with the only id that begins so. Raises NotFound."""
    facts: list[Load | Snapshot] = [*loads_of(transaction, product), *transaction.all(Snapshot, product)]
    exact = [fact for fact in facts if fact.id == id]
    bare = id.removeprefix("sha256:")
    long = len(bare) >= SHORTEST_PREFIX
    begun = [fact for fact in facts if long and fact.id.removeprefix("sha256:").startswith(bare)]
    if exact or len(begun) == 1:
        return (exact or begun)[0]
    newest = ", ".join(fact.id for fact in facts[-3:]) or "nothing was read yet"
    raise NotFound(f"{product} has no load or snapshot {id}; the newest: {newest}")


def table_of(fact: Load | Snapshot) -> str:
    """The name of the source, or "examples"."""
    return fact.source if isinstance(fact, Load) else EXAMPLES


def state_of(fact: Load | Snapshot, tables: Tables, artifacts: Artifacts) -> State:
    """The rows, profile and verdicts at a load or snapshot."""
    if isinstance(fact, Load):
        frame = stored_rows(tables, fact)
    else:
        stored = tables.read(fact.table, where=pl.col(LOAD) <= fact.number)
        frame = state(stored, fact.number).select(fact.columns)
    return State(
        id=fact.id,
        frame=frame,
        profile=profile_of(fact, artifacts),
        rules=fact.rules,
        contract_version=fact.contract_version,
    )


def profile_of(fact: Load | Snapshot, artifacts: Artifacts) -> TableProfile | None:
    """The profile that was computed when the load or snapshot was made."""
    return stored_profile(artifacts, fact.profile)


def key_of(product: Product, table: str) -> tuple[str, ...]:
    """The columns that tell which rows of a table are the same: its primary key, or its only unique column."""
    if table == EXAMPLES:
        return (product.key,)
    contract = product.contract.table(table)
    if contract is None:
        return ()
    if contract.primary_key:
        return contract.primary_key
    alone = [column.name for column in contract.columns if column.unique and column.required]
    return tuple(alone[:1])


def contract_of(fact: Load | Snapshot, loads: Sequence[Load], artifacts: Artifacts) -> Contract | None:
    """The contract that held at a load, or at the newest load that a snapshot was made from; None when it is gone."""
    if isinstance(fact, Snapshot):
        read = {one.load for one in fact.sources}
        loads = [load for load in loads if load.id in read]
        if not loads:
            return None
        fact = max(loads, key=lambda load: load.read_at)
    if not artifacts.has(fact.contract):
        return None
    return read_contract(artifacts.get(fact.contract).decode())


def _newest_two(known: Sequence[Load] | Sequence[Snapshot], table: str) -> Pair:
    if len(known) < 2:
        what = "snapshot" if table == EXAMPLES else f"load of {table}"
        raise NotFound(
            f"there {'is one ' + what if known else 'is no ' + what} yet; two are needed to compare. "
            "`seatrial data` reads what is new and makes a snapshot"
        )
    return Pair(table, known[-2], known[-1])
