"""The table of the contract benchmark: 20 columns, and rows that break a rule at known places."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.contract_rules import AT, FLOATS, KINDS, PLACES, RANGED

Places = npt.NDArray[np.int64]

ROWS_PER_FILE = 1_000_000
TRUTH = "broken.json"
# Rows in a million that break each rule of a row; as many repeat the id of the row after them.
BROKEN_PER_MILLION = 70


def write_table(folder: Path, rows: int) -> None:
    """Parquet files of `rows` rows in `folder`, and beside them how many are broken, with a digest of their places."""
    random = np.random.default_rng(7)
    broken, first = [], 0
    while first < rows:
        height = min(ROWS_PER_FILE, rows - first)
        frame, places = _part(random, first, height)
        frame.write_parquet(folder / f"{first:012}.parquet", row_group_size=250_000)
        broken.append(places + first)
        first += height
    places = np.sort(np.concatenate(broken))
    truth = {"found": len(places), "places": hashlib.sha256(places.tobytes()).hexdigest()}
    (folder / TRUTH).write_text(json.dumps(truth))


def _part(random: np.random.Generator, first: int, rows: int) -> tuple[pl.DataFrame, Places]:
    seconds = np.arange(rows) + first
    frame = pl.DataFrame(
        {name: random.normal(size=rows).clip(-5, 5) for name in FLOATS}
        | {
            "id": np.arange(rows) + first,
            "age": random.integers(0, 100, rows),
            "count": random.poisson(3, rows),
            "cents": random.integers(0, 10**6, rows),
            "kind": np.array(KINDS)[random.integers(0, len(KINDS), rows)],
            "place": np.array(PLACES)[random.integers(0, len(PLACES), rows)],
            "code": np.array([f"QX{index:04}" for index in range(500)])[random.integers(0, 500, rows)],
            "seen": seconds % (30 * 86_400),
        }
    )
    seen = (pl.lit(AT) - pl.duration(seconds="seen")).dt.cast_time_unit("us")
    return _planted(random, frame.with_columns(seen.alias("seen")))


def _planted(random: np.random.Generator, frame: pl.DataFrame) -> tuple[pl.DataFrame, Places]:
    """The frame with broken rows, and their places: each row breaks one rule."""
    each = max(1, frame.height * BROKEN_PER_MILLION // 1_000_000)
    changes = _changes()
    # Even places hold rows that are broken, odd ones the rows whose id they repeat.
    places = 2 * random.choice(frame.height // 2, each * (len(changes) + 1), replace=False)
    number = pl.int_range(frame.height)
    for index, (name, value) in enumerate(changes):
        chosen = places[index * each : (index + 1) * each]
        frame = frame.with_columns(pl.when(number.is_in(chosen)).then(value).otherwise(name).alias(name))
    repeated = places[len(changes) * each :]
    frame = frame.with_columns(
        pl.when(number.is_in(repeated)).then(pl.col("id").shift(-1)).otherwise("id").alias("id")
    )
    return frame, places


def _changes() -> list[tuple[str, pl.Expr]]:
    """Column and what it holds in rows that break its rule; one entry per rule of a row."""
    return [
        *((name, pl.lit(9.5)) for name in RANGED),
        ("f8", pl.lit(None)),
        ("id", pl.lit(None)),
        ("kind", pl.lit(None)),
        ("seen", pl.lit(None)),
        ("age", pl.lit(140)),
        ("kind", pl.lit("omega")),
        ("place", pl.lit("nowhere")),
        ("code", pl.lit("qx12")),
    ]


if __name__ == "__main__":
    write_table(Path(sys.argv[1]), int(sys.argv[2]))
