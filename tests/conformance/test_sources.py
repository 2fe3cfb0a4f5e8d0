"""Sources: whatever a table lies in, the same rows come out; whatever goes wrong, the source is named."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.adapters.sources.reader import Sources
from seatrial.data.ports import SourceReader
from seatrial.data.reading import read_whole
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source
from tests.fakes.sources import MemorySources

TABLE = pl.DataFrame(
    {
        "city": ["Oslo", None],
        "rain": [1.5, None],
        "n": [1, 2],
        "at": [datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, 12, 30, tzinfo=UTC)],
    }
)
WRITERS: dict[str, Callable[[Path], None]] = {
    "csv": lambda path: TABLE.write_csv(path, null_value="NA", datetime_format="%+"),
    "parquet": TABLE.write_parquet,
    "arrow": TABLE.write_ipc,
    "feather": TABLE.write_ipc,
}
MODULE = """
import polars as pl
from neighbour import cities

CALLS = []

def table():
    import late_neighbour
    CALLS.append(1)
    return pl.DataFrame({"city": cities(), "calls": len(CALLS)})

def lazy():
    return table().lazy()

def mapping():
    return {"city": cities()}

def words():
    return "no table"

def fails():
    raise RuntimeError("the warehouse is closed")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables.py").write_text(MODULE)
    (tmp_path / "neighbour.py").write_text("def cities():\n    return ['Oslo']\n")
    (tmp_path / "late_neighbour.py").write_text("")
    return tmp_path


def read(folder: Path, reader: SourceReader | None = None, **source: str) -> pl.DataFrame:
    return read_whole(reader or Sources(), "weather", Source.model_validate(source), folder)


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_gives_the_rows_that_were_written(tmp_path: Path, ending: str) -> None:
    WRITERS[ending](tmp_path / f"t.{ending}")
    assert_frame_equal(read(tmp_path, path=f"t.{ending}"), TABLE)


@pytest.mark.parametrize("ending", ["jsonl", "ndjson"])
def test_json_lines_give_the_rows_with_times_as_text(tmp_path: Path, ending: str) -> None:
    TABLE.write_ndjson(tmp_path / f"t.{ending}")
    assert_frame_equal(read(tmp_path, path=f"t.{ending}").drop("at"), TABLE.drop("at"))


def test_empty_fields_and_na_are_missing_in_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,NA\n,x\n")
    assert read(tmp_path, path="t.csv").rows() == [(1, None), (None, "x")]


def test_files_of_a_glob_are_stacked_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("n,city\n2.5,Rome\n")
    (tmp_path / "a.csv").write_text("city,n\nOslo,1\n")
    assert read(tmp_path, path="*.csv").rows() == [("Oslo", 1.0), ("Rome", 2.5)]


def test_files_of_a_glob_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("city,n\nOslo,1\n")
    (tmp_path / "b.csv").write_text("city,m\nRome,2\n")
    with pytest.raises(SourceFailed, match=r"source weather: .*b.csv and .*a.csv differ in the columns m, n"):
        read(tmp_path, path="*.csv")


@pytest.mark.parametrize(
    ("path", "told"),
    [("none.csv", "no file at"), ("t.xyz", "must end in"), ("broken.parquet", "cannot read")],
)
def test_a_file_that_cannot_be_read_names_its_source(tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "t.xyz").write_text("")
    (tmp_path / "broken.parquet").write_text("no parquet")
    with pytest.raises(SourceFailed, match=rf"source weather: .*{told}"):
        read(tmp_path, path=path)


@pytest.mark.parametrize("kind", [{"path": "t.csv"}, {"python": "tables:table"}])
def test_a_relative_place_without_a_folder_is_refused(kind: dict[str, str]) -> None:
    with pytest.raises(SourceFailed, match="source weather"):
        read_whole(Sources(), "weather", Source.model_validate(kind), None)


@pytest.mark.parametrize("function", ["table", "lazy", "mapping"])
def test_a_function_gives_its_table(folder: Path, function: str) -> None:
    assert read(folder, python=f"tables:{function}")["city"].to_list() == ["Oslo"]


def test_a_function_leaves_no_module_and_no_path_behind(folder: Path) -> None:
    modules, path = set(sys.modules), list(sys.path)
    read(folder, python="tables:table")
    assert set(sys.modules) == modules
    assert sys.path == path


def test_functions_of_one_file_share_what_they_keep_until_the_next_reading(folder: Path) -> None:
    reader = Sources()
    calls = [read(folder, reader, python="tables:table")["calls"].item() for _ in range(2)]
    assert calls == [1, 2]
    assert read(folder, python="tables:table")["calls"].item() == 1


def test_a_module_in_a_package_is_found_by_its_dots(folder: Path) -> None:
    (folder / "warehouse").mkdir()
    (folder / "warehouse" / "tables.py").write_text(MODULE)
    assert read(folder, python="warehouse.tables:mapping")["city"].to_list() == ["Oslo"]


@pytest.mark.parametrize(
    ("python", "told"),
    [
        ("tables:fails", "RuntimeError: the warehouse is closed"),
        ("tables:missing", "AttributeError"),
        ("tables:words", "expected a table .* received str"),
        ("nowhere:table", "no file"),
    ],
)
def test_a_function_that_fails_names_its_source(folder: Path, python: str, told: str) -> None:
    with pytest.raises(SourceFailed, match=f"source weather: .*{told}"):
        read(folder, python=python)


def test_a_failing_source_keeps_the_error_that_was_raised(folder: Path) -> None:
    with pytest.raises(SourceFailed) as failed:
        read(folder, python="tables:fails")
    assert isinstance(failed.value.__cause__, RuntimeError)


def test_the_fake_gives_its_tables_and_fails_as_the_readers_do() -> None:
    fake = MemorySources({"weather": TABLE})
    assert_frame_equal(read_whole(fake, "weather", Source(path="t.csv"), None), TABLE)
    with pytest.raises(SourceFailed, match="source tides"):
        read_whole(fake, "tides", Source(path="t.csv"), None)
