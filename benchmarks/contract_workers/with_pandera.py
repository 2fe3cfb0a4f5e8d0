"""Pandera on Polars: the whole table in memory, all errors gathered (`lazy=True`), uniqueness as a column's rule."""

import sys
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl

from benchmarks.contract_rules import (
    CODE,
    FLOATS,
    HIGH,
    KINDS,
    LOW,
    OLDEST,
    PLACES,
    RANGED,
    REQUIRED,
    is_fresh,
    report,
)


def schema() -> pa.DataFrameSchema:
    """17 of the rules; freshness is none of a schema."""
    checks: dict[str, list[pa.Check]] = {name: [pa.Check.in_range(LOW, HIGH)] for name in RANGED}
    checks["age"] = [pa.Check.in_range(0, OLDEST)]
    checks["kind"] = [pa.Check.isin(list(KINDS))]
    checks["place"] = [pa.Check.isin(list(PLACES))]
    checks["code"] = [pa.Check.str_matches(f"^(?:{CODE})$")]
    types: dict[str, Any] = dict.fromkeys(FLOATS, pl.Float64) | dict.fromkeys(
        ("id", "age", "count", "cents"), pl.Int64
    )
    types |= dict.fromkeys(("kind", "place", "code"), pl.String)
    columns = {
        name: pa.Column(kind, checks.get(name), nullable=name not in REQUIRED, unique=name == "id")
        for name, kind in (types | {"seen": pl.Datetime("us", "UTC")}).items()
    }
    return pa.DataFrameSchema(columns)


def work(folder: Path) -> dict[str, object]:
    """The distinct rows among the failure cases."""
    frame = pl.read_parquet(folder / "*.parquet")
    fresh = is_fresh(frame["seen"].max())
    try:
        schema().validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        return {"found": cases["index"].drop_nulls().n_unique(), "cases": cases.height, "fresh": fresh}
    return {"found": 0, "fresh": fresh}


if __name__ == "__main__":
    report(lambda: work(Path(sys.argv[1])))
