"""What changed about the rules of a whole table: keys, rules by name, freshness."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from seatrial.contract.diff.changes import (
    BREAKING,
    COMPATIBLE,
    REFUSED,
    THROUGH,
    WIDENING,
    Change,
    change,
    severity,
)
from seatrial.contract.model import TableContract


def rule_changes(old: TableContract, new: TableContract) -> Iterator[Change]:
    """Every difference between the rules of two versions of a table, beside those of single columns."""
    yield from _keys(old, new)
    yield from _named(old, new, "row rule", lambda table: {rule.name: rule for rule in table.row_rules})
    yield from _named(old, new, "rule", lambda table: {rule.name: rule for rule in table.set_rules})
    yield from _foreign_keys(old, new)
    yield from _freshness(old, new)


def _keys(old: TableContract, new: TableContract) -> Iterator[Change]:
    if old.primary_key != new.primary_key:
        what = f"primary key {'+'.join(old.primary_key) or 'none'} → {'+'.join(new.primary_key) or 'none'}"
        yield change(BREAKING, old.name, what, "later deliveries replace other rows than before")
    before, after = set(map(frozenset, old.unique)), set(map(frozenset, new.unique))
    for group in sorted(map(sorted, before - after)):
        yield change(WIDENING, old.name, f"{'+'.join(group)} no longer unique together", THROUGH)
    for group in sorted(map(sorted, after - before)):
        yield change(BREAKING, old.name, f"{'+'.join(group)} unique together now", REFUSED)


def _foreign_keys(old: TableContract, new: TableContract) -> Iterator[Change]:
    """By what they say: the same columns may refer to several tables, and to one of them twice."""
    yield from _named(
        old,
        new,
        "foreign key",
        lambda table: {f"{'+'.join(key.columns)} → {_rule(key)}": key for key in table.foreign_keys},
    )


def _named(
    old: TableContract, new: TableContract, words: str, rules: Callable[[TableContract], dict[str, Any]]
) -> Iterator[Change]:
    """Rules that go by a name: taken away, added, or changed in ways of which only people know the effect."""
    before, after = rules(old), rules(new)
    for name in [*before, *(one for one in after if one not in before)]:
        place, rule, then = f"{old.name}.{name}", before.get(name), after.get(name)
        if then is None:
            yield change(WIDENING, place, f"{words} removed", THROUGH)
        elif rule is None:
            kind = BREAKING if then.severity == "error" else COMPATIBLE
            yield change(kind, place, f"{words} added", REFUSED if kind == BREAKING else "it only warns")
        else:
            yield from severity(place, rule.severity, then.severity)
            yield from _reworded(place, words, rule, then)


def _reworded(place: str, words: str, old: Any, new: Any) -> Iterator[Change]:
    aside = {"severity": new.severity} | (
        {"description": new.description} if hasattr(new, "description") else {}
    )
    if msgspec.structs.replace(old, **aside) == new:
        if getattr(old, "description", "") != getattr(new, "description", ""):
            yield change(COMPATIBLE, place, "description changed", "words only")
        return
    what = f"{words} changed: {_rule(old)} → {_rule(new)}"
    if new.severity == "error":
        yield change(BREAKING, place, what, "rows or deliveries that were accepted may be refused now")
    yield change(WIDENING, place, what, "what was refused may come through now, and nobody is told")


def _rule(rule: Any) -> str:
    if hasattr(rule, "expression"):
        return str(rule.expression)
    if hasattr(rule, "table"):
        return f"{rule.table}({', '.join(rule.to)})"
    operands = ", ".join(f"{one:g}" for one in rule.operands)
    return f"{rule.query or rule.metric} {rule.operator} {operands} {rule.unit} {rule.arguments}".strip()


def _freshness(old: TableContract, new: TableContract) -> Iterator[Change]:
    before = {age.column: age for age in old.freshness}
    after = {age.column: age for age in new.freshness}
    for column in sorted(before.keys() | after.keys()):
        place, was, now = f"{old.name}.{column}.freshness", before.get(column), after.get(column)
        if was is not None and now is not None:
            yield from severity(place, was.severity, now.severity)
        yield from _ages(place, was.seconds if was else None, now.seconds if now else None)


def _ages(place: str, old: float | None, new: float | None) -> Iterator[Change]:
    if old == new:
        return
    what = f"{'any age' if old is None else f'{old:g} s'} → {'any age' if new is None else f'{new:g} s'}"
    if new is not None and (old is None or new < old):
        yield change(BREAKING, place, what, "tables that were fresh enough are refused now")
    else:
        yield change(WIDENING, place, what, "older tables pass, and nobody is told")
