"""Delta tables as sources: only what was appended, or the whole when more happened."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from seatrial.adapters.sources.reader import Sources
from seatrial.data.ports import Delivery, Position
from seatrial.product.schema import Source

CHANGES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: DeltaTable(path).delete("n = 1"),
    "updated": lambda path: DeltaTable(path).update(updates={"n": "10"}, predicate="n = 1"),
    "joined files": lambda path: DeltaTable(path).optimize.compact(),
    "overwritten": lambda path: write_deltalake(path, pl.DataFrame({"n": [9]}), mode="overwrite"),
    "another schema": lambda path: write_deltalake(
        path, pl.DataFrame({"n": [4], "city": ["Oslo"]}), mode="append", schema_mode="merge"
    ),
}


def read(path: Path, since: Position | None = None) -> list[Delivery]:
    return list(Sources().read("weather", Source(delta="table"), path.parent, since=since))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for n in (1, 2):
        write_deltalake(tmp_path / "table", pl.DataFrame({"n": [n]}), mode="append")
    return tmp_path / "table"


def test_appended_rows_are_delivered_alone(table: Path) -> None:
    position = read(table)[-1].position
    write_deltalake(table, pl.DataFrame({"n": [3]}), mode="append")
    write_deltalake(table, pl.DataFrame({"n": [4]}), mode="append")
    found = read(table, position)
    assert [(one.whole, sorted(one.frame["n"].to_list())) for one in found] == [(False, [3, 4])]


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_change_delivers_the_whole_table(table: Path, change: str) -> None:
    position = read(table)[-1].position
    CHANGES[change](table)
    found = read(table, position)
    assert [one.whole for one in found] == [True]
    assert sorted(found[0].frame["n"]) == sorted(pl.read_delta(str(table))["n"])
    assert read(table, found[0].position) == []


def test_a_table_that_was_made_anew_is_delivered_whole(table: Path) -> None:
    position = read(table)[-1].position
    for file in sorted(table.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    for n in (5, 6, 7):
        write_deltalake(table, pl.DataFrame({"n": [n]}), mode="append")
    found = read(table, position)
    assert [(one.whole, sorted(one.frame["n"])) for one in found] == [(True, [5, 6, 7])]
