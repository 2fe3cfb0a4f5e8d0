"""Every table store keeps the promises of its port."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.adapters.tables.delta import DeltaTables
from seatrial.errors import DataRefused
from seatrial.ports.tables import Tables
from tests.fakes.tables import MemoryTables
from tests.object_storage import ObjectStorage, object_storage

T0 = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with object_storage() as running:
        yield running


@pytest.fixture(params=["delta", "s3", "fake"])
def tables(request: pytest.FixtureRequest, tmp_path: Path, storage: ObjectStorage) -> Tables:
    if request.param == "s3":
        return DeltaTables(f"{storage.bucket()}/tables", storage.options)
    return DeltaTables(tmp_path / "tables") if request.param == "delta" else MemoryTables()


def _frame(*ids: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": ids, "made_at": [T0 + timedelta(hours=id, microseconds=1) for id in ids]},
        schema={"id": pl.Int64, "made_at": pl.Datetime("us", "UTC")},
    )


def test_a_table_that_nobody_wrote_is_empty(tables: Tables) -> None:
    frame = tables.read("predictions", where=pl.col("id") > 1, columns=["id"])
    assert frame.shape == (0, 0)
    assert tables.rows("predictions") == 0
    assert tables.version("predictions", "w") is None


def test_rows_come_back_with_their_types(tables: Tables) -> None:
    frame = pl.DataFrame({
        "text": ["ünïcode", None], "count": [-(2**63), 2**63 - 1], "score": [0.1 + 0.2, float("nan")],
        "flag": [True, None], "day": [date(1970, 1, 1), date(2025, 2, 28)], "at": [T0, T0.replace(microsecond=1)],
        "empty": pl.Series([None, None], dtype=pl.Float64), "many": [[1.5, None], []],
        "row": [{"a": 1, "b": "x"}, {"a": None, "b": None}],
    }, schema_overrides={"at": pl.Datetime("us", "UTC")})  # fmt: skip
    assert tables.append("predictions", frame, writer="w", version=1)
    assert_frame_equal(tables.read("predictions"), frame, check_row_order=False)


def test_rows_are_chosen_by_condition_and_columns(tables: Tables) -> None:
    for version in range(3):
        tables.append("predictions", _frame(2 * version, 2 * version + 1), writer="w", version=version)
    late = pl.col("made_at") > T0 + timedelta(hours=3)
    frame = tables.read("predictions", where=late, columns=["id"])
    assert frame.columns == ["id"]
    assert sorted(frame["id"]) == [3, 4, 5]
    assert tables.rows("predictions") == 6


def test_a_repeated_commit_is_a_no_op(tables: Tables) -> None:
    assert tables.append("predictions", _frame(1), writer="w", version=4)
    assert not tables.append("predictions", _frame(1), writer="w", version=4)
    assert not tables.append("predictions", _frame(9), writer="w", version=3)
    assert tables.append("predictions", _frame(2), writer="w", version=7)
    assert sorted(tables.read("predictions")["id"]) == [1, 2]
    assert tables.version("predictions", "w") == 7


def test_writers_and_tables_count_their_versions_apart(tables: Tables) -> None:
    assert tables.append("predictions", _frame(1), writer="ann", version=5)
    assert tables.append("predictions", _frame(2), writer="ben", version=1)
    assert tables.append("outcomes", _frame(3), writer="ann", version=1)
    assert (tables.version("predictions", "ann"), tables.version("predictions", "ben")) == (5, 1)
    assert (tables.version("outcomes", "ann"), tables.version("outcomes", "ben")) == (1, None)
    assert (tables.rows("predictions"), tables.rows("outcomes")) == (2, 1)


def test_a_commit_without_rows_counts_as_one(tables: Tables) -> None:
    assert tables.append("predictions", _frame(), writer="w", version=0)
    assert not tables.append("predictions", _frame(1), writer="w", version=0)
    assert tables.read("predictions").columns == ["id", "made_at"]
    assert tables.rows("predictions") == 0


def test_new_columns_are_null_in_old_rows_and_missing_ones_in_new_rows(tables: Tables) -> None:
    tables.append("predictions", _frame(1), writer="w", version=1)
    tables.append("predictions", pl.DataFrame({"id": [2], "feature_x": [0.5]}), writer="w", version=2)
    frame = tables.read("predictions").sort("id")
    assert frame.columns == ["id", "made_at", "feature_x"]
    assert frame["feature_x"].to_list() == [None, 0.5]
    assert frame["made_at"].to_list() == [T0 + timedelta(hours=1, microseconds=1), None]


NAIVE = pl.Series([datetime(2025, 1, 1)])  # noqa: DTZ001  # that is what is refused


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pl.Series([None]), "holds only nulls and has no type"),
        (pl.Series([[None]]), "holds only nulls and has no type"),
        (pl.Series([1], dtype=pl.UInt32), "UInt32, expected one of"),
        (NAIVE.cast(pl.Datetime("us")), "Datetime"),
        (pl.Series([T0]).cast(pl.Datetime("ms", "UTC")), "time_unit='ms'"),
        (pl.Series([T0]).cast(pl.Datetime("us", "Europe/Rome")), "Europe/Rome"),
        (pl.Series([timedelta(1)]), "Duration"),
        (pl.Series(["a"], dtype=pl.Categorical), "Categorical"),
        (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), "Array"),
        (pl.Series([{"a": {"b": 1}}]).cast(pl.Struct({"a": pl.Struct({"b": pl.UInt8})})), "Struct"),
    ],
)
def test_what_would_not_come_back_as_it_is_is_refused(tables: Tables, column: pl.Series, reason: str) -> None:
    with pytest.raises(DataRefused, match=reason) as refused:
        tables.append("predictions", column.alias("odd").to_frame(), writer="w", version=1)
    assert "column odd" in str(refused.value)
    assert tables.version("predictions", "w") is None


def test_all_faults_of_a_frame_are_told_at_once(tables: Tables) -> None:
    frame = pl.DataFrame({"a": [None], "b": [timedelta(1)], "c": [1]})
    with pytest.raises(DataRefused, match=r"column a .*column b ") as refused:
        tables.append("predictions", frame, writer="w", version=1)
    assert "column c" not in str(refused.value)


@pytest.mark.parametrize("id", [2.5, "2", None])
def test_a_column_never_changes_its_type(tables: Tables, id: object) -> None:
    tables.append("predictions", _frame(1), writer="w", version=1)
    with pytest.raises(DataRefused, match="column id"):
        tables.append("predictions", pl.DataFrame({"id": [id]}), writer="w", version=2)
    assert tables.read("predictions")["id"].to_list() == [1]
    assert tables.append("predictions", _frame(2), writer="w", version=2)


def test_a_frame_without_columns_is_refused(tables: Tables) -> None:
    with pytest.raises(DataRefused, match="no columns"):
        tables.append("predictions", pl.DataFrame(), writer="w", version=1)


@pytest.mark.parametrize("name", ["", "..", "../other", "a//b", "/a", "a b"])
def test_a_name_cannot_leave_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataRefused, match="expected a name"):
        DeltaTables(tmp_path).append(name, _frame(1), writer="w", version=1)


def test_what_another_process_commits_is_seen(tmp_path: Path) -> None:
    ours, theirs = DeltaTables(tmp_path), DeltaTables(tmp_path)
    assert ours.append("predictions", _frame(1), writer="w", version=1)
    assert not theirs.append("predictions", _frame(1), writer="w", version=1)
    assert theirs.append("predictions", _frame(2), writer="w", version=2)
    assert not ours.append("predictions", _frame(2), writer="w", version=2)
    assert ours.rows("predictions") == ours.read("predictions").height == 2


_COMMIT = """
import sys
import polars as pl
from seatrial.adapters.tables.delta import DeltaTables
tables = DeltaTables(sys.argv[1])
for table in range(5):
    tables.append(f"t{table}", pl.DataFrame({"id": [1], sys.argv[2]: [1.0]}), writer="w", version=1)
