"""Contracts for tests: a small one of weather, and strategies for any contract and for rows of one."""

import math
import string
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from hypothesis import strategies as st

from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract, Contract, Role, RowRule, Severity, TableContract, TypeName

AT = datetime(2025, 1, 1, tzinfo=UTC)

WEATHER = TableContract(
    name="weather",
    columns=(
        ColumnContract(name="origin", type="string", role="lookup_key", required=True, values=("EWR", "JFK")),
        ColumnContract(name="observed_at", type="timestamp", required=True),
        ColumnContract(name="wind_speed", type="float", minimum=0, maximum=70, role="feature"),
        ColumnContract(name="sky", type="string", max_length=5, severity="warning"),
    ),
    unique=(("origin", "observed_at"),),
    stop_above=1.0,
    minimum_rows=0,
)

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
_TEXT = st.text(max_size=12)
_NAMES = st.text(string.ascii_letters + string.digits + "_ äß.", min_size=1, max_size=8)
_BOUNDS = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def columns(draw: st.DrawFn, name: str) -> ColumnContract:
    """A column of any type with any rules that it may have together."""
    kind = draw(st.sampled_from(get_args(TypeName)))
    rules: dict[str, Any] = {}
    if kind in ("float", "int"):
        rules = draw(_numeric_rules())
    if kind == "string":
        rules = draw(_text_rules() | _closed_sets())
    return ColumnContract(
        name=name,
        type=kind,
        role=draw(st.sampled_from(get_args(Role))),
        required=draw(st.booleans()),
        unique=draw(st.booleans()),
        severity=draw(st.sampled_from(["error", "warning"])),
        classification=draw(st.none() | st.just("restricted")),
        description=draw(_TEXT),
        evidence=draw(_TEXT),
        **rules,
    )


@st.composite
def _numeric_rules(draw: st.DrawFn) -> dict[str, Any]:
    low, high = math.floor(draw(_BOUNDS)), math.ceil(draw(_BOUNDS))
    low, high = min(low, high - 2), max(high, low + 2)
    lows: list[dict[str, float]] = [{}, {"minimum": float(low)}, {"exclusive_minimum": low + 0.5}]
    highs: list[dict[str, float]] = [{}, {"maximum": float(high)}, {"exclusive_maximum": float(high)}]
    steps: list[dict[str, float]] = [{}, {}, {"multiple_of": 0.01}, {"multiple_of": 5.0}]
    both = {"minimum": float(low), "exclusive_minimum": float(low)}
    return draw(st.sampled_from([*lows, both])) | draw(st.sampled_from(highs)) | draw(st.sampled_from(steps))


def _text_rules() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "pattern": st.none() | st.sampled_from([r"[a-c]*", r"\d{1,3}|x", r".+"]),
            "format": st.none() | st.sampled_from(sorted(FORMATS)),
            "min_length": st.none() | st.integers(0, 3),
            "max_length": st.none() | st.integers(3, 9),
        }
    )


def _closed_sets() -> st.SearchStrategy[dict[str, Any]]:
    values = st.lists(_TEXT, min_size=1, max_size=4, unique=True).map(tuple)
    return st.fixed_dictionaries({"values": values})


@st.composite
def _row_rules(draw: st.DrawFn, columns: Sequence[ColumnContract]) -> tuple[RowRule, ...]:
    """Rules in SQL over the columns: whatever holds or not for some values, is unknown for none."""
    one = draw(st.sampled_from(columns))
    quoted = '"' + one.name + '"'
    expressions = {
        "float": f"{quoted} > 1",
        "int": f"{quoted} BETWEEN -1000 AND 1000",
        "bool": quoted,
        "timestamp": f"{quoted} IS NOT NULL",
        "date": f"{quoted} IS NULL",
    }
    text = expressions.get(one.type, f"{quoted} <> 'abc'")
    rules = [RowRule(name="in SQL", expression=text, severity=severity) for severity in SEVERITIES]
    return draw(st.sampled_from([(), *((rule,) for rule in rules)]))


@st.composite
def tables(draw: st.DrawFn, name: str = "table") -> TableContract:
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    groups = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple)
    found = tuple(draw(columns(one)) for one in names)
    return TableContract(
        name=name,
        columns=found,
        unique=tuple(draw(st.lists(groups, max_size=2, unique=True))),
        row_rules=draw(_row_rules(found)),
        minimum_rows=draw(st.integers(0, 100)),
        stop_above=draw(st.floats(0.001, 1.0)),
        description=draw(_TEXT),
    )


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    names = draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))
    return Contract(
        id=draw(_NAMES),
        version="1.2.3",
        tables=tuple(draw(tables(name)) for name in names),
        description=draw(_TEXT),
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text("aé", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=4,
)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": st.floats(-2e6, 2e6)
    | st.integers(-(10**6), 10**6).map(lambda number: number / 100)
    | st.sampled_from([0.0, math.inf, -math.inf]),
    "int": st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**6), 10**6),
    "bool": st.booleans(),
    "timestamp": st.sampled_from(
        [
            "2024-05-01T12:30:00Z",
            "2024-05-01 12:30:00+02:00",
            "2024-05-01T12:30:00.123456-0130",
            "2024-05-01T12:30:00.9999996Z",
            "2024-05-01T12:30:00.12345649Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-05:00",
            "0000-05-01T12:30:00Z",
            "2024-05-01T12:30:00",
            "2024-05-01",
            "2024-02-30T12:30:00Z",
            "2024-05-01T23:59:60Z",
            " 2024-05-01T12:30:00Z",
            "yesterday",
        ]
    ),
    "date": st.sampled_from(
        ["2024-05-01", "2024-02-30", "0000-01-01", "9999-12-31", "2024-5-1", "2024-05-01T00:00:00Z", "x"]
    ),
    "time": st.sampled_from(
        ["12:30:00", "23:59:59.5", "00:00:00.000000", "12:30:00.1234567", "24:00:00", "12:30", "12:30:60"]
    ),
    "array": _JSON,
    "object": _JSON,
}
_SHAPED = st.sampled_from(
    [
        "a.b-c@example.org",
        "a@b",
        "123e4567-e89b-12d3-a456-426614174000",
        "https://example.org/?q=%20#x",
        "http://ex ample",
        "192.168.0.255",
        "192.168.0.256",
        "2001:db8::1",
        "::",
        "1::2::3",
        "example.org",
        "-example.org",
    ]
)


def values(column: ColumnContract) -> st.SearchStrategy[Any]:
    """Values of the column's type as JSON says them, sound or not, and nothing."""
    texts = st.text("abcx1é\n", max_size=10) | st.sampled_from(column.values or ("a",))
    shaped = _SHAPED if column.format else st.nothing()
    return st.none() | _VALUES.get(column.type, texts | shaped)
