"""Pointblank on Polars: the whole table in memory, every failing row extracted (the default keeps 500 per rule)."""

import sys
from pathlib import Path

import pointblank as pb
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


def plan(frame: pl.DataFrame) -> pb.Validate:
    """17 of the rules; freshness is none of a row's."""
    found = pb.Validate(frame)
    for name in RANGED:
        found = found.col_vals_between(name, LOW, HIGH, na_pass=True)
    for name in REQUIRED:
        found = found.col_vals_not_null(name)
    found = found.col_vals_between("age", 0, OLDEST, na_pass=True)
    found = found.col_vals_in_set("kind", list(KINDS)).col_vals_in_set("place", list(PLACES))
    return found.col_vals_regex("code", f"^(?:{CODE})$", na_pass=True).rows_distinct("id")


def work(folder: Path) -> dict[str, object]:
    """The distinct rows among the extracts."""
    frame = pl.read_parquet(folder / "*.parquet")
    fresh = is_fresh(frame["seen"].max())
    checked = plan(frame).interrogate(extract_limit=frame.height)
    extracts = [one for one in checked.get_data_extracts().values() if one is not None and len(one)]
    lines = pl.concat([one["_row_num_"] for one in extracts])
    return {"found": lines.n_unique(), "cases": len(lines), "fresh": fresh}


if __name__ == "__main__":
    report(lambda: work(Path(sys.argv[1])))
