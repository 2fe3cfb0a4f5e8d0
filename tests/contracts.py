"""Contracts for tests: a small one of weather, and strategies for any contract and for rows of one."""

import math
import string
from datetime import UTC, datetime
from typing import Any, get_args

from hypothesis import strategies as st

from seatrial.contract.model import ColumnContract, Contract, Role, TableContract

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

_TEXT = st.text(max_size=12)
_NAMES = st.text(string.ascii_letters + string.digits + "_ äß.", min_size=1, max_size=8)
_BOUNDS = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def columns(draw: st.DrawFn, name: str) -> ColumnContract:
    kind = draw(st.sampled_from(["string", "float", "int", "bool", "timestamp"]))
    rules: dict[str, Any] = {}
    if kind in ("float", "int"):
        low, high = sorted([math.floor(draw(_BOUNDS)), math.ceil(draw(_BOUNDS))])
        rules |= {"minimum": draw(st.none() | st.just(float(low)))}
        rules |= {"maximum": draw(st.none() | st.just(float(high)))}
    if kind == "string" and draw(st.booleans()):
        rules["values"] = tuple(draw(st.lists(_TEXT, min_size=1, max_size=4, unique=True)))
    elif kind == "string":
        rules["pattern"] = draw(st.none() | st.sampled_from([r"[a-c]*", r"\d{1,3}|x", r".+"]))
        rules["max_length"] = draw(st.none() | st.integers(0, 9))
    return ColumnContract(
        name=name,
        type=kind,  # type: ignore[arg-type]  # drawn from the types
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
def tables(draw: st.DrawFn, name: str = "table") -> TableContract:
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    groups = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple)
    return TableContract(
        name=name,
        columns=tuple(draw(columns(one)) for one in names),
        unique=tuple(draw(st.lists(groups, max_size=2, unique=True))),
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


def values(column: ColumnContract) -> st.SearchStrategy[Any]:
    """Values of the column's type, sound or not, and nothing."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text("abcx1é\n", max_size=10) | st.sampled_from(column.values or ("a",)),
        "float": st.floats(-2e6, 2e6) | st.sampled_from([0.0, math.inf, -math.inf]),
        "int": st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**6), 10**6),
        "bool": st.booleans(),
        "timestamp": st.sampled_from(
            [
                "2024-05-01T12:30:00Z",
                "2024-05-01 12:30:00+02:00",
                "2024-05-01T12:30:00.123456-0130",
                "2024-05-01T12:30:00",
                "2024-05-01",
                "2024-02-30T12:30:00Z",
                "2024-05-01T23:59:60Z",
                " 2024-05-01T12:30:00Z",
                "yesterday",
            ]
        ),
    }
    return st.none() | kinds[column.type]
