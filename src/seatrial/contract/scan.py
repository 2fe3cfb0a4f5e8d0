"""The contract over a table that need not fit in memory: passes that stream, and say what `check_table` says.

A first pass reads the keys that must be unique, and nothing else, to learn which of their hashes repeat. The second
looks every row over for what could be wrong, cheaply; only rows under suspicion, those with repeated hashes among
them, are judged rule by rule. Memory holds the hashes (8 bytes per row and key, on disk beyond 128 MiB), rows
whose keys may repeat, and what is put aside.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from seatrial.contract.check import LINE, put_aside, typed
from seatrial.contract.complaints import complaint
from seatrial.contract.foreign_keys import foreign_rule, keys_to_find, with_found
from seatrial.contract.key_hashes import Hashes, KeyHashes
from seatrial.contract.model import TableContract
from seatrial.contract.profile import merge, profile_table
from seatrial.contract.quarantine import LINES, quarantine_rows
from seatrial.contract.quick import quick_casts, suspicion
from seatrial.contract.rules import (
    RAW,
    SOUND,
    Rule,
    any_error,
    casts_of,
    flags,
    row_rules,
    unique_groups,
    unique_rule,
)
from seatrial.contract.set_rules import freshness_result
from seatrial.errors import DataRefused
from seatrial.facts.profile import TableProfile
from seatrial.facts.snapshot import RuleResult

_BATCH_ROWS = 250_000
_HASH = "hash:"
_SUSPECT = "flag:suspect"


@dataclass(frozen=True)
class Scanned:
    """`results` has one entry per rule of rows, keys and freshness; `quarantined` one row per rule that a row broke.

    `rows` were read and `rejected` of them put aside. `profile` is of every row read, unreadable values missing;
    freshness is of the rows that break no rule of a row.
    """

    rows: int
    rejected: int
    results: tuple[RuleResult, ...]
    quarantined: pl.DataFrame
    profile: TableProfile | None


def scan_table(
    table: TableContract,
    rows: pl.LazyFrame,
    *,
    contract_version: str,
    at: datetime,
    others: Mapping[str, pl.DataFrame] | None = None,
    latest: datetime | None = None,
    spill: Path | None = None,
    profile: bool = False,
) -> Scanned:
    """The table against its contract, with the results, counts and quarantine of `check_table`.

    Hashes beyond memory go to a folder of their own within `spill`, by default the machine's place for temporary
    files; it is removed again. Raises DataRefused as `check_table` does.
    """
    with tempfile.TemporaryDirectory(prefix="scan-", dir=spill) as folder:
        scan = _Scan(table, rows, latest or at, others or {}, Path(folder))
        try:
            scan.read_keys()
            scan.read_rows(profiled=profile)
            scan.compare_keys()
        except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError) as error:
            reason = complaint(error)
            raise DataRefused(f"source {table.name}: its rules cannot be computed: {reason}") from None
    return Scanned(
        rows=scan.rows,
        rejected=scan.rejected,
        results=scan.results(at),
        quarantined=quarantine_rows(table.name, scan.lines(), contract_version=contract_version, at=at),
        profile=scan.profile,
    )


class _Scan:
    """What a scan has found so far."""

    def __init__(
        self,
        table: TableContract,
        rows: pl.LazyFrame,
        latest: datetime,
        others: Mapping[str, pl.DataFrame],
        folder: Path,
    ) -> None:
        self.table = table
        schema = rows.collect_schema()
        self.casts = casts_of(table, schema)
        self.quick = quick_casts(table, self.casts, schema)
        self.keys = keys_to_find(table, others)
        foreign = [foreign_rule(key, table) for key in self.keys]
        self.alone = [*row_rules(table, self.casts, latest=latest), *foreign]
        unfound = [rule.broken for rule in foreign if rule.broken is not None]
        self.suspicions = [*suspicion(table, self.casts, schema, latest=latest), *unfound]
        self.groups = [_Group(group, folder, number) for number, group in enumerate(unique_groups(table))]
        # The index comes first: that way the reader counts, and rows can be left out before they are decoded.
        self.stored = rows.with_row_index(LINE).select(
            pl.col(LINE).cast(pl.Int64), *(pl.col(name).alias(f"{RAW}{name}") for name in schema)
        )
        self.others = others
        self.rows = self.rejected = 0
        self.failed = dict.fromkeys((rule.name for rule in self.alone), 0)
        self.newest: dict[str, Any] = {rule.column: None for rule in table.freshness}
        self.profile: TableProfile | None = None
        self._aside: list[pl.DataFrame] = []
        self._candidates: list[pl.DataFrame] = []

    def read_keys(self) -> None:
        """The first pass, if keys must be unique."""
        if not self.groups:
            return
        names = {name: self.quick[name] for group in self.groups for name in group.columns}
        hashes = typed(self.stored, names).select(group.hash() for group in self.groups)
        pl.collect_all(
            [hashes.sink_batches(self._gather, chunk_size=_BATCH_ROWS, maintain_order=False, lazy=True)],
            engine="streaming",
        )
        for group in self.groups:
            group.repeated = group.hashes.repeated()

    def _gather(self, batch: pl.DataFrame) -> None:
        for group in self.groups:
            group.hashes.add(batch[group.name].drop_nulls().to_numpy())

    def read_rows(self, *, profiled: bool) -> None:
        """The second pass."""
        quick = typed(self.stored, self.quick)
        for key in self.keys:
            quick = with_found(quick, self.table, key, self.others)
        repeating = [group.is_repeated() for group in self.groups if len(group.repeated)]
        suspect = pl.any_horizontal(pl.lit(False), *self.suspicions, *repeating).fill_null(False)
        quick = quick.with_columns(suspect.alias(_SUSPECT))
        suspects = quick.filter(_SUSPECT).select(f"^({LINE}|{RAW}.*|found:.*)$")
        sinks = [suspects.sink_batches(self._judge, chunk_size=_BATCH_ROWS, maintain_order=False, lazy=True)]
        if profiled:
            # Batches are read in order, so that sums come out the same.
            columns = typed(self.stored, self.casts).select(list(self.casts))
            self._add_up(pl.DataFrame(schema=columns.collect_schema()))
            sinks.append(columns.sink_batches(self._add_up, chunk_size=_BATCH_ROWS, lazy=True))
        aged = [rule.column for rule in self.table.freshness]
        totals = quick.select(
            pl.len().alias(LINE), *(pl.col(name).filter(~pl.col(_SUSPECT)).max() for name in aged)
        )
        found = pl.collect_all([totals, *sinks], engine="streaming")[0].row(0, named=True)
        self.rows = int(found.pop(LINE))
        for name, newest in found.items():
            self._renew(name, newest)

    def _renew(self, name: str, newest: Any) -> None:
        if newest is not None and (self.newest[name] is None or newest > self.newest[name]):
            self.newest[name] = newest

    def _judge(self, suspects: pl.DataFrame) -> None:
        """Rows under suspicion: judged by every rule, and put aside where one of severity error is broken."""
        judged = (
            typed(suspects.lazy(), self.casts)
            .with_columns(flags(self.alone))
            .with_columns((~any_error(self.alone)).alias(SOUND))
            .collect()
        )
        for rule in self.alone:
            if rule.broken is not None:
                self.failed[rule.name] += int(judged[rule.flag].sum())
        unsound, sound = judged.filter(~pl.col(SOUND)), judged.filter(SOUND)
        self.rejected += unsound.height
        self._aside.append(put_aside(self.alone, unsound))
        for name in self.newest:
            self._renew(name, sound[name].max())
        repeating = [group.is_repeated() for group in self.groups if len(group.repeated)]
        if repeating:
            self._candidates.append(sound.filter(pl.any_horizontal(repeating)))

    def _add_up(self, batch: pl.DataFrame) -> None:
        part = profile_table(batch, self.table)
        self.profile = part if self.profile is None else merge(self.profile, part)

    def compare_keys(self) -> None:
        """Of the sound rows that may share a key, those that do are put aside, but for the last."""
        rules = [group.rule for group in self.groups]
        self.failed |= dict.fromkeys((rule.name for rule in rules), 0)
        if not self._candidates:
            return
        compared = pl.concat(self._candidates).sort(LINE).with_columns(flags(rules))
        repeated = compared.filter(any_error(rules))
        self.failed |= {rule.name: int(repeated[rule.flag].sum()) for rule in rules}
        self.rejected += repeated.height
        self._aside.append(put_aside(rules, repeated))

    def lines(self) -> pl.DataFrame:
        """What was put aside, rule by rule, by line."""
        found = pl.concat(self._aside) if self._aside else pl.DataFrame(schema=LINES)
        order = {rule.name: number for number, rule in enumerate(self._rules())}
        numbers = found["rule"].replace_strict(order, return_dtype=pl.Int64)
        return found.with_columns(numbers.alias("number")).sort("number", "line").drop("number")

    def _rules(self) -> list[Rule]:
        return [*self.alone, *(group.rule for group in self.groups)]

    def results(self, at: datetime) -> tuple[RuleResult, ...]:
        """One result per rule."""
        counted = [
            RuleResult(
                source=self.table.name,
                rule=rule.name,
                rows=self.rows,
                failed=self.failed[rule.name],
                severity=rule.severity,
            )
            for rule in self._rules()
        ]
        fresh = [
            freshness_result(self.table, rule, self.newest[rule.column], self.rows, at)
            for rule in self.table.freshness
        ]
        return (*counted, *fresh)


@dataclass
class _Group:
    """Columns that must be unique together: hashes of their values, and which of them repeat."""

    columns: tuple[str, ...]
    folder: Path
    number: int
    repeated: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

    def __post_init__(self) -> None:
        self.name = f"{_HASH}{self.number}"
        self.rule = unique_rule(self.columns)
        self.hashes = KeyHashes(self.folder, f"group-{self.number}")

    def hash(self) -> pl.Expr:
        """The hash of the values; null where one is missing."""
        values = pl.col(self.columns[0]) if len(self.columns) == 1 else pl.struct(self.columns)
        whole = pl.all_horizontal(pl.col(name).is_not_null() for name in self.columns)
        return pl.when(whole).then(values.hash()).alias(self.name)

    def is_repeated(self) -> pl.Expr:
        """Whether the hash of the values is one that repeats."""
        return self.hash().is_in(pl.Series(self.repeated).implode())