"""


def test_processes_that_repeat_one_commit_at_once_store_it_once(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _COMMIT, str(tmp_path), name], stderr=subprocess.PIPE, text=True
        )
        for name in ("ann", "ben")
    ]
    assert [(child.communicate()[1], child.returncode) for child in children] == [("", 0)] * 2
    tables = DeltaTables(tmp_path)
    assert [tables.rows(f"t{table}") for table in range(5)] == [1] * 5


def test_threads_share_one_store(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)

    def commit(writer: str) -> None:
        for version in range(10):
            tables.append("predictions", _frame(version), writer=writer, version=version)
            tables.read("predictions")

    threads = [threading.Thread(target=commit, args=(writer,)) for writer in ("ann", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tables.rows("predictions") == 20


def test_many_commits_are_compacted_and_lose_nothing(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    for version in range(105):
        assert tables.append("predictions", _frame(version), writer="w", version=version)
    again = DeltaTables(tmp_path)
    assert sorted(again.read("predictions")["id"]) == list(range(105))
    assert again.version("predictions", "w") == 104
    assert not again.append("predictions", _frame(104), writer="w", version=104)
    assert len(again._handles["predictions"].file_uris()) < 20


def test_tables_are_named_by_prefix(tables: Tables) -> None:
    assert tables.names() == []
    for name in ("shop.source.orders", "shop.source.weather", "shop.ledger", "other.ledger"):
        tables.append(name, _frame(1), writer="w", version=1)
    assert tables.names() == ["other.ledger", "shop.ledger", "shop.source.orders", "shop.source.weather"]
    assert tables.names("shop.source.") == ["shop.source.orders", "shop.source.weather"]
    assert tables.names("none") == []


def test_a_rewritten_table_holds_what_the_change_left(tables: Tables) -> None:
    for version in range(3):
        tables.append("predictions", _frame(2 * version, 2 * version + 1), writer="w", version=version)
    tables.rewrite("predictions", lambda rows: rows.filter(pl.col("id") != 3))
    assert sorted(tables.read("predictions")["id"]) == [0, 1, 2, 4, 5]
    assert tables.rows("predictions") == 5


def test_a_rewritten_table_knows_what_its_writers_committed(tables: Tables) -> None:
    tables.append("predictions", _frame(1), writer="ann", version=7)
    tables.append("predictions", _frame(2), writer="ben", version=3)
    tables.rewrite("predictions", lambda rows: rows.filter(pl.col("id") != 1))
    assert (tables.version("predictions", "ann"), tables.version("predictions", "ben")) == (7, 3)
    assert not tables.append("predictions", _frame(1), writer="ann", version=7)
    assert tables.append("predictions", _frame(9), writer="ann", version=8)
    assert sorted(tables.read("predictions")["id"]) == [2, 9]


def test_a_table_may_be_rewritten_to_nothing_and_goes_on(tables: Tables) -> None:
    tables.append("predictions", _frame(1), writer="w", version=1)
    tables.rewrite("predictions", lambda rows: rows.clear())
    assert tables.rows("predictions") == 0
    assert tables.append("predictions", _frame(2), writer="w", version=2)
    assert tables.read("predictions")["id"].to_list() == [2]


def test_rewriting_what_is_not_there_makes_nothing(tables: Tables) -> None:
    tables.rewrite("predictions", lambda rows: rows.clear())
    assert tables.names() == []


def test_rewriting_cannot_change_the_columns(tables: Tables) -> None:
    tables.append("predictions", _frame(1), writer="w", version=1)
    with pytest.raises(DataRefused, match="column"):
        tables.rewrite("predictions", lambda rows: rows.drop("made_at"))
    assert_frame_equal(tables.read("predictions"), _frame(1))
