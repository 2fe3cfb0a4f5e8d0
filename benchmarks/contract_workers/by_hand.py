"""The Polars query that somebody would write by hand for these 18 rules: streamed, and read once."""

import sys
from pathlib import Path

import polars as pl

from benchmarks.contract_rules import (
    CODE,
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


def work(folder: Path) -> dict[str, object]:
    """The rows that break a rule of a row, with the rules they break, and the ids that repeat."""
    rows = pl.scan_parquet(folder / "*.parquet").with_row_index("line")
    checks = {f"{name} range": ~pl.col(name).is_between(LOW, HIGH) for name in RANGED}
    checks |= {f"{name} required": pl.col(name).is_null() for name in REQUIRED}
    checks["age range"] = ~pl.col("age").is_between(0, OLDEST)
    checks["kind values"] = ~pl.col("kind").is_in(KINDS)
    checks["place values"] = ~pl.col("place").is_in(PLACES)
    checks["code pattern"] = ~pl.col("code").str.contains(rf"\A(?:{CODE})\z")
    broken = rows.filter(pl.any_horizontal(checks.values())).with_columns(**checks)
    repeated = rows.group_by("id").len().filter((pl.col("len") > 1) & pl.col("id").is_not_null())
    newest = rows.select(pl.col("seen").max())
    one, two, three = pl.collect_all([broken, repeated, newest], engine="streaming")
    extra = int((two["len"] - 1).sum())
    return {"found": one.height + extra, "fresh": is_fresh(three.item())}


if __name__ == "__main__":
    report(lambda: work(Path(sys.argv[1])))
