"""What a new version of a contract changes, and whether that breaks someone, widens silently, or does no harm.

Breaking: rows that were accepted are refused, or a consumer loses what it relied on. Silent widening: rows that
were refused come through, and nobody is told. The rest is compatible.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from seatrial.contract.diff.changes import BREAKING, COMPATIBLE, WIDENING, Change, change, share
from seatrial.contract.diff.columns import column_changes
from seatrial.contract.diff.rules import rule_changes
from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.errors import ContractInvalid

_VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+)$")


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference between two versions, breaking ones first; empty when they ask the same of the data."""
    found = [*_head(old, new), *_tables(old, new)]
    rank = {BREAKING: 0, WIDENING: 1, COMPATIBLE: 2}
    return tuple(sorted(found, key=lambda one: rank[one.kind]))


def needed_version(old: Contract, new: Contract) -> str:
    """The version that `new` should have at least: the next major, minor or patch after the one of `old`.

    The version of `old` when nothing changed, or when it is not of the form 1.2.3 (then nobody can tell).
    """
    match, kinds = _VERSION.match(old.version), {one.kind for one in compare(old, new)}
    if match is None or not kinds:
        return old.version
    major, minor, patch = map(int, match.groups())
    if BREAKING in kinds:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if WIDENING in kinds else f"{major}.{minor}.{patch + 1}"


def refuse_breaking(old: Contract, new: Contract) -> None:
    """Raises ContractInvalid with every breaking change when the major version did not rise with them."""
    breaking = [one for one in compare(old, new) if one.kind == BREAKING]
    if breaking and not _major(new.version) > _major(old.version):
        problems = [f"{one.place}: {one.what}: {one.why}" for one in breaking]
        advice = (
            f"version: {new.version} after {old.version}; raise it to {_next_major(old.version)} to mean this"
        )
        raise ContractInvalid([*problems, advice], name=f"contract {new.id}, breaking changes")


def _major(version: str) -> int:
    digits = re.match(r"\d+", version)
    return int(digits[0]) if digits else 0


def _next_major(version: str) -> str:
    return f"{_major(version) + 1}.0.0"


def _head(old: Contract, new: Contract) -> Iterator[Change]:
    if old.status != new.status:
        yield change(COMPATIBLE, "status", f"{old.status} → {new.status}", "says how far the agreement is")
    if old.description != new.description:
        yield change(COMPATIBLE, "description", "changed", "words only")
    for note in (one for one in new.not_enforced if one not in old.not_enforced):
        yield change(WIDENING, "not enforced", note, "it is kept in the file and checked by nobody here")


def _tables(old: Contract, new: Contract) -> Iterator[Change]:
    for table in old.tables:
        after = new.table(table.name)
        if after is None:
            yield change(BREAKING, table.name, "table removed", "whoever reads it finds nothing")
        else:
            yield from _table(table, after)
    for table in new.tables:
        if old.table(table.name) is None:
            yield change(COMPATIBLE, table.name, "table added", "nobody relied on it yet")


def _table(old: TableContract, new: TableContract) -> Iterator[Change]:
    yield from _columns(old, new)
    yield from rule_changes(old, new)
    place, shares = old.name, (old.stop_above, new.stop_above)
    if new.minimum_rows != old.minimum_rows:
        kind = BREAKING if new.minimum_rows > old.minimum_rows else WIDENING
        why = (
            "smaller deliveries are refused now"
            if kind == BREAKING
            else "a thinned delivery passes unnoticed"
        )
        yield change(kind, place, f"at least {old.minimum_rows} → {new.minimum_rows} rows", why)
    yield from share(f"{place}.stopAbove", *shares)
    if old.description != new.description:
        yield change(COMPATIBLE, place, "description changed", "words only")


def _columns(old: TableContract, new: TableContract) -> Iterator[Change]:
    gone = [column for column in old.columns if new.column(column.name) is None]
    added = [column for column in new.columns if old.column(column.name) is None]
    for column in gone:
        likely = _renamed(column, added)
        hint = f"column removed; renamed to {likely}?" if likely else "column removed"
        yield change(BREAKING, f"{old.name}.{column.name}", hint, "whoever reads it finds nothing")
    for column in added:
        yield _added(f"{new.name}.{column.name}", column)
    for column in old.columns:
        after = new.column(column.name)
        if after is not None:
            yield from column_changes(f"{old.name}.{column.name}", column, after)
    shared = [column.name for column in old.columns if new.column(column.name) is not None]
    if shared != [column.name for column in new.columns if old.column(column.name) is not None]:
        yield change(COMPATIBLE, old.name, "columns in another order", "columns are found by their names")


def _renamed(column: ColumnContract, added: Sequence[ColumnContract]) -> str | None:
    alike = [one.name for one in added if (one.type, one.role) == (column.type, column.role)]
    near = get_close_matches(column.name, alike, n=1, cutoff=0.4)
    return near[0] if near else (alike[0] if len(alike) == 1 else None)


def _added(place: str, column: ColumnContract) -> Change:
    if column.required:
        return change(BREAKING, place, "required column added", "tables and requests without it are refused")
    return change(COMPATIBLE, place, "optional column added", "requests may leave it out")
