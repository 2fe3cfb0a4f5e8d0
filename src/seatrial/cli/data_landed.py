"""What `seatrial data` did: the loads made now, then the snapshot and whether it is new."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.cli.words import table

if TYPE_CHECKING:
    from seatrial.facts.load import Load
    from seatrial.facts.snapshot import Snapshot
    from seatrial.ports.workspace import Workspace


@dataclass(frozen=True)
class Known:
    """The ids of the loads and snapshots that are there at one moment, to tell which come after."""

    product: str
    loads: frozenset[str]
    snapshots: frozenset[str]

    def since(self, workspace: "Workspace") -> "tuple[Load, ...]":
        """The loads that were made since, oldest first."""
        from seatrial.data.loads import loads_of

        with workspace.metadata.begin() as transaction:
            made = loads_of(transaction, self.product)
        return tuple(load for load in made if load.id not in self.loads)


def known(workspace: "Workspace", product: str) -> Known:
    """What is there now."""
    from seatrial.data.loads import loads_of
    from seatrial.facts.snapshot import Snapshot

    with workspace.metadata.begin() as transaction:
        loads = loads_of(transaction, product)
        snapshots = transaction.all(Snapshot, product)
    return Known(product, frozenset(one.id for one in loads), frozenset(one.id for one in snapshots))


def landed_data(snapshot: "Snapshot", loads: "Sequence[Load]", *, new: bool) -> dict[str, Any]:
    """The snapshot's own fields, `loads` with those made now, and whether the snapshot is `new`."""
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(snapshot)
    return {**fields, "loads": list(loads), "new": new}


def landed_text(snapshot: "Snapshot", loads: "Sequence[Load]", *, new: bool, told: str) -> str:
    """The loads made now and the rules they break; then the snapshot, `told` in words, or why there is no new one."""
    return "\n\n".join([*_loads(loads), told if new else _none_new(snapshot, loads)])


def _loads(loads: "Sequence[Load]") -> Iterator[str]:
    if not loads:
        yield "read now: nothing new"
        return
    headers = ("read now", "rows", "added", "removed", "put aside", "from")
    yield table(headers, [(load.id, *load_counts(load), load.origin[:60]) for load in loads])
    broken = [
        (load.id, rule.rule, rule.detail or f"{rule.failed:,} of {rule.rows:,}", rule.severity)
        for load in loads
        for rule in load.rules
        if rule.failed
    ]
    yield table(("load", "rule broken now", "rows", "severity"), broken) if broken else "they keep every rule"


def load_counts(load: "Load") -> tuple[str, ...]:
    """Rows read, added, removed and put aside."""
    return tuple(f"{count:,}" for count in (load.delivered, load.added, load.removed, load.quarantined))


def _none_new(snapshot: "Snapshot", loads: "Sequence[Load]") -> str:
    why = (
        "of what was read now, no example has matured yet, and none that had is changed"
        if any(load.added or load.removed for load in loads)
        else "nothing was added, and nothing that was there has matured since"
    )
    return (
        f"no new snapshot: {why}\n"
        f"it stays {snapshot.id}, made {snapshot.created_at:%Y-%m-%d %H:%M}: {snapshot.rows:,} examples, decided "
        f"{snapshot.first_made_at:%Y-%m-%d} to {snapshot.last_made_at:%Y-%m-%d}"
    )
