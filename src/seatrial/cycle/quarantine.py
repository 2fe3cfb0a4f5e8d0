"""What is done about rows in quarantine: corrections declared and withdrawn, rows checked again and taken in."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from seatrial.contract.model import TableContract
from seatrial.cycle.tools import SourceHistory
from seatrial.data.changes import standing
from seatrial.data.corrections import check_correction, error_rules
from seatrial.data.loads import last_load, rows_ever, stored_rows
from seatrial.data.ports import Delivery, Position
from seatrial.data.quarantine import STORED, distinct, open_rows, rows_of
from seatrial.data.recording import PUT_ASIDE_BEFORE
from seatrial.data.replay import Replay, plan_replay
from seatrial.errors import Conflict, NotFound
from seatrial.facts.load import Load
from seatrial.facts.quarantine import Correction
from seatrial.facts.tables import table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.product.schema import Source

_WRITER = "replay"


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay of one source did: `rows` were taken in by `load`, `corrected` counts them per correction.

    `replaced` rows are out of quarantine because a newer version is stored, `stored` rows because they are stored as
    they are; `still` counts, per rule, what the others break.
    """

    source: str
    rows: int
    load: str
    corrected: dict[str, int]
    replaced: int
    stored: int
    still: dict[str, int]


def sources_aside(product: Product, workspace: Workspace, source: str | None = None) -> list[str]:
    """The product's sources with open rows, or the one that is named. Raises NotFound for an unknown one."""
    if source is not None:
        contract_of(product, source)
        return [source]
    held = set(open_rows(workspace.tables, product.name)["source"])
    return [name for name in product.file.sources if name in held]


def check_names(
    product: Product, workspace: Workspace, *, source: str | None = None, rule: str | None = None
) -> None:
    """Nothing, where source and rule are known. Raises NotFound, naming those there are, where one is not."""
    tables = [contract_of(product, name) for name in ([source] if source else product.file.sources)]
    if rule is None:
        return
    now = workspace.clock.now()
    aside = open_rows(workspace.tables, product.name, source=source)["rule"].unique(maintain_order=True)
    known = dict.fromkeys([*aside, *(name for table in tables for name in error_rules(table, now))])
    if rule not in known:
        where = f"source {source}" if source else product.name
        raise NotFound(f"{where} has no rule {rule} that puts rows aside; it has {', '.join(known)}")


def contract_of(product: Product, source: str) -> TableContract:
    """The contract of a source. Raises NotFound, naming those there are."""
    table = product.contract.table(source)
    if table is None or source not in product.file.sources:
        raise NotFound(f"{product.name} has no source {source}; it has {', '.join(product.file.sources)}")
    return table


def planned(
    product: Product,
    workspace: Workspace,
    source: str,
    *,
    rule: str | None = None,
    trying: Sequence[Correction] = (),
    latest: datetime | None = None,
) -> Replay:
    """What a replay of a source would do, with the corrections that stand and those of `trying`; nothing is done.

    `latest` is the time that no decision or outcome may lie much after, by default the workspace's: the same that
    loading goes by, or replays would judge `<column>.future` otherwise. Raises NotFound for an unknown source, and
    what `plan_replay` raises.
    """
    table = contract_of(product, source)
    with workspace.metadata.begin() as transaction:
        last = last_load(transaction, product.name, source)
        corrections = [*transaction.all(Correction, product.name), *trying]
        loads = {key.table: last_load(transaction, product.name, key.table) for key in table.foreign_keys}
    tables = workspace.tables
    return plan_replay(
        table,
        open_rows(tables, product.name, source=source),
        standing(rows_ever(tables, last)) if last else pl.DataFrame(),
        corrections,
        whole=product.file.sources[source].incremental is None,
        contract_version=product.contract.version,
        at=workspace.clock.now(),
        rule=rule,
        others={name: stored_rows(tables, load) for name, load in loads.items() if load is not None},
        latest=latest,
    )


def replay(
    product: Product,
    workspace: Workspace,
    source: str,
    *,
    rule: str | None = None,
    actor: str,
    latest: datetime | None = None,
) -> Replayed:
    """The open rows of a source checked again; those that pass are taken in as a load, and logged.

    `latest` is what `planned` has it for.
    Killed between the load and its note, the rows are open still; a second replay finds them stored and notes it.
    Raises Conflict while another process reads the sources, or when the source must be read anew first; and what
    `planned` and a load raise.
    """
    reader = _Again(product, workspace, rule, latest)
    clock = None if latest is None else lambda: latest
    history = SourceHistory(make_reader=lambda: reader, workspace=workspace, latest=clock)
    loads = history.land(product, [source])
    plan = reader.plan
    assert plan is not None  # a landing reads
    taking = next((load for load in reversed(loads) if load.origin == PUT_ASIDE_BEFORE), None)
    found = _told(plan, workspace, product.name, load=taking.id if taking else "")
    _settle(workspace, product.name, plan, taking)
    with workspace.metadata.begin() as transaction:
        body = msgspec.to_builtins(found)
        transaction.log(
            product=product.name, kind="quarantine replayed", subject=source, body=body, actor=actor
        )
    return found


