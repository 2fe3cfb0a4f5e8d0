"""`seatrial data erase` tells first, erases when it is told to, and proves it; the value itself is shown nowhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.cli import data_erase
from seatrial.cli.data_erase import erase
from seatrial.settings import read_settings
from seatrial.wiring import journal_writer, open_workspace
from tests.forgetting import GONE, SHIP, STAYS, lived, product, traces


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A product's folder whose workspace has a past, and a server that is still alive."""
    monkeypatch.delenv("SEATRIAL_WORKSPACE", raising=False)
    harbour = product()
    for name, text in zip(("product.yaml", "contract.yaml"), harbour.texts, strict=True):
        (tmp_path / name).write_text(text)
    settings = read_settings({}, {}, tmp_path)
    workspace = open_workspace(settings, product="harbour")
    journal: FileJournalWriter = journal_writer(settings, "server", product="harbour")
    lived(workspace, journal, harbour)
    workspace.metadata.close()
    yield tmp_path
    journal.close()


def _ran(folder: Path, *arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(erase, ["-C", str(folder), *arguments], input=given)


def _json(folder: Path, *arguments: str, given: str | None = None) -> Any:
    result = _ran(folder, *arguments, "--json", given=given)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_without_yes_nothing_is_changed(folder: Path) -> None:
    before = traces(folder / ".seatrial", GONE)
    told = _ran(folder, "--column", "key", "--value", GONE)
    assert told.exit_code == 0
    assert "harbour.predictions" in told.stdout
    assert "nothing was changed; --yes erases" in told.stdout
    assert GONE not in told.output
    assert traces(folder / ".seatrial", GONE) == before


def test_with_yes_it_is_erased_and_proved(folder: Path) -> None:
    looked = _json(folder, "--column", "key", "--value", GONE)
    why = ("--why", "asked by the captain")
    done = _json(folder, "--column", "key", "--value-from", "-", *why, "--yes", given=f"{GONE}\n")
    assert (looked["erased"], done["erased"]) == (False, True)
    assert done["erasure"]["state"] == "done"
    assert done["erasure"]["snapshots"] == looked["found"]["snapshots"]
    assert traces(folder / ".seatrial", GONE) == []
    (proof,) = _json(folder, "--prove", "--value", GONE)["proofs"]
    assert proof["entries"][0]["body"]["commitment"] == done["erasure"]["commitment"]
    assert _json(folder, "--prove", "--value", STAYS) == {"proofs": []}
    words = _ran(folder, "--prove", "--value", GONE)
    assert "erasure e0001" in words.stdout
    assert "logbook entry" in words.stdout
    assert GONE not in words.output


def test_the_value_may_come_from_a_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "whom").write_text(f"{SHIP}\nand more\n")
    done = _ran(folder, "--column", "ship", "--value-from", str(tmp_path / "whom"), "--why", "sold", "--yes")
    assert done.exit_code == 0, done.output
    assert "models trained on them" in done.stdout
    assert traces(folder / ".seatrial", SHIP) == []


def test_it_waits_for_what_a_server_has_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = journal_writer(read_settings({}, {}, folder), "server", product="harbour", segment_seconds=60.0)
    writer.append("predictions", [b"open"])
    monkeypatch.setattr(data_erase, "_LONGEST", 0.2)
    arguments = ("--column", "key", "--value", GONE, "--why", "asked", "--yes")
    hanging = _ran(folder, *arguments)
    assert hanging.exit_code == 1
    assert hanging.stderr.splitlines()[-1].startswith("not_ready: a server has not handed over its journal")
    writer.close()
    assert _ran(folder, *arguments).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--column", "key"], "either --value or --value-from"),
        (["--column", "key", "--value", "a", "--value-from", "b"], "either --value or --value-from"),
        (["--value", "a"], "--column is missing"),
        (["--column", "key", "--value", "a", "--yes"], "--why is missing"),
        (["--column", "key", "--value-from", "no-such-file"], "cannot be read"),
    ],
)
def test_what_is_missing_is_told(folder: Path, arguments: list[str], told: str) -> None:
    result = _ran(folder, *arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_a_column_that_is_not_there_is_told(folder: Path) -> None:
    result = _ran(folder, "--column", "captain", "--value", "a", "--why", "b", "--yes")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("not_found: harbour: no source has a column captain")
