"""An expression as a plain function gives what Polars gives for the same rows of a table, bit by bit."""

import math
import struct
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.contract.plain import Unplain, plain
from seatrial.contract.types import polars_type

COLUMNS = {
    "f": "float",
    "g": "float",
    "i": "int",
    "j": "int",
    "b": "bool",
    "c": "bool",
    "s": "string",
    "u": "string",
    "t": "timestamp",
    "w": "timestamp",
    "d": "date",
}
STORED = {"timestamp": pl.Int64, "date": pl.Int32}
YEAR_1, YEAR_9999 = -62135596800000000, 253402300799999999

FLOATS = st.floats() | st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 2.5, math.nan, math.inf, -math.inf, 2.0**53, 5e-324]
)
WHOLE = (
    st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5) | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1])
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", "a", "ab", "a\n", "ß", " x"]
)
MOMENTS = st.integers(YEAR_1, YEAR_9999) | st.sampled_from([0, -1, YEAR_1, YEAR_9999, 86_400_000_000 - 1])
DAYS = st.integers(YEAR_1 // 86_400_000_000, YEAR_9999 // 86_400_000_000) | st.sampled_from([0, -1])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": FLOATS,
    "int": WHOLE,
    "bool": st.booleans(),
    "string": TEXTS,
    "timestamp": MOMENTS,
    "date": DAYS,
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in COLUMNS.items()}),
    min_size=1,
    max_size=6,
)

VARYING = st.sampled_from(["f", "g", "i", "j"])
LITERALS = st.sampled_from(["0", "1", "-1", "2", "1.5", "0.1", "-2.25", "1e3", "3600"])
WORDS = st.sampled_from(
    ["s", "u", "s || u", "UPPER(s)", "LOWER(u)", "TRIM(s)", "SUBSTR(s, 2, 2)", "s || '-'"]
)
SHIFTED = [
    "t + INTERVAL '36 hours'",
    "w - INTERVAL '1 day'",
    "t + INTERVAL '2 weeks 3 minutes'",
    "t + INTERVAL '1 month'",
    "d - INTERVAL '14 months'",
    "d + INTERVAL '1 week'",
    "CAST(d AS TIMESTAMP)",
]
TIMES = st.sampled_from(["t", "w", "d", *SHIFTED])
COMPARED = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
TIME_PARTS = st.sampled_from(
    ["epoch", "hour", "minute", "second", "dow", "isodow", "day", "month", "year", "doy", "week", "quarter"]
)


def numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions over numbers made of numbers."""
    other = inner | LITERALS
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), other),
        st.builds("({} {} {})".format, LITERALS, st.sampled_from("+-*/"), inner),
        st.builds(
            "CASE WHEN {} THEN {} WHEN {} THEN {} ELSE {} END".format, YESNO, inner, YESNO, other, other
        ),
        st.builds("CASE WHEN {} THEN {} END".format, YESNO, inner),
        st.builds(
            "{}({}, {})".format, st.sampled_from(["COALESCE", "LEAST", "GREATEST", "NULLIF"]), inner, other
        ),
        st.builds("{}({}, {})".format, st.sampled_from(["LEAST", "GREATEST"]), LITERALS, inner),
        st.builds("COALESCE({}, {}, {})".format, inner, inner, other),
        st.builds("ROUND({}, {})".format, inner, st.integers(0, 3)),
        st.builds("{}({})".format, st.sampled_from(["ABS", "FLOOR", "CEIL", "ROUND", "SQRT", "-"]), inner),
        st.builds("CAST({} AS DOUBLE)".format, inner),
        st.builds("EXTRACT({} FROM {})".format, TIME_PARTS, TIMES),
        st.builds("LENGTH({})".format, WORDS),
        st.builds("TRY_CAST({} AS {})".format, WORDS, st.sampled_from(["INT", "BIGINT", "DOUBLE"])),
    )


YESNO = st.one_of(
    st.sampled_from(["b", "c", "b IS NULL", "c IS NOT NULL", "b = c", "b IS NOT TRUE"]),
    st.builds("{} {} {}".format, VARYING, COMPARED, VARYING | LITERALS),
    st.builds("{} {} {}".format, LITERALS, COMPARED, VARYING),
    st.builds("{} {} {}".format, WORDS, COMPARED, WORDS | st.sampled_from(["''", "'a'"])),
    st.builds("{} {} {}".format, TIMES, COMPARED, TIMES),
    st.builds("{} IN (1, 2.5, -1)".format, VARYING),
    st.builds("{} NOT IN ('a', '')".format, WORDS),
    st.builds(
        "{} LIKE {}".format, WORDS, st.sampled_from(["'a%'", "'%b'", "'%a%'", "'_b%'", "'a%b'", "'A_'"])
    ),
)
NUMBER = st.recursive(VARYING, numbers, max_leaves=4)
TRUTHS = st.recursive(
    YESNO
    | st.builds("{} {} {}".format, NUMBER, COMPARED, NUMBER | LITERALS)
    | st.builds("{} BETWEEN {} AND {}".format, NUMBER, LITERALS, NUMBER)
    | st.builds("{} IS NULL".format, NUMBER)
    | st.builds("{} IS NOT NULL".format, WORDS),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner),
        st.builds("(NOT {})".format, inner),
        st.builds("COALESCE({}, {})".format, inner, inner),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, inner, inner, inner),
        st.builds("({}) IS NULL".format, inner),
    ),
    max_leaves=5,
)


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows twice: Polars divides otherwise in a table of one row."""
    return pl.DataFrame(
        pl.Series(name, [row[name] for row in rows] * 2, dtype=STORED.get(kind, polars_type(kind))).cast(
            polars_type(kind)
        )
        for name, kind in COLUMNS.items()
    )


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or struct.pack("<d", one) == struct.pack("<d", other)
    return type(one) is type(other) and one == other


def answered(frame: pl.DataFrame, expression: pl.Expr) -> list[Any] | None:
    """What Polars says; None where it stumbles over a CASE that chooses alike for all rows of the table."""
    try:
        return frame.with_columns(expression.alias("found"))["found"].to_physical().to_list()
    except pl.exceptions.InvalidOperationError as error:
        if "doesn't match the DataFrame height" not in str(error):
            raise
        return None


def holds_for(text: str, rows: list[dict[str, Any]], final: Any = None) -> bool | None:
    """Whether plain Python says what Polars says; None when one of them says nothing."""
    frame = table(rows)
    try:
        expression = pl.sql_expr(text)
        expression = expression if final is None else final(expression)
        dtype = frame.lazy().select(expression.alias("found")).collect_schema()["found"]
    except pl.exceptions.PolarsError:
        return None
    computed = plain(expression, COLUMNS, dtype)
    if computed is None:
        return None
    expected = answered(frame, expression)
    if expected is None:
        return None
    for index, row in enumerate(rows):
        try:
            [found] = computed({name: [value] for name, value in row.items()}, 1)
        except Unplain:
            continue
        assert same(found, expected[index]), (text, row, found, expected[index])
    return True


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(TRUTHS, ROWS)
def test_yes_or_no_is_what_polars_says(text: str, rows: list[dict[str, Any]]) -> None:
    holds_for(text, rows)
    holds_for(text, rows, lambda parsed: parsed.cast(pl.Boolean).fill_null(False))


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(NUMBER, ROWS)
def test_numbers_are_what_polars_computes(text: str, rows: list[dict[str, Any]]) -> None:
    holds_for(text, rows)
    holds_for(text, rows, lambda parsed: parsed.cast(pl.Float64))


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(TIMES, ROWS)
def test_moments_are_what_polars_computes(text: str, rows: list[dict[str, Any]]) -> None:
    moment = pl.Datetime("us", "UTC")
    assert holds_for(text, rows, lambda parsed: parsed.cast(moment))
