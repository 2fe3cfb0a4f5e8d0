"""Seatrial: the contract compiled to streaming passes; every failing row with its rule, place and content."""

import hashlib
import sys
from pathlib import Path

import polars as pl

from benchmarks.contract_rules import (
    AT,
    CODE,
    FLOATS,
    FRESH,
    HIGH,
    KINDS,
    LOW,
    OLDEST,
    PLACES,
    RANGED,
    REQUIRED,
    report,
)
from seatrial.contract.model import ColumnContract, Freshness, TableContract
from seatrial.contract.scan import scan_table


def table(*, unique: bool) -> TableContract:
    """The 18 rules; 17 without uniqueness."""
    rules: dict[str, dict[str, object]] = {name: {"type": "float"} for name in FLOATS}
    rules |= {name: {"type": "float", "minimum": LOW, "maximum": HIGH} for name in RANGED}
    rules |= {name: {"type": "int"} for name in ("id", "age", "count", "cents")}
    rules["age"] |= {"minimum": 0, "maximum": OLDEST}
    rules["id"] |= {"unique": unique}
    rules |= {"kind": {"type": "string", "values": KINDS}, "place": {"type": "string", "values": PLACES}}
    rules |= {"code": {"type": "string", "pattern": CODE}, "seen": {"type": "timestamp"}}
    columns = [
        ColumnContract(name=name, required=name in REQUIRED, **rule)  # type: ignore[arg-type]  # rules by name
        for name, rule in rules.items()
    ]
    fresh = Freshness(column="seen", seconds=FRESH.total_seconds())
    return TableContract(name="table", columns=tuple(columns), freshness=(fresh,))


def work(folder: Path, *, unique: bool) -> dict[str, object]:
    """The places of the rows that break a rule."""
    rows = pl.scan_parquet(folder / "*.parquet")
    found = scan_table(table(unique=unique), rows, contract_version="1.0.0", at=AT, spill=folder)
    places = found.quarantined["line"].unique().sort().to_numpy()
    digest = hashlib.sha256(places.tobytes()).hexdigest()
    return {"found": found.rejected, "places": digest, "fresh": not found.results[-1].failed}


if __name__ == "__main__":
    report(lambda: work(Path(sys.argv[1]), unique="no-uniqueness" not in sys.argv))
