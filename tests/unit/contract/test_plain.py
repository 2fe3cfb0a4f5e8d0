"""Expressions as plain functions: which ones there are, what they say, and when they leave the answer to Polars."""

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from seatrial.contract.plain import PlainFunction, Unplain, plain

COLUMNS = {
    "score": "float",
    "threshold": "float",
    "price": "float",
    "n": "int",
    "m": "int",
    "flag": "bool",
    "decision": "bool",
    "name": "string",
    "tags": "array",
    "at": "timestamp",
    "due": "timestamp",
    "day": "date",
}
FINAL = {
    "bool": pl.Boolean(),
    "float": pl.Float64(),
    "string": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
}


def function(text: str, kind: str) -> PlainFunction | None:
    """The expression as a product file's is compiled: cast to what it must give."""
    return plain(pl.sql_expr(text).cast(FINAL[kind]), COLUMNS, FINAL[kind])


def computed(text: str, kind: str, **columns: list[Any]) -> list[Any]:
    found = function(text, kind)
    assert found is not None
    return found(columns, len(next(iter(columns.values()))))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("score >= threshold", "bool"),
        ("score >= threshold AND n < 50 AND NOT flag", "bool"),
        ("score >= threshold OR (price > 100 AND score >= 0.2)", "bool"),
        ("score * price > 12.5", "bool"),
        ("COALESCE(price < 3 OR score >= 35 OR (n >= 45 AND m < 6), FALSE)", "bool"),
        ("name = 'none' AND price > 500", "bool"),
        ("name IN ('a', 'b') AND n NOT IN (1, 2)", "bool"),
        ("n BETWEEN 1 AND 3 OR price IS NULL", "bool"),
        ("tags LIKE '%\"red\"%'", "bool"),
        ("flag", "bool"),
        ("TRUE", "bool"),
        ("day < at", "bool"),
        ("EXTRACT(dow FROM at) IN (0, 6) OR EXTRACT(hour FROM at) >= 18", "bool"),
        ("(EXTRACT(epoch FROM due) - EXTRACT(epoch FROM at)) / 3600", "float"),
        ("(EXTRACT(epoch FROM CAST(day AS TIMESTAMP)) - EXTRACT(epoch FROM at)) / 86400", "float"),
        ("EXTRACT(dow FROM at)", "float"),
        ("price / NULLIF(score, 0)", "float"),
        ("price - score / 10", "float"),
        ("n * 2", "float"),
        ("CAST(SUBSTR(name, 1, 2) AS INT)", "float"),
        ("TRY_CAST(name AS DOUBLE) + price", "float"),
        ("0.5 * n - 900", "float"),
        ("CASE WHEN decision AND flag THEN 0.5 * 75 * n - 900 WHEN decision THEN -900 ELSE 0 END", "float"),
        ("ROUND(ABS(price - score), 2)", "float"),
        ("GREATEST(price, 0) + LEAST(score, 1)", "float"),
        ("CASE WHEN decision AND flag THEN 30 * price - 900 WHEN decision THEN -900 ELSE 0 END", "float"),
        ("LENGTH(TRIM(name))", "float"),
        ("UPPER(name) || '-' || SUBSTR(name, 1, 2)", "string"),
        ("at", "timestamp"),
        ("day", "timestamp"),
        ("COALESCE(at, day)", "timestamp"),
        ("at + INTERVAL '24 hours'", "timestamp"),
        ("at + INTERVAL '1 month'", "timestamp"),
        ("COALESCE(due, at + INTERVAL '30 days')", "timestamp"),
    ],
)
def test_what_product_files_say_is_plain(text: str, kind: str) -> None:
    assert function(text, kind) is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("n / 2.5", "float"),  # Polars makes a decimal of it, and rounds
        ("n // m", "float"),
        ("LN(price)", "float"),
        ("POW(price, 2)", "float"),
        ("price % 2", "float"),
        ("CAST(name AS DOUBLE) + price", "float"),  # Polars looks at the text where there is no price, too
        ("COALESCE(CAST(name AS DOUBLE), 0)", "float"),
        ("score + CASE WHEN flag THEN 0 ELSE 1 END", "float"),
        ("name ~ '^a'", "bool"),
        ("name LIKE '%a%b_'", "bool"),
        ("at + INTERVAL '1 month 1 day'", "timestamp"),
    ],
)
def test_what_is_not_known_to_be_the_same_is_left_to_polars(text: str, kind: str) -> None:
    assert function(text, kind) is None


