"""A table against its contract in passes that stream, nothing stored: what broke, and whether it would be refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from seatrial.contract.check import LINE, refuse_when_thinned, typed
from seatrial.contract.model import Contract, TableContract
from seatrial.contract.quarantine import quarantine_rows
from seatrial.contract.rules import RAW, casts_of
from seatrial.contract.scan import Scanned, scan_table
from seatrial.contract.set_rules import refuse_broken, set_results
from seatrial.data.merging import unreadable_rules
from seatrial.errors import DataRefused
from seatrial.facts.profile import TableProfile
from seatrial.facts.snapshot import RuleResult


@dataclass(frozen=True)
class Streamed:
    """`rows` were read and `rejected` of them break a rule of severity error; `results` has one entry per rule.

    `quarantined` has the columns of facts.tables.QUARANTINE. `refused` says why the table would not be taken in:
    a text per reason, none when it would. `not_looked_up` names foreign keys, whose tables are not at hand.
    """

    rows: int
    rejected: int
    results: tuple[RuleResult, ...]
    quarantined: pl.DataFrame
    profile: TableProfile | None
    refused: tuple[str, ...]
    not_looked_up: tuple[str, ...]


def check_streamed(
    contract: Contract,
    table: TableContract,
    rows: pl.LazyFrame,
    unreadable: pl.DataFrame,
    *,
    at: datetime,
    profile: bool = False,
    spill: Path | None = None,
) -> Streamed:
    """The rows as `scan_table` finds them, and lines that are none, under every rule that needs no other table.

    `unreadable` has the columns of data.ports.UNREADABLE_SCHEMA. A rule about the whole table that is none of
    freshness costs a pass more. Raises DataRefused when columns are missing or cannot be read as their type.
    """
    scanned = scan_table(table, rows, contract_version=contract.version, at=at, profile=profile, spill=spill)
    unread = quarantine_rows(table.name, unreadable, contract_version=contract.version, at=at)
    results = (
        *scanned.results,
        *unreadable_rules(table.name, unread, scanned.rows),
        *_about_the_whole(table, rows, scanned, at),
    )
    read, rejected = scanned.rows + unread.height, scanned.rejected + unread.height
    return Streamed(
        rows=read,
        rejected=rejected,
        results=results,
        quarantined=pl.concat([scanned.quarantined, unread]),
        profile=scanned.profile,
        refused=tuple(_refused(table, results, read, rejected)),
        not_looked_up=tuple(
            f"{', '.join(key.columns)} in {key.table}"
            for key in table.foreign_keys
            if key.table != table.name
        ),
    )


def _about_the_whole(
    table: TableContract, rows: pl.LazyFrame, scanned: Scanned, at: datetime
) -> tuple[RuleResult, ...]:
    if not table.set_rules:
        return ()
    casts = casts_of(table, rows.collect_schema())
    numbered = rows.select(pl.all().name.prefix(RAW)).with_row_index(LINE)
    aside = scanned.quarantined["line"].unique().implode()
    kept = typed(numbered, casts).filter(~pl.col(LINE).cast(pl.Int64).is_in(aside)).select(list(casts))
    # Freshness was found in the scan.
    return set_results(table, {table.name: kept}, at=at, fresh=False)


def _refused(table: TableContract, results: Sequence[RuleResult], rows: int, rejected: int) -> Iterator[str]:
    try:
        refuse_when_thinned(table, results, rows=rows, rejected=rejected)
    except DataRefused as error:
        yield str(error)
    try:
        refuse_broken(results)
    except DataRefused as error:
        yield str(error)
