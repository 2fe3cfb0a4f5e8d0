"""Corrections: what was declared to mend rows that break a rule, applied to every delivery and checked again."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from seatrial.contract.canonical import row_json
from seatrial.contract.check import Checked, check_table, sayable
from seatrial.contract.model import TableContract
from seatrial.contract.quarantine import quarantine_rows
from seatrial.contract.types import polars_type
from seatrial.data.mending import Change, changes_by, expression_problems, readable, with_changes
from seatrial.errors import ExpressionInvalid
from seatrial.facts.quarantine import Correction


@dataclass(frozen=True)
class Corrected:
    """The check after all corrections, and for each kept row that needed some: its line and their ids."""

    checked: Checked
    mended: dict[int, tuple[str, ...]]

    @property
    def through(self) -> dict[str, int]:
        """Per correction, how many rows it let through."""
        counts: dict[str, int] = {}
        for names in self.mended.values():
            for name in names:
                counts[name] = counts.get(name, 0) + 1
        return counts


def active(corrections: Iterable[Correction], source: str) -> list[Correction]:
    """The corrections of a source that stand, in the order in which they were declared."""
    standing = (one for one in corrections if one.source == source and not one.withdrawn)
    return sorted(standing, key=lambda one: (one.at, one.id))


def corrected_check(
    table: TableContract,
    frame: pl.DataFrame,
    corrections: Iterable[Correction],
    *,
    contract_version: str,
    at: datetime,
    others: Mapping[str, pl.DataFrame] | None = None,
    latest: datetime | None = None,
) -> tuple[Checked, dict[str, int]]:
    """The table against its contract after its corrections, and per correction how many rows it let through.

    See `correct`.
    """
    found = correct(
        table, frame, corrections, contract_version=contract_version, at=at, others=others, latest=latest
    )
    return found.checked, found.through


def correct(
    table: TableContract,
    frame: pl.DataFrame,
    corrections: Iterable[Correction],
    *,
    contract_version: str,
    at: datetime,
    others: Mapping[str, pl.DataFrame] | None = None,
    latest: datetime | None = None,
) -> Corrected:
    """The table against its contract, the rows that corrections concern after these.

    Corrected rows keep their place, and compete with all others where keys must be unique. What is still broken
    is in quarantine as it was delivered, under the rules that it still breaks. Of two corrections that set one
    column of a row, the one declared later stands; each reads the row as delivered. Raises DataRefused as
    `check_table` does, ExpressionInvalid when a correction no longer fits the contract.
    """
    given: dict[str, Any] = {
        "contract_version": contract_version,
        "at": at,
        "others": others,
        "latest": latest,
    }
    first = check_table(table, frame, **given)
    changes = changes_by(table, frame, first.quarantined, active(corrections, table.name))
    if not changes:
        return Corrected(first, {})
    checked = check_table(table, with_changes(table, frame, changes), **given)
    quarantined = _as_delivered(table, frame, checked.quarantined, contract_version, at)
    return Corrected(replace(checked, quarantined=quarantined), _mended(changes, checked.kept_lines))


def _mended(changes: Iterable[Change], kept: pl.Series) -> dict[int, tuple[str, ...]]:
    places = set(kept.to_list())
    mended: dict[int, tuple[str, ...]] = {}
    for change in changes:
        for line in change.lines:
            if line in places:
                mended[line] = (*mended.get(line, ()), change.correction)
    return dict(sorted(mended.items()))


def _as_delivered(
    table: TableContract, frame: pl.DataFrame, quarantined: pl.DataFrame, contract_version: str, at: datetime
) -> pl.DataFrame:
    """The rows put aside with their text as delivered, so that a row has one identity, corrected or not."""
    lines = quarantined["line"].unique(maintain_order=True)
    rows = [row_json(row) for row in sayable(frame[lines]).iter_rows(named=True)]
    texts = pl.DataFrame({"line": lines, "row": pl.Series(rows, dtype=pl.String)})
    broken = quarantined.select("line", "rule", "expected", "received")
    named = broken.join(texts, on="line", how="left", maintain_order="left")
    return quarantine_rows(table.name, named, contract_version=contract_version, at=at)


def check_correction(
    table: TableContract, rules: Collection[str], correction: Correction, delivered: Collection[str] = ()
) -> None:
    """Pass when the correction can be applied to rows of the table.

    `rules` are those that put rows aside, `delivered` the columns that rows were delivered with beside the
    contract's. Raises ExpressionInvalid with every problem: no such rule, nothing to set, a column that is not
    there, an expression that cannot be read or gives another type.
    """
    problems = []
    if correction.rule not in rules:
        problems.append(
            f"rule {correction.rule}: puts no row of {table.name} aside; those that do: {', '.join(rules)}"
        )
    if not correction.set:
        problems.append("set: expected at least one `column = expression`")
    columns = readable(table, correction.rule, delivered)
    problems += expression_problems(table, correction, columns)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise ExpressionInvalid(f"correction of source {table.name}, rule {correction.rule}:\n{listed}")


def error_rules(table: TableContract, at: datetime) -> tuple[str, ...]:
    """The rules of a table that put rows aside, in the order of the contract; told by a check of no rows."""
    empty = pl.DataFrame(schema={column.name: polars_type(column.type) for column in table.columns})
    others = {
        key.table: empty.select(
            pl.col(mine).alias(theirs) for mine, theirs in zip(key.columns, key.to, strict=True)
        )
        for key in table.foreign_keys
    }
    checked = check_table(table, empty, contract_version="", at=at, others=others)
    return tuple(result.rule for result in checked.results if result.severity == "error")
