"""Every kind of change to a contract: who is broken by it, and what nobody would notice."""

from typing import Any

import msgspec
import pytest

from seatrial.contract.diff import compare, needed_version, refuse_breaking
from seatrial.contract.model import (
    ColumnContract,
    Contract,
    ForeignKey,
    Freshness,
    RowRule,
    SetRule,
    TableContract,
)
from seatrial.errors import ContractInvalid

TOWN = ColumnContract(name="town", type="string", values=("Oslo", "Rome"), required=True)
WIND = ColumnContract(
    name="wind", type="int", minimum=0, maximum=70, role="feature", classification="internal"
)
RULE = RowRule(name="calm", expression="wind < 60")
COUNT = SetRule(
    name="few", metric="nullValues", operator="mustBeLessThan", operands=(5.0,), columns=("wind",)
)
KEY = ForeignKey(columns=("town",), table="towns", to=("name",))
TABLE = TableContract(
    name="weather",
    columns=(TOWN, WIND, ColumnContract(name="at", type="timestamp")),
    primary_key=("town",),
    unique=(("town", "at"),),
    foreign_keys=(KEY,),
    row_rules=(RULE,),
    set_rules=(COUNT,),
    freshness=(Freshness(column="at", seconds=3600),),
    minimum_rows=10,
)
OLD = Contract(id="c", version="1.4.2", tables=(TABLE,))


def table(**fields: Any) -> Contract:
    return msgspec.structs.replace(OLD, tables=(msgspec.structs.replace(TABLE, **fields),))


def wind(**fields: Any) -> Contract:
    column = msgspec.structs.replace(WIND, **fields)
    return table(columns=(TOWN, column, TABLE.columns[2]))


def town(**fields: Any) -> Contract:
    return table(columns=(msgspec.structs.replace(TOWN, **fields), *TABLE.columns[1:]))


EXTRA = ColumnContract(name="sky", type="string")
BREAKING = [
    (table(columns=TABLE.columns[:2]), "weather.at", "column removed"),
    (wind(name="wind_speed"), "weather.wind", "column removed; renamed to wind_speed?"),
    (wind(type="float"), "weather.wind", "type int → float"),
    (wind(minimum=1), "weather.wind", "minimum 0 → 1"),
    (wind(minimum=None, exclusive_minimum=0), "weather.wind", "minimum 0 → 0 (excluded)"),
    (wind(maximum=69), "weather.wind", "maximum 70 → 69"),
    (wind(multiple_of=2), "weather.wind", "multiple of none → 2"),
    (wind(required=True), "weather.wind", "required now"),
    (wind(unique=True), "weather.wind", "unique now"),
    (wind(role="other"), "weather.wind", "role feature → other"),
    (wind(stages=("training",)), "weather.wind", "stages all → training"),
    (wind(stop_above=(("type", 0.1),)), "weather.wind.stopAbove.type", "none → 0.1"),
    (wind(drift_budget=0.2), "weather.wind.driftBudget", "none → 0.2"),
    (town(values=("Oslo",)), "weather.town", "values Oslo, Rome → Oslo"),
    (town(values=None, pattern="[A-Z].*"), "weather.town", "pattern none → [A-Z].*"),
    (
        table(columns=(*TABLE.columns, msgspec.structs.replace(EXTRA, required=True))),
        "weather.sky",
        "required column",
    ),
    (table(primary_key=("town", "at")), "weather", "primary key town → town+at"),
    (table(unique=(("town", "at"), ("wind", "at"))), "weather", "at+wind unique together now"),
    (table(minimum_rows=11), "weather", "at least 10 → 11 rows"),
    (table(stop_above=0.05), "weather.stopAbove", "0.1 → 0.05"),
    (table(row_rules=(RULE, RowRule(name="n", expression="wind > 1"))), "weather.n", "row rule added"),
    (table(row_rules=(RowRule(name="calm", expression="wind < 9"),)), "weather.calm", "row rule changed"),
    (table(freshness=(Freshness(column="at", seconds=60),)), "weather.at.freshness", "3600 s → 60 s"),
    (msgspec.structs.replace(OLD, tables=()), "weather", "table removed"),
]
WIDENING = [
    (wind(minimum=-1), "weather.wind", "minimum 0 → -1"),
    (wind(maximum=None), "weather.wind", "maximum 70 → none"),
    (wind(severity="warning"), "weather.wind", "severity error → warning"),
    (town(required=False), "weather.town", "no longer required"),
    (town(values=("Oslo", "Rome", "Pisa")), "weather.town", "values"),
    (table(unique=()), "weather", "at+town no longer unique together"),
    (table(minimum_rows=1), "weather", "at least 10 → 1 rows"),
    (table(stop_above=0.5), "weather.stopAbove", "0.1 → 0.5"),
    (table(row_rules=()), "weather.calm", "row rule removed"),
    (table(set_rules=()), "weather.few", "rule removed"),
    (table(foreign_keys=()), "weather.town → towns(name)", "foreign key removed"),
    (table(freshness=()), "weather.at.freshness", "3600 s → any age"),
    (msgspec.structs.replace(OLD, not_enforced=("a query",)), "not enforced", "a query"),
]
COMPATIBLE = [
    (table(columns=(*TABLE.columns, EXTRA)), "weather.sky", "optional column added"),
    (table(columns=TABLE.columns[::-1]), "weather", "columns in another order"),
    (wind(classification=None), "weather.wind", "classification internal → none"),
    (wind(classification="public"), "weather.wind", "classification internal → public"),
    (wind(classification="pii"), "weather.wind", "classification internal → pii"),
    (wind(description="in knots"), "weather.wind", "description changed"),
    (msgspec.structs.replace(OLD, status="retired"), "status", "active → retired"),
]


