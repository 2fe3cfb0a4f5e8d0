"""What a delivery changes: its parts put together, and what is new and gone compared with what is stored."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import polars as pl

from seatrial.contract.model import TableContract
from seatrial.contract.rules import unique_groups
from seatrial.data.changes import difference
from seatrial.data.ports import Delivery
from seatrial.data.reading import stacked
from seatrial.facts.snapshot import RuleResult


def joined(found: Iterable[Delivery], name: str, *, incremental: bool) -> Iterator[Delivery]:
    """Increments one by one, each to be stored as it comes; the parts of a whole reading as one delivery.

    An incremental source is never taken as whole: what it no longer delivers is not gone.
    """
    parts: list[Delivery] = []
    for delivery in found:
        if incremental or not delivery.whole:
            yield dataclasses.replace(delivery, whole=False)
        else:
            parts.append(delivery)
    if parts:
        yield _one(parts, name)


def changes_of(
    old: pl.DataFrame, kept: pl.DataFrame, table: TableContract, *, whole: bool, redelivers: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows to add and the rows to remove so that `old`, in the columns of `kept`, becomes what `kept` tells.

    A whole delivery replaces everything. Of an increment, a row takes the place of those that share one of its
    unique keys; rows that are stored already are skipped where they are known by a key, or where `redelivers`
    tells that the source gives rows at the edge of an increment again. Else equal rows are several.
    """
    added, gone = difference(old, kept)
    if whole or old.is_empty():
        return added, gone
    groups = unique_groups(table)
    if not groups and not redelivers:
        return kept, gone.clear()
    return added, _replaced(old, added, groups)


def in_columns(old: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """The stored rows in the columns and types of the contract as it is now."""
    if old.is_empty():
        return old
    known = [pl.col(name) if name in old.columns else pl.lit(None).alias(name) for name in kept.columns]
    return old.select(known).cast(kept.schema, strict=False)


def _replaced(old: pl.DataFrame, added: pl.DataFrame, groups: Sequence[tuple[str, ...]]) -> pl.DataFrame:
    indexed = old.with_row_index("__row")
    taken = [
        indexed.join(added.select(group).unique(), on=list(group), how="semi").select("__row")
        for group in groups
    ]
    rows = pl.concat(taken)["__row"].unique().sort() if taken else pl.Series(dtype=pl.UInt32)
    return old[rows]


def added_up(before: Sequence[RuleResult], now: Sequence[RuleResult]) -> tuple[RuleResult, ...]:
    """The counts of both, rule by rule; a rule about the whole table counts as it is now."""
    known = {one.rule: one for one in before}
    asked = {one.rule for one in now}
    gone = [one for one in before if one.rule not in asked and not one.detail]
    return (*(_sum(known.get(one.rule), one) for one in now), *gone)


def news(rules: Sequence[RuleResult], *, rows: int, put_aside: Mapping[str, int]) -> tuple[RuleResult, ...]:
    """The same results over what was not delivered before: `rows`, of which `put_aside` by rule."""
    return tuple(
        one
        if one.detail
        else msgspec.structs.replace(
            one, rows=rows, failed=put_aside.get(one.rule, 0) if one.severity == "error" else one.failed
        )
        for one in rules
    )


def _sum(before: RuleResult | None, now: RuleResult) -> RuleResult:
    if before is None or now.detail:
        return now
    return msgspec.structs.replace(now, rows=before.rows + now.rows, failed=before.failed + now.failed)


def unreadable_rules(source: str, unread: pl.DataFrame, rows: int) -> tuple[RuleResult, ...]:
    """One result per rule under which a file's text could not be read as rows; none when all could."""
    counts = unread.group_by("rule").len().sort("rule").iter_rows()
    return tuple(
        RuleResult(source=source, rule=rule, rows=rows + unread.height, failed=failed)
        for rule, failed in counts
    )


def _one(parts: list[Delivery], name: str) -> Delivery:
    return Delivery(
        frame=stacked(name, [part.frame for part in parts]),
        position=parts[-1].position,
        whole=True,
        origin=", ".join(dict.fromkeys(part.origin for part in parts)),
        unreadable=pl.concat([part.unreadable for part in parts]),
    )