def would_replay(
    product: Product,
    workspace: Workspace,
    source: str,
    *,
    rule: str | None = None,
    latest: datetime | None = None,
) -> Replayed:
    """What `replay` would do; nothing is done."""
    plan = planned(product, workspace, source, rule=rule, latest=latest)
    return _told(plan, workspace, product.name, load="")


def _told(plan: Replay, workspace: Workspace, product: str, *, load: str) -> Replayed:
    """What the plan does; told before its rows are settled, while quarantine has them as open."""
    aside = open_rows(workspace.tables, product, source=plan.source)
    stored = [id for id, how, _ in plan.frees if how == STORED]
    return Replayed(
        source=plan.source,
        rows=plan.rows.height,
        load=load,
        corrected=plan.corrected,
        replaced=_rows_of(aside, plan.replaced),
        stored=_rows_of(aside, stored),
        still=dict(Counter(plan.still["rule"])),
    )


def _rows_of(aside: pl.DataFrame, ids: Sequence[str]) -> int:
    """How many rows the ids name: a row has one for every rule that it broke."""
    return distinct(aside.filter(pl.col("id").is_in(list(ids)))).height


@dataclass
class _Again:
    """A source whose delivery is what passes of its rows in quarantine; planned when the load begins."""

    product: Product
    workspace: Workspace
    rule: str | None
    latest: datetime | None = None
    plan: Replay | None = None

    def read(
        self, name: str, source: Source, folder: Path | None, *, since: Position | None = None
    ) -> Iterator[Delivery]:
        """The rows that pass, if any; where the source's own reading goes on does not change.

        Raises Conflict when that reading would begin anew: what it delivers then is not known yet.
        """
        del source, folder
        if since is None:
            raise Conflict(
                f"source {name}: its contract or its section of the product file changed since it was read; "
                "`seatrial data` reads it anew, and a replay is for what is aside then"
            )
        self.plan = planned(self.product, self.workspace, name, rule=self.rule, latest=self.latest)
        if self.plan.rows.height:
            yield Delivery(frame=self.plan.rows, position=since, whole=False, origin=PUT_ASIDE_BEFORE)


def _settle(workspace: Workspace, product: str, plan: Replay, load: Load | None) -> None:
    rows = plan.settlements(load=load.number if load else None, at=workspace.clock.now())
    if rows.height:
        name = table_name(product, "quarantine_settled")
        writer = f"{_WRITER}:{plan.source}"
        version = (workspace.tables.version(name, writer) or 0) + 1
        workspace.tables.append(name, rows, writer=writer, version=version)


def drafted(
    product: Product,
    workspace: Workspace,
    *,
    source: str,
    rule: str,
    values: dict[str, str],
    where: str,
    why: str,
    by: str,
) -> Correction:
    """The correction, checked against the contract and not recorded. Raises NotFound or ExpressionInvalid."""
    table = contract_of(product, source)
    now = workspace.clock.now()
    with workspace.metadata.begin() as transaction:
        number = len(transaction.all(Correction, product.name)) + 1
    correction = Correction(
        id=f"c{number:04d}",
        product=product.name,
        source=source,
        rule=rule,
        set=values,
        where=where,
        why=why,
        by=by,
        at=now,
    )
    aside = open_rows(workspace.tables, product.name, source=source)
    delivered = rows_of(distinct(aside), table).columns
    check_correction(table, error_rules(table, now), correction, delivered)
    return correction


def declare(workspace: Workspace, correction: Correction) -> None:
    """Record a correction: it is applied at every check from now on. The logbook names no values."""
    body = {
        "source": correction.source,
        "rule": correction.rule,
        "columns": list(correction.set),
        "why": correction.why,
    }
    with workspace.metadata.begin() as transaction:
        transaction.put(correction)
        transaction.log(
            product=correction.product,
            kind="correction declared",
            subject=correction.id,
            body=body,
            actor=correction.by,
        )


def withdraw(workspace: Workspace, product: str, id: str, *, actor: str) -> Correction:
    """The correction, applied no more; what it let through stays. Raises NotFound."""
    with workspace.metadata.begin() as transaction:
        found = transaction.get(Correction, product, id)
        if found is None:
            known = ", ".join(one.id for one in transaction.all(Correction, product)) or "none"
            raise NotFound(f"{product} has no correction {id}; there are: {known}")
        withdrawn = msgspec.structs.replace(found, withdrawn=True)
        transaction.put(withdrawn)
        body = {"source": found.source, "rule": found.rule}
        transaction.log(product=product, kind="correction withdrawn", subject=id, body=body, actor=actor)
    return withdrawn