def told(new: Contract, kind: str) -> list[tuple[str, str]]:
    return [(one.place, one.what) for one in compare(OLD, new) if one.kind == kind]


def is_told(found: list[tuple[str, str]], place: str, what: str) -> bool:
    return any(where == place and said.startswith(what) for where, said in found)


@pytest.mark.parametrize("shown", [None, "", "public", "Internal"])
def test_what_outputs_no_longer_mask_is_told_as_silent_widening(shown: str | None) -> None:
    old, new = wind(classification="restricted"), wind(classification=shown)
    assert [(one.kind, one.why) for one in compare(old, new)] == [
        ("silent widening", "outputs no longer mask it")
    ]
    assert [(one.kind, one.why) for one in compare(new, old)] == [
        ("compatible", "outputs mask it by its class")
    ]


def test_of_two_keys_of_the_same_columns_each_is_told() -> None:
    other = msgspec.structs.replace(KEY, table="cities")
    both, alone = table(foreign_keys=(KEY, other)), table(foreign_keys=(other,))
    removed, added = compare(both, alone), compare(alone, both)
    assert [(one.kind, one.what) for one in removed] == [("silent widening", "foreign key removed")]
    assert [(one.kind, one.what) for one in added] == [("breaking", "foreign key added")]


def test_the_same_contract_has_no_changes() -> None:
    assert compare(OLD, OLD) == ()
    assert needed_version(OLD, OLD) == "1.4.2"


@pytest.mark.parametrize(("new", "place", "what"), BREAKING)
def test_breaking_changes_are_told_and_need_a_major_version(new: Contract, place: str, what: str) -> None:
    assert is_told(told(new, "breaking"), place, what)
    assert needed_version(OLD, new) == "2.0.0"
    with pytest.raises(ContractInvalid, match=r"raise it to 2\.0\.0"):
        refuse_breaking(OLD, msgspec.structs.replace(new, version="1.5.0"))
    refuse_breaking(OLD, msgspec.structs.replace(new, version="2.0.0"))


@pytest.mark.parametrize(("new", "place", "what"), WIDENING)
def test_silent_widening_is_told_and_needs_a_minor_version(new: Contract, place: str, what: str) -> None:
    assert is_told(told(new, "silent widening"), place, what)
    assert told(new, "breaking") == []
    assert needed_version(OLD, new) == "1.5.0"
    refuse_breaking(OLD, new)


@pytest.mark.parametrize(("new", "place", "what"), COMPATIBLE)
def test_harmless_changes_need_a_patch_version(new: Contract, place: str, what: str) -> None:
    assert told(new, "compatible") == [(place, what)]
    assert len(compare(OLD, new)) == 1
    assert needed_version(OLD, new) == "1.4.3"


def test_a_tighter_rule_that_only_warns_breaks_nobody() -> None:
    old = wind(severity="warning")
    new = wind(severity="warning", maximum=50)
    assert {one.kind for one in compare(old, new)} == {"compatible"}
