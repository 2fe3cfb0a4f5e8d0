"""Times that say no zone, in every kind of source: read in the zone that the source states, and in no other."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from seatrial.adapters.sources.reader import Sources
from seatrial.contract.check import check_table
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.data.ports import Delivery, Position
from seatrial.data.reading import read_whole
from seatrial.product.schema import Source
from seatrial.wiring import scannable_files
from tests.contracts import AT

ROWS = pl.DataFrame({"n": [1, 2], "at": [datetime(2017, 7, 1, 12), datetime(2017, 1, 1, 12)]})  # noqa: DTZ001
IN_LISBON = [datetime(2017, 7, 1, 11, tzinfo=UTC), datetime(2017, 1, 1, 12, tzinfo=UTC)]
SKIPPED = pl.DataFrame({"n": [3], "at": [datetime(2017, 3, 26, 1, 30)]})  # noqa: DTZ001 - clocks skip it in Lisbon
TABLE = TableContract(
    name="t", columns=(ColumnContract(name="n", type="int"), ColumnContract(name="at", type="timestamp"))
)


def a_database(folder: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(folder / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE t (n INTEGER, at TEXT)")
        rows = ROWS.with_columns(pl.col("at").dt.to_string("%Y-%m-%d %H:%M:%S")).rows()
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    return {"sql": "SELECT * FROM t ORDER BY n", "url": "sqlite:///t.db"}


def a_delta_table(folder: Path) -> dict[str, Any]:
    ROWS.write_delta(folder / "lake")
    return {"delta": "lake"}


def a_function(folder: Path) -> dict[str, Any]:
    ROWS.write_parquet(folder / "own.parquet")
    (folder / "code.py").write_text(
        "import pathlib\nimport polars as pl\n\n\ndef rows():\n"
        "    return pl.read_parquet(pathlib.Path(__file__).parent / 'own.parquet')\n"
    )
    return {"python": "code:rows"}


def files(write: Callable[[pl.DataFrame, Path], object], name: str) -> Callable[[Path], dict[str, Any]]:
    def written(folder: Path) -> dict[str, Any]:
        write(ROWS, folder / name)
        return {"path": name}

    return written


KINDS = {
    "csv": files(pl.DataFrame.write_csv, "t.csv"),
    "json lines": files(pl.DataFrame.write_ndjson, "t.jsonl"),
    "parquet": files(pl.DataFrame.write_parquet, "t.parquet"),
    "arrow": files(pl.DataFrame.write_ipc, "t.arrow"),
    "sql": a_database,
    "delta": a_delta_table,
    "python": a_function,
}


def moments(frame: pl.DataFrame) -> tuple[list[datetime], int]:
    checked = check_table(TABLE, frame, contract_version="1", at=AT)
    return checked.kept.sort("n")["at"].to_list(), checked.rejected


def whole(folder: Path, **source: Any) -> pl.DataFrame:
    return read_whole(Sources(), "t", Source.model_validate(source), folder)


@pytest.mark.parametrize("kind", KINDS)
def test_times_are_read_in_the_zone_of_their_source(tmp_path: Path, kind: str) -> None:
    source = KINDS[kind](tmp_path)
    assert moments(whole(tmp_path, **source, timezone="Europe/Lisbon")) == (IN_LISBON, 0)
    if "path" in source:
        declared = Source.model_validate({**source, "timezone": "Europe/Lisbon"})
        with scannable_files("t", declared, tmp_path) as found:
            assert moments(found.rows.collect()) == (IN_LISBON, 0)


def test_a_time_that_clocks_skip_costs_its_own_row_in_its_own_file(tmp_path: Path) -> None:
    ROWS.write_parquet(tmp_path / "a.parquet")
    SKIPPED.write_parquet(tmp_path / "b.parquet")
    assert moments(whole(tmp_path, path="*.parquet", timezone="Europe/Lisbon")) == (IN_LISBON, 1)
    assert moments(whole(tmp_path, path="*.parquet", timezone="UTC"))[1] == 0


def delivered(folder: Path, since: Position | None, **source: Any) -> list[Delivery]:
    return list(Sources().read("t", Source.model_validate(source), folder, since=since))


@pytest.mark.parametrize("kind", ["parquet", "sql", "python"])
def test_what_was_read_in_another_zone_is_read_again_and_else_is_not(tmp_path: Path, kind: str) -> None:
    source = KINDS[kind](tmp_path)
    [first] = delivered(tmp_path, None, **source, timezone="UTC")
    assert delivered(tmp_path, first.position, **source, timezone="UTC") == []
    [again] = delivered(tmp_path, first.position, **source, timezone="Europe/Lisbon")
    assert again.whole
    assert moments(again.frame) == (IN_LISBON, 0)


def test_a_zone_that_is_none_is_refused_in_the_product_file() -> None:
    with pytest.raises(ValueError, match="expected an IANA time zone"):
        Source(path="t.csv", timezone="Lisbon")
