"""All sources of a product as tables: as they are stored, or read and checked without storing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.check import Checked, refuse_when_thinned
from seatrial.contract.set_rules import refuse_broken, set_results
from seatrial.contract.types import TIMESTAMP, polars_type
from seatrial.data.changes import CHANGE, CHANGE_SCHEMA, LOAD, POSITION, state
from seatrial.data.corrections import corrected_check
from seatrial.data.digest import rows_digest
from seatrial.data.loads import corrected_in, last_load, load_id, rows_ever
from seatrial.data.ports import SourceReader
from seatrial.data.quarantine import distinct, ever_aside, rows_of
from seatrial.data.reading import read_whole
from seatrial.errors import DataRefused, NotFound, SeatrialError, SourceFailed
from seatrial.facts.load import Load
from seatrial.facts.quarantine import Correction
from seatrial.facts.snapshot import RuleResult, SourceRead
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.lookups import KNOWN_FROM
from seatrial.product.product import Product


@dataclass(frozen=True)
class SourceTables:
    """What the sources gave: sound rows per source in contract types, how each was read, how each rule fared.

    `histories` holds, for sources of lookups whose rows were corrected, every row that ever stood, with the
    moment from which a corrected one was known here (product.lookups.KNOWN_FROM).
    """

    frames: Mapping[str, pl.DataFrame]
    reads: tuple[SourceRead, ...]
    rules: tuple[RuleResult, ...]
    histories: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def stored_tables(product: Product, workspace: Workspace) -> SourceTables:
    """The sources as they are stored. Raises NotFound when one was never landed."""
    with workspace.metadata.begin() as transaction:
        loads = {name: last_load(transaction, product.name, name) for name in product.file.sources}
    if absent := [name for name, load in loads.items() if load is None]:
        raise NotFound(
            f"{product.name}: nothing is stored of {', '.join(absent)}; `seatrial data` reads them"
        )
    frames: dict[str, pl.DataFrame] = {}
    histories: dict[str, pl.DataFrame] = {}
    for name, load in loads.items():
        assert load is not None  # told above
        changes = rows_ever(workspace.tables, load)
        frames[name] = state(changes)
        if load.number > 1:
            histories |= _histories(product, name, changes, workspace)
    present = [load for load in loads.values() if load is not None]
    return SourceTables(
        frames=frames,
        reads=tuple(_as_read(load) for load in present),
        rules=tuple(rule for load in present for rule in load.all_rules),
        histories=histories,
    )


def _histories(
    product: Product, name: str, changes: pl.DataFrame, workspace: Workspace
) -> dict[str, pl.DataFrame]:
    """The rows that ever stood, when a lookup reads the source; else nothing."""
    lookups = product.file.examples.lookups
    reading = [lookup for key, lookup in lookups.items() if product.lookup_source(key) == name]
    if not reading:
        return {}
    identity = sorted({*reading[0].on, *filter(None, (reading[0].as_of,))})
    corrected = corrected_in(changes, identity, _aside(product, name, identity, workspace))
    if corrected.is_empty():
        return {}
    with workspace.metadata.begin() as transaction:
        read_at = _read_at(transaction, product.name, name, corrected[LOAD].unique().to_list())
    known = corrected.with_columns(
        pl.col(LOAD).replace_strict(read_at, default=None, return_dtype=TIMESTAMP).alias(KNOWN_FROM)
    )
    rows = changes.filter(pl.col(CHANGE) > 0).sort(LOAD, POSITION)
    floored = rows.join(known, on=[*identity, LOAD], how="left", nulls_equal=True, maintain_order="left")
    return {name: floored.drop(LOAD, CHANGE, POSITION)}


def _aside(product: Product, source: str, identity: list[str], workspace: Workspace) -> pl.DataFrame:
    """What was ever put aside of a source, as far as it can be read: its `identity`, and the load that brought it.

    A row that is mended later was not usable before: it is no better known than one that came in its place.
    """
    table = product.contract.table(source)
    assert table is not None  # a product whose contract lacks a source is not read
    ever = distinct(ever_aside(workspace.tables, product.name, where=pl.col("source") == source))
    types = {column.name: column.type for column in table.columns}
    schema = {**{name: polars_type(types[name]) for name in identity}, LOAD: CHANGE_SCHEMA[LOAD]}
    if ever.is_empty():
        return pl.DataFrame(schema=schema)
    rows = rows_of(ever, table).select(identity).with_columns(ever["load"].alias(LOAD))
    read = {name: cast_column(name, types[name], rows.schema[name]) for name in identity}
    values = [one.value.alias(name) for name, one in read.items() if not isinstance(one, str)]
    return (
        rows.with_columns(values).drop_nulls()
        if len(values) == len(identity)
        else pl.DataFrame(schema=schema)
    )


def _read_at(transaction: Transaction, product: str, source: str, numbers: list[int]) -> dict[int, datetime]:
    found = (transaction.get(Load, product, load_id(source, number)) for number in numbers)
    return {load.number: load.read_at for load in found if load is not None}


def _as_read(load: Load) -> SourceRead:
    return SourceRead(
        name=load.source,
        kind=load.kind,
        rows=load.all_delivered,
        kept=load.rows,
        digest=load.digest,
        read_at=load.read_at,
        load=load.id,
    )


@dataclass(frozen=True)
class CheckedSources:
    """Sources read and checked without storing anything; `quarantined` as in facts.tables.QUARANTINE."""

    tables: SourceTables
    quarantined: pl.DataFrame


def read_sources(
    product: Product,
    reader: SourceReader,
    *,
    at: datetime,
    latest: datetime | None = None,
    corrections: Sequence[Correction] = (),
) -> CheckedSources:
    """Every source of the product, read whole, corrected and checked at `at`; nothing is stored.

    No time of a decision or outcome may lie much after `latest`, by default `at`. Raises SourceFailed when one
    cannot be read, DataRefused when one breaks the contract too much; with several failures, one error tells all.
    """
    checks: dict[str, Checked] = {}
    reads: list[SourceRead] = []
    rules: list[RuleResult] = []
    failures: list[SeatrialError] = []
    for name in sources_in_order(product):
        try:
            source, table = product.file.sources[name], product.contract.table(name)
            frame = read_whole(reader, name, source, product.folder, table)
            kept = {other: checked.kept for other, checked in checks.items()}
            checks[name], results = _check(product, name, frame, kept, corrections, at=at, latest=latest)
        except (SourceFailed, DataRefused) as error:
            failures.append(error)
        else:
            reads.append(_as_delivered(product, name, frame, checks[name], at))
            rules += results
    raise_together(failures)
    return CheckedSources(
        SourceTables({name: checks[name].kept for name in product.file.sources}, tuple(reads), tuple(rules)),
        pl.concat(checked.quarantined for checked in checks.values()),
    )


def _check(
    product: Product,
    name: str,
    frame: pl.DataFrame,
    kept: Mapping[str, pl.DataFrame],
    corrections: Sequence[Correction],
    *,
    at: datetime,
    latest: datetime | None,
) -> tuple[Checked, tuple[RuleResult, ...]]:
    table = product.contract.table(name)
    assert table is not None  # a product whose contract lacks a source is not read
    version = product.contract.version
    checked, _ = corrected_check(
        table, frame, corrections, contract_version=version, at=at, others=kept, latest=latest
    )
    refuse_when_thinned(table, checked.results, rows=checked.rows, rejected=checked.rejected)
    results = set_results(table, {**kept, name: checked.kept}, at=at, profile=None, reference=None)
    refuse_broken(results)
    return checked, (*checked.results, *results)


def _as_delivered(
    product: Product, name: str, frame: pl.DataFrame, checked: Checked, at: datetime
) -> SourceRead:
    return SourceRead(
        name=name,
        kind=product.file.sources[name].kind,
        rows=frame.height,
        kept=checked.kept.height,
        digest=rows_digest(checked.kept),
        read_at=at,
    )


def sources_in_order(product: Product) -> list[str]:
    """The sources, those that foreign keys point to before those that they point from, else as declared."""
    ordered: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        table = product.contract.table(name)
        for key in table.foreign_keys if table else ():
            if key.table in product.file.sources and key.table not in above:
                visit(key.table, (*above, name))
        if name not in ordered:
            ordered.append(name)

    for name in product.file.sources:
        visit(name, (name,))
    return ordered


def raise_together(failures: list[SeatrialError]) -> None:
    """One error for all failures; none for none."""
    if not failures:
        return
    if len(failures) == 1:
        raise failures[0]
    # A refusal does not pass by itself, so one among failures that may is what counts.
    kind = DataRefused if any(isinstance(one, DataRefused) for one in failures) else SourceFailed
    raise kind("\n".join(str(one) for one in failures)) from failures[0]
