"""Contracts that make no sense are refused with every reason and its place."""

from typing import Any

import msgspec
import pytest

from seatrial.contract.model import (
    ColumnContract,
    Contract,
    ForeignKey,
    Freshness,
    RowRule,
    SetRule,
    TableContract,
)
from seatrial.contract.sanity import contract_problems, whole_bounds

TOWNS = TableContract(name="towns", columns=(ColumnContract(name="name", type="string", required=True),))
TABLE = TableContract(
    name="calls",
    columns=(
        ColumnContract(name="town", type="string"),
        ColumnContract(name="n", type="int"),
        ColumnContract(name="at", type="timestamp", required=True),
    ),
)


def problems(**fields: Any) -> str:
    table = msgspec.structs.replace(TABLE, **fields)
    return "\n".join(contract_problems(Contract(id="c", version="1.0.0", tables=(table, TOWNS))))


def column_problems(kind: Any, **fields: Any) -> str:
    return problems(columns=(ColumnContract(name="x", type=kind, **fields),))


def key(**fields: Any) -> ForeignKey:
    return ForeignKey(**{"columns": ("town",), "table": "towns", "to": ("name",)} | fields)


def rule(**fields: Any) -> SetRule:
    given = {
        "name": "r",
        "metric": "nullValues",
        "operator": "mustBe",
        "operands": (1.0,),
        "columns": ("town",),
    }
    return SetRule(**given | fields)


def test_a_sound_contract_has_no_problems() -> None:
    assert problems(foreign_keys=(key(),), set_rules=(rule(),), primary_key=("at",)) == ""


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"primary_key": ("when",)}, "calls: primaryKey: no column when"),
        ({"primary_key": ("town",)}, "primaryKey: town must be required"),
        ({"foreign_keys": (key(table="cities"),)}, "foreign key town: no table cities"),
        ({"foreign_keys": (key(to=("label",)),)}, "towns has no column label"),
        ({"foreign_keys": (key(columns=("n",)),)}, "n is int, towns.name is string"),
        ({"foreign_keys": (key(to=("name", "name")),)}, "as many columns"),
        ({"row_rules": (RowRule(name="r", expression="m > 1"),)}, "rule r: unknown column m"),
        ({"row_rules": (RowRule(name="r", expression="n +"),)}, "cannot read `n +`"),
        ({"row_rules": (RowRule(name="r", expression="n + 1"),)}, "expected a yes or no"),
        ({"row_rules": (RowRule(name="r", expression="n > AVG(n)"),)}, "one row alone"),
        ({"set_rules": (rule(), rule())}, "two rules are called r"),
        (
            {"row_rules": (RowRule(name="r", expression="n > 1"),), "set_rules": (rule(),)},
            "two rules are called r",
        ),
        (
            {"row_rules": (RowRule(name="n.minimum", expression="n > 1"),)},
            "rule n.minimum: the rules of the table",
        ),
        ({"set_rules": (rule(name="at.freshness"),)}, "rule at.freshness: the rules of the table"),
        (
            {"unique": (("n", "at"),), "row_rules": (RowRule(name="n+at.unique", expression="n > 1"),)},
            "rule n+at.unique: the rules of the table",
        ),
        (
            {"row_rules": (RowRule(name="r", expression="CAST(town AS DATE) IS NULL"),)},
            "of any row: casting from string to date",
        ),
        (
            {"row_rules": (RowRule(name="r", expression="DATE(town) IS NULL"),)},
            "whatever form the first row has",
        ),
        ({"set_rules": (rule(operator="mustBeBetween"),)}, "takes 2 finite numbers"),
        ({"set_rules": (rule(operator="mustBeBetween", operands=(2.0, 1.0)),)}, "the smaller number first"),
        ({"set_rules": (rule(columns=("m",)),)}, "rule r: no column m"),
        ({"set_rules": (rule(columns=()),)}, "nullValues is about a column, got 0"),
        ({"set_rules": (rule(metric="sql", query="SELECT x FROM nowhere"),)}, "cannot be answered"),
        ({"set_rules": (rule(metric="sql", query="SELECT town FROM calls"),)}, "one column with a number"),
        ({"set_rules": (rule(metric="sql", query="SELECT COUNT(*) FROM read_csv('x')"),)}, "and no files"),
        ({"set_rules": (rule(arguments="[1]"),)}, "no JSON object"),
        (
            {"freshness": (Freshness(column="n", seconds=1),)},
            "freshness: n is int, and only times have an age",
        ),
        ({"freshness": (Freshness(column="at", seconds=0),)}, "more than 0 seconds"),
        ({"columns": (ColumnContract(name="__load", type="int"),)}, "taken by Seatrial"),
        ({"stop_above": 0.0}, "stopAbove: expected a share above 0"),
    ],
)
def test_rules_of_a_table_are_held_against_its_columns(fields: dict[str, Any], told: str) -> None:
    assert told in problems(**fields)


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("float", {"minimum": 1, "exclusive_maximum": 1}, "an end is excluded"),
        ("float", {"exclusive_minimum": 2, "maximum": 1}, "above maximum"),
        ("int", {"exclusive_minimum": 1, "exclusive_maximum": 2}, "no whole number"),
        ("int", {"multiple_of": 0}, "multipleOf: expected a number above 0"),
        ("string", {"min_length": 3, "max_length": 2}, "minLength 3 is above maxLength 2"),
        ("string", {"format": "colour"}, "format: expected one of email"),
        ("string", {"values": ("a",), "format": "email"}, "a closed set of values needs no format"),
        ("timestamp", {"minimum": 1}, "are for numbers"),
        ("bool", {"drift_budget": 1.5}, "driftBudget: expected a distance from 0 to 1"),
        ("bool", {"stages": ("lunch",)}, "stages: expected some of training"),
        ("bool", {"role": "outcome", "stages": ("serving",)}, "not known yet when serving"),
        ("bool", {"stop_above": (("colour", 0.1),)}, "no rule is called colour"),
        ("bool", {"stop_above": (("type", 1.5),)}, "a share from 0 to 1"),
    ],
)
def test_rules_of_a_column_must_fit_its_type_and_each_other(
    kind: str, fields: dict[str, Any], told: str
) -> None:
    assert told in column_problems(kind, **fields)


def test_all_problems_are_told_at_once() -> None:
    told = problems(primary_key=("when",), stop_above=2.0, foreign_keys=(key(table="cities"),))
    assert len(told.splitlines()) == 3


def test_excluded_bounds_leave_the_next_whole_number() -> None:
    column = ColumnContract(name="n", type="int", exclusive_minimum=1, maximum=9.5, exclusive_maximum=9)
    assert whole_bounds(column) == (2, 8)