def test_a_result_of_another_type_than_expected_is_left_to_polars() -> None:
    assert plain(pl.sql_expr("n > 1"), COLUMNS, pl.Float64()) is None


def test_functions_read_what_they_name_and_no_more() -> None:
    found = function("score >= threshold AND flag", "bool")
    assert found is not None
    assert found.reads == ("score", "threshold", "flag")
    assert found({"score": [0.5], "threshold": [0.5], "flag": [True], "other": []}, 1) == [True]


def test_an_expression_over_no_column_is_the_same_for_every_row() -> None:
    found = function("TRUE", "bool")
    assert found is not None
    assert found({}, 3) == [True] * 3


def test_unknown_is_neither_yes_nor_no() -> None:
    flags = [True, False, None]
    pairs = {"flag": [one for one in flags for _ in flags], "decision": flags * 3}
    assert computed("flag AND decision", "bool", **pairs) == [
        True,
        False,
        None,
        False,
        False,
        False,
        None,
        False,
        None,
    ]
    assert computed("flag OR decision", "bool", **pairs) == [
        True,
        True,
        True,
        True,
        False,
        None,
        True,
        None,
        None,
    ]
    assert computed("NOT flag", "bool", flag=flags) == [False, True, None]
    assert computed("CASE WHEN flag THEN 1 ELSE 2 END", "float", flag=flags) == [1.0, 2.0, 2.0]


def test_nan_is_above_every_number_and_equal_to_itself() -> None:
    given = {
        "score": [math.nan, 1.0, math.nan, -math.inf],
        "threshold": [math.inf, math.nan, math.nan, math.nan],
    }
    assert computed("score > threshold", "bool", **given) == [True, False, False, False]
    assert computed("score >= threshold", "bool", **given) == [True, False, True, False]
    assert computed("score = threshold", "bool", **given) == [False, False, True, False]


def test_moments_come_out_as_microseconds() -> None:
    at = datetime(2024, 1, 31, 12, tzinfo=UTC)
    physical = int(at.timestamp()) * 10**6
    assert computed("at + INTERVAL '1 month'", "timestamp", at=[physical, None]) == [
        int(datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()) * 10**6,
        None,
    ]
    assert computed("day", "timestamp", day=[1, -1]) == [86_400_000_000, -86_400_000_000]


@pytest.mark.parametrize(
    ("text", "kind", "given"),
    [
        ("n + 1", "float", {"n": [1, 2**63 - 1]}),
        ("n * m", "float", {"n": [2**62], "m": [2]}),
        ("LENGTH(name) - 2", "float", {"name": ["a"]}),
        ("UPPER(name)", "string", {"name": ["ß"]}),
        ("TRY_CAST(name AS INT) IS NULL", "bool", {"name": ["many"]}),
        ("EXTRACT(epoch FROM at) IS NULL", "bool", {"at": [253402300799999999]}),
        ("at + INTERVAL '1 month'", "timestamp", {"at": [253402300799999999]}),
        ("EXTRACT(epoch FROM at)", "float", {"at": [253402300799999999]}),
    ],
)
def test_values_that_only_polars_knows_are_left_to_it(
    text: str, kind: str, given: dict[str, list[Any]]
) -> None:
    with pytest.raises(Unplain):
        computed(text, kind, **given)


def test_texts_that_say_numbers_are_read() -> None:
    assert computed("CAST(SUBSTR(name, 1, 2) AS INT)", "float", name=["09:30", None]) == [9.0, None]
    assert computed("TRY_CAST(name AS DOUBLE)", "float", name=["-12.5", "7"]) == [-12.5, 7.0]


def test_texts_and_names_of_an_expression_are_never_code() -> None:
    columns = {"a' or exit() or '": "string", "c0): exit(": "float"}
    parsed = pl.sql_expr("\"a' or exit() or '\" = '); exit() #' OR \"c0): exit(\" > 1")
    found = plain(parsed, columns, pl.Boolean())
    assert found is not None
    rows: dict[str, list[Any]] = {"a' or exit() or '": ["); exit() #", "x"], "c0): exit(": [0.0, 0.0]}
    assert found(rows, 2) == [True, False]


def test_an_expression_that_is_nested_too_deeply_is_left_to_polars() -> None:
    deep = pl.col("price")
    for _ in range(300):
        deep = deep + pl.col("score")
    assert plain(deep, COLUMNS, pl.Float64()) is None
