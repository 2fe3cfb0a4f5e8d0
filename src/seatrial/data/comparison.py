"""What changed between two states of a table: rows, values, distributions, verdicts."""

from collections.abc import Collection, Sequence

import msgspec
import polars as pl

from seatrial.contract.diff import Change
from seatrial.contract.profile import distance, noise
from seatrial.data.changes import difference
from seatrial.data.profiles import TIMES, added_profile, missing_share
from seatrial.facts.profile import ColumnProfile, TableProfile
from seatrial.facts.snapshot import RuleResult


class ColumnChange(msgspec.Struct, frozen=True, kw_only=True):
    """One column. `changed` rows of both states differ in it, None where no key tells which rows are the same.

    `distance` in [0, 1] is between the distributions, None when a profile is missing; samples of one distribution
    exceed `noise` once in 1000 times. `appeared` and `vanished`
    are categories that only one of the profiles counts among its most frequent.
    """

    name: str
    type: str = ""
    changed: int | None
    distance: float | None
    noise: float | None
    missing: tuple[float, float] | None
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    @property
    def moves_by_itself(self) -> bool:
        """Whether it tells times: those of newer rows are later, and a distance says nothing."""
        return self.type in TIMES


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One rule whose verdict differs: failed of how many rows before and after; None where it was not checked."""

    source: str
    rule: str
    before: tuple[int, int] | None
    after: tuple[int, int] | None


class RowChange(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows each state has, and how many are only in one of them or in both with other values."""

    before: int
    after: int
    added: int
    removed: int
    changed: int | None
    key: tuple[str, ...]
    note: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two states of `table`, named by the ids of the loads or snapshots; columns by falling distance.

    Where rows only came, distances and missing shares compare the `fresh` rows with the old state: beside the whole
    of the new one, which holds the old rows too, a week would not be seen in a year.
    """

    table: str
    old: str
    new: str
    rows: RowChange
    columns: tuple[ColumnChange, ...]
    fresh: int | None
    added_columns: tuple[str, ...]
    removed_columns: tuple[str, ...]
    rules: tuple[RuleChange, ...]
    contract: tuple[str, str]
    contract_changes: tuple[Change, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a table at one load or snapshot."""

    id: str
    frame: pl.DataFrame
    profile: TableProfile | None
    rules: tuple[RuleResult, ...]
    contract_version: str


def compared(
    table: str,
    old: State,
    new: State,
    *,
    key: Sequence[str],
    hidden: Collection[str] = (),
    contract_changes: tuple[Change, ...] = (),
) -> Comparison:
    """What changed from `old` to `new`. Rows are the same when `key` says so; without one, when they are equal.

    Columns in `hidden` are compared as all are, but no category of theirs is told.
    """
    rows, both = _rows(old.frame, new.frame, tuple(key))
    shared = [name for name in new.frame.columns if name in old.frame.columns]
    fresh = added_profile(new.profile, old.profile) if new.profile and old.profile else None
    columns = [_column(name, both, (old.profile, new.profile, fresh or new.profile)) for name in shared]
    columns = [_masked(column) if column.name in hidden else column for column in columns]
    return Comparison(
        table=table,
        old=old.id,
        new=new.id,
        rows=rows,
        columns=tuple(sorted(columns, key=_by_distance)),
        fresh=fresh.rows if fresh else None,
        added_columns=tuple(name for name in new.frame.columns if name not in old.frame.columns),
        removed_columns=tuple(name for name in old.frame.columns if name not in new.frame.columns),
        rules=changed_rules(old.rules, new.rules),
        contract=(old.contract_version, new.contract_version),
        contract_changes=contract_changes,
    )


def changed_rules(old: Sequence[RuleResult], new: Sequence[RuleResult]) -> tuple[RuleChange, ...]:
    """Rules that failed otherwise than before, or that only one of the two checked; most failures first."""
    before, after = _verdicts(old), _verdicts(new)
    changes = [
        RuleChange(
            source=source, rule=rule, before=before.get((source, rule)), after=after.get((source, rule))
        )
        for source, rule in dict.fromkeys([*before, *after])
        if _failed(before.get((source, rule))) != _failed(after.get((source, rule)))
    ]
    return tuple(
        sorted(changes, key=lambda change: -max(_failed(change.after) or 0, _failed(change.before) or 0))
    )


