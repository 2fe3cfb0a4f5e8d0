"""The logbook against somebody who has its file."""

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from tests import shop
from tests.shop import Commands

pytestmark = pytest.mark.xdist_group("logbook")


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product folder whose logbook has three entries."""
    folder = tmp_path_factory.mktemp("declared")
    shop.bring(folder)
    commands = Commands([sys.executable, "-m", "seatrial.cli"], folder)
    for _ in range(2):
        commands.init("--answers", "answers.yaml", "--force")
    commands.json("data")
    return folder


@pytest.fixture
def commands(declared: Path, tmp_path: Path) -> Commands:
    shutil.copytree(declared, tmp_path / "shop")
    return Commands([sys.executable, "-m", "seatrial.cli"], tmp_path / "shop")


def change(commands: Commands, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(commands.folder / ".seatrial" / "metadata.db")) as database:
        assert database.execute(statement).rowcount == 1
        database.commit()


def test_an_untouched_logbook_holds(commands: Commands) -> None:
    verified = commands.json("logbook", "verify")
    assert (verified["verified"], verified["entries"]) == (True, 4)


def test_one_changed_byte_of_a_body_is_found_and_its_entry_named(commands: Commands) -> None:
    change(commands, "UPDATE logbook SET body = replace(body, '3000', '3001') WHERE seq = 3")
    found = commands.run("logbook", "verify")
    assert (found.returncode, found.stdout) == (1, "")
    assert "integrity_broken" in found.stderr
    assert "entry 3: its content was changed after it was written" in found.stderr
    assert "entry 2" not in found.stderr


def test_an_entry_that_was_taken_out_is_missed(commands: Commands) -> None:
    change(commands, "DELETE FROM logbook WHERE seq = 2")
    found = commands.run("logbook", "verify", "--json")
    assert found.returncode == 1
    assert "entry 3: expected sequence number 2; an entry is missing or moved" in found.stderr
