"""What `seatrial score` shows on a terminal while it runs, and which options it refuses."""

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from seatrial.adapters.outputs.formats import ENDINGS
from seatrial.cli import score as command
from seatrial.cycle.score import score
from seatrial.errors import NotFound
from tests.batch_scoring import FrameInputs, bookings, launched, work
from tests.fakes.outputs import MemoryOutput
from tests.fakes.workspace import memory_workspace


def test_a_terminal_is_told_how_far_it_is_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_SHOWN_EVERY", 0.0)
    progress = command._Progress(shown=True)
    workspace = memory_workspace()
    launched(workspace)
    found = score(work(workspace, FrameInputs([bookings(0, 25)]), MemoryOutput()), told=progress.told)
    progress.told(
        msgspec.structs.replace(found.run, rows=12_000, finished_at=datetime(2025, 1, 1, tzinfo=UTC))
    )
    progress.end()
    lines = capsys.readouterr().err.rstrip("\n").split("\r")
    assert [line.split(" · ")[0] for line in lines[1:]] == ["10 rows", "20 rows", "25 rows", "12,000 rows"]
    assert all("rows/s" in line for line in lines[1:])
    assert lines[3].rstrip().endswith("3 refused")


def test_without_a_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress = command._Progress(shown=False)
    workspace = memory_workspace()
    launched(workspace)
    score(work(workspace, FrameInputs([bookings(0, 25)]), MemoryOutput()), told=progress.told)
    progress.end()
    assert capsys.readouterr() == ("", "")


def test_the_endings_of_files_are_those_that_there_are() -> None:
    assert set(command._FILE_ENDINGS) == set(ENDINGS)


@pytest.mark.parametrize("name", ["answers.xlsx", "answers.json", "answers.csv.gz", "answers.TXT"])
def test_a_name_that_ends_as_a_file_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(click.BadParameter, match=r"ends in \.parquet, .*received .*answers"):
        command._target(str(tmp_path / name))


@pytest.mark.parametrize(
    "name", ["answers", "answers.xlsx/", "answers.Parquet", "run.2026-11-23", "v1.2", ".answers"]
)
def test_files_of_known_formats_and_folders_are_taken(tmp_path: Path, name: str) -> None:
    assert command._target(f"{tmp_path}/{name}") == tmp_path / name.rstrip("/")


def test_a_folder_that_is_there_is_taken_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "answers.xlsx").mkdir()
    assert command._target(str(tmp_path / "answers.xlsx")).is_dir()


def test_every_file_that_is_not_there_is_named_and_patterns_are_left_to_their_reader(tmp_path: Path) -> None:
    there, gone = tmp_path / "rows.csv", str(tmp_path / "no.csv")
    there.touch()
    command._check_there([str(there), str(tmp_path), f"{tmp_path}/*.csv", "s3://bucket/no.csv"])
    with pytest.raises(NotFound, match=f"nothing to score at {gone}, nowhere"):
        command._check_there([str(there), gone, "nowhere"])


@pytest.mark.parametrize("share", ["lots", "150%", "-1"])
def test_a_share_that_is_none_is_refused(tmp_path: Path, share: str) -> None:
    given = ["rows.csv", "--output", "answers", f"--max-refused={share}", "-C", str(tmp_path)]
    done = CliRunner().invoke(command.score, given)
    assert (done.exit_code, "--max-refused" in done.stderr) == (2, True)
