"""What a product file says of a row is the same in plain Python as in a table."""

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contract.plain import Unplain
from seatrial.product.expressions import Expression, ResultType, compile_expression
from tests.properties.contract.test_plain_laws import COLUMNS, ROWS, same, table

SCORED = {**COLUMNS, "score": "float", "threshold": "float"}
SAID: list[tuple[ResultType, str]] = [
    ("bool", "score >= threshold"),
    ("bool", "score >= threshold AND i < 50 AND NOT b"),
    ("bool", "score * f > 12.5 OR s IN ('a', 'b')"),
    ("bool", "COALESCE(f < 3 OR g >= 35 OR (f >= 45 AND i < 6), FALSE)"),
    ("bool", "EXTRACT(dow FROM t) = 0 OR d < w"),
    ("number", "(EXTRACT(epoch FROM t) - EXTRACT(epoch FROM w)) / 3600"),
    ("number", "CASE WHEN b AND c THEN 30 * f - 900 WHEN b THEN -900 ELSE 0 END"),
    ("number", "i * 2"),
    ("number", "f / NULLIF(g, 0)"),
    ("string", "UPPER(s) || '-' || u"),
    ("timestamp", "t + INTERVAL '24 hours'"),
    ("timestamp", "COALESCE(t, d)"),
    ("timestamp", "d"),
]


def compiled(expected: ResultType, text: str) -> Expression:
    return compile_expression(text, SCORED, expected, name="it")


EXPRESSIONS = [compiled(*said) for said in SAID]
SCORES = st.none() | st.sampled_from([math.nan, math.inf, -math.inf, 0.5]) | st.floats(0, 1)


@given(st.sampled_from(EXPRESSIONS), ROWS, SCORES, st.floats(0, 1))
@settings(max_examples=50)
def test_plain_python_says_what_a_table_says(
    expression: Expression, rows: list[dict[str, Any]], score: float | None, threshold: float
) -> None:
    judged = {"score": score, "threshold": threshold}
    typed = {name: pl.lit(value, dtype=pl.Float64) for name, value in judged.items()}
    stored = table(rows).with_columns(**typed).select(expression.polars.alias("it"))["it"]
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    columns |= {name: [value] * len(rows) for name, value in judged.items()}
    assert expression.plain is not None
    try:
        found = expression.plain(columns, len(rows))
    except Unplain:
        return
    assert all(map(same, found, stored.to_physical().to_list()[: len(rows)]))


@pytest.mark.parametrize(("expected", "text"), SAID)
def test_plain_functions_read_what_the_expression_reads(expected: ResultType, text: str) -> None:
    expression = compiled(expected, text)
    assert expression.plain is not None
    assert set(expression.plain.reads) == expression.reads


def test_an_expression_that_only_polars_computes_has_no_plain_function() -> None:
    assert compiled("number", "LN(f)").plain is None
