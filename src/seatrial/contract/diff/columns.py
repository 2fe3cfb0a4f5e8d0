"""What changed about one column."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from seatrial.contract.diff.changes import (
    BREAKING,
    COMPATIBLE,
    REFUSED,
    THROUGH,
    WIDENING,
    Change,
    change,
    severity,
    share,
)
from seatrial.contract.masking import is_sensitive
from seatrial.contract.model import ColumnContract

# Roles that decide neither what models are fitted on nor how rows are joined and timed.
_ASIDE = frozenset({"other", "weight", "protected"})


def column_changes(place: str, old: ColumnContract, new: ColumnContract) -> Iterator[Change]:
    """Every difference between two versions of a column."""
    if old.type != new.type:
        yield change(BREAKING, place, f"type {old.type} → {new.type}", _type_words(old, new))
    if old.role != new.role:
        kind = COMPATIBLE if {old.role, new.role} <= _ASIDE else BREAKING
        yield change(
            kind, place, f"role {old.role} → {new.role}", "it is used for something else than before"
        )
    if set(old.stages) != set(new.stages):
        yield from _stages(place, old, new)
    for field, words in (("required", "required"), ("unique", "unique")):
        yield from _switch(place, words, getattr(old, field), getattr(new, field))
    yield from _range_changes(place, old, new)
    yield from severity(place, old.severity, new.severity, ruled=_ranges(old) and _ranges(new))
    stops, after = dict(old.stop_above), dict(new.stop_above)
    for rule in sorted(stops.keys() | after.keys()):
        yield from share(f"{place}.stopAbove.{rule}", stops.get(rule), after.get(rule))
    yield from share(f"{place}.driftBudget", old.drift_budget, new.drift_budget)
    yield from _words(place, old, new)


def _words(place: str, old: ColumnContract, new: ColumnContract) -> Iterator[Change]:
    if old.classification != new.classification:
        freed = is_sensitive(old) and not is_sensitive(new)
        why = "outputs no longer mask it" if freed else _masking_words(new)
        what = f"classification {old.classification or 'none'} → {new.classification or 'none'}"
        yield change(WIDENING if freed else COMPATIBLE, place, what, why)
    for field in ("description", "evidence"):
        if getattr(old, field) != getattr(new, field):
            yield change(COMPATIBLE, place, f"{field} changed", "words only")


def _masking_words(new: ColumnContract) -> str:
    return "outputs mask it by its class" if is_sensitive(new) else "outputs show it, as before"


def _type_words(old: ColumnContract, new: ColumnContract) -> str:
    if (old.type, new.type) == ("int", "float"):
        return "a consumer that is typed for whole numbers breaks at the first fraction"
    return "what consumers compute with it no longer fits, and values of the old type are put aside"


def _stages(place: str, old: ColumnContract, new: ColumnContract) -> Iterator[Change]:
    what = f"stages {', '.join(old.stages) or 'all'} → {', '.join(new.stages) or 'all'}"
    # No stages means all of them.
    lost = bool(new.stages) and (not old.stages or bool(set(old.stages) - set(new.stages)))
    why = "it is no longer there at every stage that relied on it" if lost else "it is there at more stages"
    yield change(BREAKING if lost else COMPATIBLE, place, what, why)


def _switch(place: str, words: str, old: object, new: object) -> Iterator[Change]:
    if old and not new:
        yield change(WIDENING, place, f"no longer {words}", THROUGH)
    if new and not old:
        yield change(BREAKING, place, f"{words} now", REFUSED)


def _ranges(column: ColumnContract) -> bool:
    return any(value(column) is not None for _, value, _ in _RANGES)


def _range_changes(place: str, old: ColumnContract, new: ColumnContract) -> Iterator[Change]:
    """Rules that the column's severity governs; those of severity warning refuse nothing when they tighten."""
    for name, value, tightens in _RANGES:
        before, after = value(old), value(new)
        if before == after:
            continue
        what = f"{name} {_shown(name, before)} → {_shown(name, after)}"
        tighter = after is not None and (before is None or tightens(before, after))
        looser = before is not None and (after is None or tightens(after, before))
        if tighter and new.severity == "warning":
            yield change(COMPATIBLE, place, what, "more rows are counted as warnings; none is put aside")
        elif tighter:
            yield change(BREAKING, place, what, REFUSED)
        if looser:
            yield change(WIDENING, place, what, THROUGH)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if name in ("minimum", "maximum"):
        bound, flag = value
        return f"{bound:g}{' (excluded)' if flag == (name == 'minimum') else ''}"
    return (
        ", ".join(value)
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _not_all_in(inner: Iterable[str], outer: Iterable[str]) -> bool:
    return bool(set(inner) - set(outer))


def _no_multiple(old: float, new: float) -> bool:
    """Whether a multiple of `old` need not be one of `new`."""
    quotient = old / new
    return quotient != round(quotient)


def _low(column: ColumnContract) -> tuple[float, bool] | None:
    """The tighter lower bound and whether it is excluded."""
    said = ((column.minimum, False), (column.exclusive_minimum, True))
    return max(((bound, out) for bound, out in said if bound is not None), default=None)


def _high(column: ColumnContract) -> tuple[float, bool] | None:
    said = ((column.maximum, True), (column.exclusive_maximum, False))
    return min(((bound, kept) for bound, kept in said if bound is not None), default=None)


def _field(name: str) -> Callable[[ColumnContract], Any]:
    return lambda column: getattr(column, name)


def _always(old: object, new: object) -> bool:
    """What another pattern or format refuses and what it lets through, nobody can tell: both."""
    del old, new
    return True


# Name, its value in a column, and whether going from one value to another refuses something that was accepted.
_RANGES: tuple[tuple[str, Callable[[ColumnContract], Any], Callable[[Any, Any], bool]], ...] = (
    ("minimum", _low, lambda old, new: new > old),
    ("maximum", _high, lambda old, new: new < old),
    ("multiple of", _field("multiple_of"), _no_multiple),
    ("fewest characters", _field("min_length"), lambda old, new: new > old),
    ("most characters", _field("max_length"), lambda old, new: new < old),
    ("values", _field("values"), _not_all_in),
    ("pattern", _field("pattern"), _always),
    ("format", _field("format"), _always),
)