def _verdicts(results: Sequence[RuleResult]) -> dict[tuple[str, str], tuple[int, int]]:
    return {(result.source, result.rule): (result.failed, result.rows) for result in results}


def _failed(verdict: tuple[int, int] | None) -> int | None:
    return None if verdict is None else verdict[0]


def _by_distance(change: ColumnChange) -> tuple[bool, float, int]:
    return (change.moves_by_itself, -(change.distance or 0.0), -(change.changed or 0))


def _rows(
    old: pl.DataFrame, new: pl.DataFrame, key: tuple[str, ...]
) -> tuple[RowChange, pl.DataFrame | None]:
    """The rows' changes, and the rows of both states side by side where a key tells which are the same."""
    note = _why_not(old, new, key)
    if note:
        return _unkeyed(old, new, note), None
    both = new.join(old, on=list(key), how="inner", suffix=_OLD, coalesce=True)
    values = [name for name in new.columns if name in old.columns and name not in key]
    differ = pl.any_horizontal(pl.lit(False), *(_differs(both, name) for name in values))
    change = RowChange(
        before=old.height,
        after=new.height,
        added=new.height - both.height,
        removed=old.height - both.height,
        changed=both.filter(differ).height,
        key=key,
    )
    return change, both


_OLD = "\x00before"


def _why_not(old: pl.DataFrame, new: pl.DataFrame, key: tuple[str, ...]) -> str:
    """Why the key cannot tell which rows are the same, or ""."""
    if not key:
        return "no key tells which rows are the same; equal rows count as the same"
    for frame in (old, new):
        if any(name not in frame.columns for name in key):
            return f"the key {', '.join(key)} is not in both states; equal rows count as the same"
        if not _identifies(frame, key):
            return (
                f"the key {', '.join(key)} is missing or repeated in some rows; equal rows count as the same"
            )
    return ""


def _identifies(frame: pl.DataFrame, key: tuple[str, ...]) -> bool:
    keys = frame.select(key)
    return not any(keys.null_count().row(0)) and not keys.is_duplicated().any()


def _unkeyed(old: pl.DataFrame, new: pl.DataFrame, note: str) -> RowChange:
    shared = [name for name in new.columns if name in old.columns and old.schema[name] == new.schema[name]]
    added, removed = difference(old.select(shared), new.select(shared))
    return RowChange(
        before=old.height,
        after=new.height,
        added=added.height,
        removed=removed.height,
        changed=None,
        key=(),
        note=note,
    )


def _differs(both: pl.DataFrame, name: str) -> pl.Expr:
    new, old = pl.col(name), pl.col(name + _OLD)
    if both.schema[name] != both.schema[name + _OLD]:
        new, old = new.cast(pl.String), old.cast(pl.String)
    return new.ne_missing(old)


def _column(
    name: str,
    both: pl.DataFrame | None,
    profiles: tuple[TableProfile | None, TableProfile | None, TableProfile | None],
) -> ColumnChange:
    """How a column changed, with its profiles before, after, and of the rows that are to be compared."""
    before, after, compared_with = (profile.column(name) if profile else None for profile in profiles)
    changed = _changed(both, name)
    if before is None or after is None or compared_with is None:
        return ColumnChange(name=name, changed=changed, distance=None, noise=None, missing=None)
    appeared, vanished = categories_changed(before, after)
    return ColumnChange(
        name=name,
        type=after.type,
        changed=changed,
        distance=distance(before, compared_with),
        noise=noise(before, compared_with),
        missing=(missing_share(before), missing_share(compared_with)),
        appeared=appeared,
        vanished=vanished,
    )


def _changed(both: pl.DataFrame | None, name: str) -> int | None:
    if both is None:
        return None
    if name + _OLD not in both.columns:
        return 0  # a column of the key: equal by definition
    return int(both.select(_differs(both, name).sum()).item())


def categories_changed(
    before: ColumnProfile, after: ColumnProfile
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The categories that appeared and those that vanished between two profiles of a column."""
    return _only(after, before), _only(before, after)


def _masked(change: ColumnChange) -> ColumnChange:
    return msgspec.structs.replace(change, appeared=(), vanished=())


def _only(one: ColumnProfile, other: ColumnProfile) -> tuple[str, ...]:
    """Categories of one profile that the other does not count; unknown, so none, where the other is cut off."""
    if other.others:
        return ()
    return tuple(name for name in one.top if name not in other.top)
