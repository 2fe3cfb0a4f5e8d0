"""A rewritten Delta table keeps no trace of what was removed, and loses nothing else."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import obstore
import polars as pl
import pytest
from deltalake import DeltaTable
from obstore.store import from_url

from seatrial.adapters.tables import delta
from seatrial.adapters.tables.delta import DeltaTables
from seatrial.errors import StorageFailed
from tests.object_storage import object_storage

GONE = "passenger-4711"


def _people(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"name": names, "n": list(range(len(names)))}, schema_overrides={"n": pl.Int64})


def _filled(folder: Path, commits: int = 5) -> DeltaTables:
    tables = DeltaTables(folder)
    for version in range(commits):
        tables.append("people", _people(f"other-{version}", GONE), writer="w", version=version)
    return tables


def _forget(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("name") != GONE)


def _without(*names: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.remove(pl.col("name").is_in(names))


def traces(folder: Path, secret: str) -> list[str]:
    """Every file below a folder that holds the text, raw or in the decoded values of a Parquet file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if _holds(path, secret)]


def _holds(path: Path, secret: str) -> bool:
    if secret.encode() in path.read_bytes():
        return True
    return path.suffix == ".parquet" and secret in str(pl.read_parquet(path).to_dicts())


def test_no_file_keeps_what_was_removed(tmp_path: Path) -> None:
    tables = _filled(tmp_path)
    assert len(traces(tmp_path, GONE)) == 5
    tables.rewrite("people", _forget)
    assert traces(tmp_path, GONE) == []
    assert sorted(tables.read("people")["name"]) == [f"other-{version}" for version in range(5)]


def test_no_file_keeps_what_was_removed_after_many_commits_and_compactions(tmp_path: Path) -> None:
    tables = _filled(tmp_path, commits=103)
    assert (tmp_path / "people" / "_delta_log" / "_last_checkpoint").exists()
    tables.rewrite("people", _forget)
    assert traces(tmp_path, GONE) == []
    assert tables.rows("people") == DeltaTables(tmp_path).rows("people") == 103


def test_no_object_in_a_bucket_keeps_what_was_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_storage() as storage:
        bucket = storage.bucket()
        for name, value in storage.options.items():
            monkeypatch.setenv(name, value)
        tables = DeltaTables(bucket)
        for version in range(3):
            tables.append("people", _people(f"other-{version}", GONE), writer="w", version=version)
        assert len(_holding(bucket)) == 3
        tables.rewrite("people", _forget)
        assert _holding(bucket) == []
        assert sorted(tables.read("people")["name"]) == [f"other-{version}" for version in range(3)]


def _holding(bucket: str) -> list[str]:
    store = from_url(bucket)
    paths = [entry["path"] for page in obstore.list(store) for entry in page]
    bodies = {path: obstore.get(store, path).bytes().to_bytes() for path in paths}
    tables = {
        path: str(pl.read_parquet(body).to_dicts()) for path, body in bodies.items() if body[:4] == b"PAR1"
    }
    return [path for path, body in bodies.items() if GONE.encode() in body or GONE in tables.get(path, "")]


def test_older_states_cannot_be_read_any_more(tmp_path: Path) -> None:
    tables = _filled(tmp_path)
    tables.rewrite("people", _forget)
    newest = DeltaTable(tmp_path / "people").version()
    for version in range(newest):
        try:
            names = pl.read_delta(str(tmp_path / "people"), version=version)["name"]
        except (OSError, pl.exceptions.PolarsError):
            continue
        assert GONE not in names.to_list()


def test_the_log_forgets_old_commits_and_keeps_those_that_writers_may_build_on(tmp_path: Path) -> None:
    tables = _filled(tmp_path)
    log = tmp_path / "people" / "_delta_log"
    old = time.time() - 2 * 3600
    for path in sorted(log.glob("*.json"))[:3]:
        os.utime(path, (old, old))
    tables.rewrite("people", _forget)
    left = [int(path.stem) for path in log.glob("*.json")]
    assert min(left) == 3
    assert DeltaTables(tmp_path).version("people", "w") == 4


def test_what_dead_writers_left_goes_once_nobody_can_commit_it(tmp_path: Path) -> None:
    tables = _filled(tmp_path)
    old, young = tmp_path / "people" / "old.parquet", tmp_path / "people" / "young.parquet"
    for path, age in ((old, 2 * 3600), (young, 60)):
        _people(GONE).write_parquet(path)
        os.utime(path, (time.time() - age, time.time() - age))
    tables.rewrite("people", _forget)
    assert traces(tmp_path, GONE) == ["people/young.parquet"]


def test_a_rewriting_that_died_before_its_files_were_removed_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    tables = _filled(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(delta, "remove_traces", killed)
        with pytest.raises(KeyboardInterrupt):
            tables.rewrite("people", _forget)
    assert traces(tmp_path, GONE)
    DeltaTables(tmp_path).rewrite("people", _forget)
    assert traces(tmp_path, GONE) == []


def test_a_reader_whose_files_go_reads_the_newest_state_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = _filled(tmp_path), DeltaTables(tmp_path)
    planned, scan = [], pl.scan_delta

    def rewritten_meanwhile(handle: DeltaTable) -> pl.LazyFrame:
        found = scan(handle)
        planned.append(found)
        if len(planned) == 1:
            writer.rewrite("people", _forget)
        return found

    monkeypatch.setattr(pl, "scan_delta", rewritten_meanwhile)
    assert GONE not in reader.read("people")["name"].to_list()
    assert len(planned) > 2


def test_a_file_that_is_gone_though_nobody_rewrote_the_table_is_told(tmp_path: Path) -> None:
    tables = _filled(tmp_path)
    next((tmp_path / "people").glob("*.parquet")).unlink()
    with pytest.raises(StorageFailed, match="table people: its rows could not be read"):
        tables.read("people")


_APPEND = """
import pathlib
import sys
import polars as pl
from seatrial.adapters.tables.delta import DeltaTables
from seatrial.errors import StorageFailed
from tests.object_storage import object_storage
tables = DeltaTables(sys.argv[1])
version = 0
while version < 1000 and not pathlib.Path(sys.argv[2]).exists():
    version += 1
    frame = pl.DataFrame({"name": [f"late-{version}"], "n": [version]})
    assert tables.append("people", frame, writer="late", version=version)
    if version == 3:
        print("going", flush=True)
print(version)
"""


def test_rows_that_another_process_adds_meanwhile_are_kept(tmp_path: Path) -> None:
    tables = _filled(tmp_path / "tables")
    child = subprocess.Popen(
        [sys.executable, "-c", _APPEND, str(tmp_path / "tables"), str(tmp_path / "stop")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "going\n"
    for name in (f"other-{version}" for version in range(5)):
        tables.rewrite("people", _without(GONE, name))
    (tmp_path / "stop").touch()
    told, complaints = child.communicate()
    assert (complaints, child.returncode) == ("", 0)
    late = [name for name in tables.read("people")["name"] if name.startswith("late-")]
    assert sorted(late) == sorted(f"late-{version}" for version in range(1, int(told) + 1))
    assert traces(tmp_path, GONE) == []
