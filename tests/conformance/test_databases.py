"""What holds for the databases alone: migrations, several processes, and changes from outside."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from seatrial.adapters.metadata.engines import open_engine
from seatrial.adapters.metadata.migrate import SCHEMA, stored_schema
from seatrial.adapters.metadata.schema import METADATA
from seatrial.adapters.metadata.store import open_metadata
from seatrial.errors import Conflict, IntegrityBroken, SettingsInvalid
from seatrial.facts.job import Progress
from seatrial.facts.logbook import chain_faults
from tests.fakes.clock import START, MemoryClock


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'metadata.db'}"
    return str(request.getfixturevalue("postgres_url"))


def test_a_new_store_gets_exactly_the_declared_tables(url: str) -> None:
    open_metadata(url, MemoryClock()).close()
    engine = open_engine(url, durable=True)
    assert stored_schema(engine) == SCHEMA
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_the_newest_migration_is_the_schema_in_use() -> None:
    config = Config()
    config.set_main_option("script_location", "seatrial.adapters.metadata:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA


def test_an_opened_store_keeps_what_was_stored_before(url: str) -> None:
    fact = Progress(id="drain", product="delays", position=7, at=START)
    first = open_metadata(url, MemoryClock())
    with first.begin() as t:
        t.put(fact)
    first.close()
    second = open_metadata(url, MemoryClock())
    with second.begin() as t:
        assert t.get(Progress, "delays", "drain") == fact
    second.close()


def test_a_store_of_a_newer_version_is_refused(url: str) -> None:
    open_metadata(url, MemoryClock()).close()
    engine = open_engine(url, durable=True)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SettingsInvalid, match="newer schema than"):
        open_metadata(url, MemoryClock())


_COUNT = """
import sys
from seatrial.adapters.clock.system import SystemClock
from seatrial.adapters.metadata.store import open_metadata
store = open_metadata(sys.argv[1], SystemClock())
for _ in range(20):
    with store.begin() as t:
        t.log(product="p", kind="k", subject=sys.argv[2], body={})
store.close()
"""


def test_processes_that_start_together_share_one_store(url: str) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", _COUNT, url, name], stderr=subprocess.PIPE, text=True)
        for name in ("ann", "ben", "cem")
    ]
    assert [(child.communicate()[1], child.returncode) for child in children] == [("", 0)] * 3
    store = open_metadata(url, MemoryClock())
    with store.begin() as t:
        entries = t.logbook()
    store.close()
    assert len(entries) == 60
    assert chain_faults(entries) == []


@pytest.mark.parametrize("url", ["", "mysql://host/name", "sqlite://", "sqlite:///:memory:", "no url"])
def test_another_kind_of_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="must be sqlite:///path or postgresql"):
        open_metadata(url, MemoryClock())


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    store = open_metadata(f"sqlite:///{tmp_path / 'metadata.db'}", MemoryClock())
    store.close()
    (tmp_path / "metadata.db").unlink()
    (tmp_path / "metadata.db").mkdir()
    with pytest.raises(Conflict, match="unable to open database file"), store.begin():
        pass


def _with_three_entries(folder: Path) -> Path:
    path = folder / "metadata.db"
    store = open_metadata(f"sqlite:///{path}", MemoryClock())
    with store.begin() as t:
        for share in (0.1, 0.5, 1.0):
            t.log(product="delays", kind="share", subject="r0001", body={"share": share})
    store.close()
    return path


def _changed(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def _faults(path: Path) -> list[str]:
    store = open_metadata(f"sqlite:///{path}", MemoryClock())
    try:
        with store.begin() as t:
            return chain_faults(t.logbook())
    finally:
        store.close()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("SET body = replace(body, '0.5', '0.6') WHERE seq = 2", "entry 2: its content was changed"),
        ("SET actor = 'Seatrial' WHERE seq = 1", "entry 1: its content was changed"),
        ("SET at = '2025-01-01T00:00:00.000001Z' WHERE seq = 3", "entry 3: its content was changed"),
        (
            "SET hash = 'a' || substr(hash, 2) WHERE seq = 1 AND hash NOT LIKE 'a%'",
            "entry 2: does not continue",
        ),
    ],
)
def test_a_changed_byte_in_the_logbook_is_found(tmp_path: Path, change: str, fault: str) -> None:
    path = _with_three_entries(tmp_path)
    assert _faults(path) == []
    _changed(path, f"UPDATE logbook {change}")
    assert any(line.startswith(fault) for line in _faults(path))


def test_a_removed_entry_of_the_logbook_is_found(tmp_path: Path) -> None:
    path = _with_three_entries(tmp_path)
    _changed(path, "DELETE FROM logbook WHERE seq = 2")
    assert any("an entry is missing or moved" in line for line in _faults(path))


def test_an_entry_that_does_not_read_any_more_is_named(tmp_path: Path) -> None:
    path = _with_three_entries(tmp_path)
    _changed(path, "UPDATE logbook SET body = '{' WHERE seq = 2")
    with pytest.raises(IntegrityBroken, match="logbook entry 2"):
        _faults(path)
