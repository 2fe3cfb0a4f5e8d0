"""A difference that is not called breaking refuses no row that was accepted."""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.diff import compare
from seatrial.contract.model import ColumnContract, Contract, TableContract, TypeName

KINDS = ("number", "string", "closed")
NUMBERS = st.integers(-3, 3).map(float)


RULES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "number": {
        "minimum": NUMBERS.map(lambda one: one - 3),
        "exclusive_minimum": NUMBERS.map(lambda one: one - 3),
        "maximum": NUMBERS.map(lambda one: one + 3),
        "exclusive_maximum": NUMBERS.map(lambda one: one + 3),
        "multiple_of": st.sampled_from([0.5, 1.0, 2.0, 3.0]),
    },
    "string": {
        "pattern": st.sampled_from(["[ab]*", "a+"]),
        "min_length": st.integers(0, 2),
        "max_length": st.integers(2, 4),
    },
    "closed": {
        "values": st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, unique=True).map(tuple),
    },
}


@st.composite
def columns(draw: st.DrawFn, kind: str) -> ColumnContract:
    rules = {name: draw(field) for name, field in RULES[kind].items() if draw(st.booleans())}
    named: TypeName = "string" if kind in ("string", "closed") else "float"
    return ColumnContract(
        name="x",
        type=named,
        required=draw(st.booleans()),
        severity=draw(st.sampled_from(["error", "error", "error", "warning"])),
        **rules,
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[ColumnContract, ColumnContract]:
    """A column and a version of it in which one or two rules differ, as people change them."""
    kind = draw(st.sampled_from(KINDS))
    old, other = draw(columns(kind)), draw(columns(kind))
    shared = {*RULES[kind], "required", "severity"}
    fields = draw(st.lists(st.sampled_from(sorted(shared)), min_size=1, max_size=2))
    return old, msgspec.structs.replace(old, **{field: getattr(other, field) for field in fields})


def contract(column: ColumnContract) -> Contract:
    return Contract(id="c", version="1.0.0", tables=(TableContract(name="t", columns=(column,)),))


ROWS: dict[str, list[Any]] = {
    "string": [None, "", "a", "b", "ab", "aba", "abab", "aaaaa", "c", "-"],
    "float": [None, *(half / 2 for half in range(-14, 15)), 0.3],
}
# Many at once, for most pairs differ in nothing that matters; few suffice, so that one that breaks a law is found
# alone in seconds.
MANY = st.lists(pairs(), min_size=1, max_size=12)


@given(MANY)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_rows_kept_before_are_kept_after_unless_the_change_is_breaking(
    versions: list[tuple[ColumnContract, ColumnContract]],
) -> None:
    for old, new in versions:
        if "breaking" not in kinds(old, new):
            assert kept(old) <= kept(new)


@given(MANY)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_rows_let_through_anew_are_told_as_silent_widening(
    versions: list[tuple[ColumnContract, ColumnContract]],
) -> None:
    for old, new in versions:
        if not kept(new) <= kept(old):
            assert "silent widening" in kinds(old, new)


def kinds(old: ColumnContract, new: ColumnContract) -> set[str]:
    return {change.kind for change in compare(contract(old), contract(new))}


def kept(column: ColumnContract) -> set[int]:
    rows = [{"x": value} for value in ROWS[column.type]]
    decoder = RowDecoder(contract(column).tables[0], ["x"])
    return {index for index, _ in decoder.partial(rows)[0]}
