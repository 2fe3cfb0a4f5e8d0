"""Rules about a whole table: what they compare, when they break, what is refused."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, Freshness, SetRule, TableContract
from seatrial.contract.profile import profile_table
from seatrial.contract.set_rules import freshness_results, refuse_broken, set_results
from seatrial.errors import DataRefused
from seatrial.facts.snapshot import RuleResult
from tests.contracts import AT

FRAME = pl.DataFrame({"x": [1.0, 2.0, None, 2.0], "word": ["a", "n/a", None, "b"]})
COLUMNS = (ColumnContract(name="x", type="float"), ColumnContract(name="word", type="string"))


def judged(frame: pl.DataFrame = FRAME, **rules: Any) -> RuleResult:
    (result,) = set_results(TableContract(name="t", columns=COLUMNS, **rules), {"t": frame}, at=AT)
    return result


def rule(metric: str, operator: str, *operands: float, **more: Any) -> RuleResult:
    one = SetRule(name="r", metric=metric, operator=operator, operands=operands, **more)  # type: ignore[arg-type]
    return judged(set_rules=(one,))


@pytest.mark.parametrize(
    ("operator", "operands", "holds"),
    [
        ("mustBe", (4,), True),
        ("mustBe", (5,), False),
        ("mustNotBe", (4,), False),
        ("mustBeGreaterThan", (4,), False),
        ("mustBeGreaterOrEqualTo", (4,), True),
        ("mustBeLessThan", (4,), False),
        ("mustBeLessOrEqualTo", (4,), True),
        ("mustBeBetween", (4, 6), False),
        ("mustBeBetween", (3, 5), True),
        ("mustNotBeBetween", (4, 6), True),
        ("mustNotBeBetween", (3, 5), False),
    ],
)
def test_a_count_stands_in_its_relation_or_breaks_the_rule(
    operator: str, operands: tuple[float, ...], holds: bool
) -> None:
    assert rule("rowCount", operator, *operands).failed == (0 if holds else 1)


@pytest.mark.parametrize(
    ("metric", "column", "arguments", "count"),
    [
        ("nullValues", "x", {}, 1),
        ("missingValues", "word", {"missingValues": [None, "n/a"]}, 2),
        ("missingValues", "word", {"missingValues": ["n/a"]}, 1),
        ("missingValues", "word", {}, 1),
        ("invalidValues", "word", {"validValues": ["a", "b"]}, 1),
        ("invalidValues", "word", {"pattern": "[a-z]"}, 1),
        ("duplicateValues", "x", {}, 1),
        ("duplicateValues", "word", {}, 0),
    ],
)
def test_a_metric_counts_what_the_standard_says(
    metric: str, column: str, arguments: dict[str, Any], count: int
) -> None:
    found = rule(metric, "mustBe", count, columns=(column,), arguments=json.dumps(arguments))
    assert (found.failed, found.detail) == (0, f"expected {count}, found {count}")


def test_percents_are_of_the_rows() -> None:
    found = rule("nullValues", "mustBeLessThan", 20, columns=("x",), unit="percent")
    assert (found.failed, found.detail) == (1, "expected less than 20 % of rows, found 25")


def test_a_query_sees_the_other_tables() -> None:
    one = SetRule(
        name="r",
        metric="sql",
        operator="mustBe",
        operands=(7,),
        query='SELECT (SELECT COUNT(*) FROM t) + (SELECT COUNT(*) FROM "the others")',
    )
    table = TableContract(name="t", columns=COLUMNS, set_rules=(one,))
    other = pl.DataFrame({"y": [1, 2, 3]})
    (found,) = set_results(table, {"t": FRAME.lazy(), "the others": other}, at=AT)
    assert (found.failed, found.detail) == (0, "expected 7, found 7")


@pytest.mark.parametrize(
    "query", ["SELECT nothing FROM t", "SELECT x FROM t", "SELECT MAX(x) FROM t WHERE x > 9", "?"]
)
def test_a_query_that_gives_no_number_breaks_its_rule_and_says_so(query: str) -> None:
    found = rule("sql", "mustBe", 1, query=query)
    assert found.failed == 1
    assert "cannot be computed" in found.detail


@pytest.mark.parametrize(("age", "failed"), [(3600, 0), (3601, 1)])
def test_rows_must_be_as_fresh_as_the_contract_says(age: int, failed: int) -> None:
    table = TableContract(
        name="t",
        columns=(ColumnContract(name="seen", type="timestamp"),),
        freshness=(Freshness(column="seen", seconds=3600),),
    )
    frame = pl.DataFrame({"seen": [AT - timedelta(days=9), AT - timedelta(seconds=age), None]})
    (found,) = set_results(table, {"t": frame}, at=AT)
    assert (found.rule, found.failed) == ("seen.freshness", failed)
    (empty,) = set_results(table, {"t": frame.clear()}, at=AT)
    assert (empty.failed, empty.detail.split(", ")[-1]) == (1, "found none")


def drift(now: Any, before: Any) -> RuleResult:
    column = ColumnContract(name="x", type="float", drift_budget=0.3)
    table = TableContract(name="t", columns=(column,))
    frames = [pl.DataFrame({"x": values}) for values in (now, before)]
    profile, reference = (profile_table(frame, table) for frame in frames)
    (found,) = set_results(table, {"t": frames[0]}, at=AT, profile=profile, reference=reference)
    return found


@pytest.mark.parametrize("rows", [40, 4000])
def test_a_change_of_unit_or_a_stuck_column_breaks_the_budget_and_chance_does_not(rows: int) -> None:
    random = np.random.default_rng(3)
    before, now = random.lognormal(6, 0.5, 5000), random.lognormal(6, 0.5, rows)
    assert drift(now, before).failed == 0
    assert drift(now * 1000, before).failed == 1
    assert drift(np.full(rows, 5000.0), before).failed == 1


def test_without_rows_before_there_is_no_drift() -> None:
    column = ColumnContract(name="x", type="float", drift_budget=0.3)
    table = TableContract(name="t", columns=(column,))
    empty, some = (
        profile_table(pl.DataFrame({"x": values}, schema={"x": pl.Float64}), table) for values in ([], [1.0])
    )
    assert set_results(table, {"t": FRAME}, at=AT, profile=some, reference=empty) == ()
    assert set_results(table, {"t": FRAME}, at=AT, profile=some) == ()


def test_every_broken_rule_is_told_and_warnings_are_not() -> None:
    results = [
        RuleResult(source="t", rule="a", rows=1, failed=1, detail="expected 1, found 2"),
        RuleResult(source="t", rule="b", rows=1, failed=1, detail="expected 3, found 4"),
        RuleResult(source="t", rule="c", rows=1, failed=1, severity="warning", detail="expected 5, found 6"),
        RuleResult(source="t", rule="x.minimum", rows=1, failed=1),
    ]
    with pytest.raises(DataRefused) as refused:
        refuse_broken(results)
    assert "a: expected 1, found 2; b: expected 3, found 4. " in str(refused.value)
    refuse_broken(results[2:])


def test_dates_are_fresh_from_their_midnight() -> None:
    table = TableContract(
        name="t",
        columns=(ColumnContract(name="day", type="date"),),
        freshness=(Freshness(column="day", seconds=3600),),
    )
    frame = pl.DataFrame({"day": [datetime(2025, 1, 1, tzinfo=UTC).date()]})
    (found,) = set_results(table, {"t": frame}, at=AT)
    assert found.failed == 0


def test_ages_can_be_asked_at_another_time_than_the_other_rules() -> None:
    rows = SetRule(name="x.freshness of rows", metric="rowCount", operator="mustBe", operands=(1.0,))
    table = TableContract(
        name="t",
        columns=(ColumnContract(name="x", type="date"), ColumnContract(name="y", type="timestamp")),
        set_rules=(rows,),
        freshness=(Freshness(column="x", seconds=60), Freshness(column="y", seconds=60)),
    )
    frame = pl.DataFrame({"x": [AT.date()], "y": [AT]})
    assert [one.rule for one in set_results(table, {"t": frame}, at=AT, fresh=False)] == [rows.name]
    later = AT + timedelta(days=2)
    assert [(one.rule, one.failed) for one in freshness_results(table, frame.lazy(), at=AT)] == [
        ("x.freshness", 0),
        ("y.freshness", 0),
    ]
    assert [one.failed for one in freshness_results(table, frame, at=later)] == [1, 1]
    assert freshness_results(msgspec.structs.replace(table, freshness=()), frame, at=AT) == ()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT MAX(salary) FROM t", "***"),
        ("SELECT COUNT(*) FROM t WHERE salary > 2", "1"),
        ("SELECT SUM(CAST(name AS DOUBLE)) FROM t", "failed in column 'name' for 1 out of 1 values"),
    ],
)
def test_no_value_of_a_classified_column_is_told(query: str, told: str) -> None:
    columns = (
        ColumnContract(name="salary", type="float", classification="restricted"),
        ColumnContract(name="name", type="string", classification="pii"),
        ColumnContract(name="born", type="date", classification="pii"),
    )
    one = SetRule(name="r", metric="sql", operator="mustBe", operands=(0.0,), query=query)
    table = TableContract(
        name="t", columns=columns, set_rules=(one,), freshness=(Freshness(column="born", seconds=60),)
    )
    frame = pl.DataFrame({"salary": [31337.0], "name": ["Amelia"], "born": [date(1977, 3, 4)]})
    asked, age = set_results(table, {"t": frame}, at=AT)
    assert asked.failed == age.failed == 1
    assert asked.detail.endswith(told)
    assert age.detail.endswith("found ***")
    assert not any(value in one.detail for one in (asked, age) for value in ("31337", "Amelia", "1977"))
