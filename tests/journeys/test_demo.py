"""The demo before it starts: where its example is, and what it never overwrites."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seatrial.cli import demo
from seatrial.cli.main import main
from seatrial.errors import NotFound


def test_a_folder_that_the_demo_did_not_make_is_left_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "demo" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")
    command = [sys.executable, "-m", "seatrial.cli", "demo", "--once"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"conflict: {mine.parent} is there and was not made by the demo" in done.stderr
    assert "--into" in done.stderr
    assert mine.read_text() == "years of work"
    assert list(mine.parent.iterdir()) == [mine]


def test_the_refusal_is_json_for_machines(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["demo", "--into", str(tmp_path), "--json"])
    assert done.exit_code == 1
    assert '"code": "conflict"' in done.stdout


def test_the_example_is_found_with_all_that_the_demo_copies() -> None:
    folder = demo.example_folder()
    assert {"answers.yaml", "prototype.py", "sources.py"} <= {path.name for path in folder.iterdir()}


def test_a_package_without_the_example_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "seatrial" / "cli" / "demo.py"))
    with pytest.raises(NotFound, match="the flights example"):
        demo.example_folder()
