"""What every command shares."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seatrial.cli.app import App, to_json
from seatrial.facts.estimate import Estimate


def app(folder: Path, *, as_json: bool = False, workspace: str | None = None) -> App:
    return App(folder, workspace, as_json, debug=False)


def test_numbers_that_json_lacks_become_null() -> None:
    assert json.loads(to_json({"a": math.nan, "b": math.inf, "c": 1.5})) == {"a": None, "b": None, "c": 1.5}


def test_facts_and_moments_become_plain_json() -> None:
    told = json.loads(
        to_json({"at": datetime(2024, 1, 1, tzinfo=UTC), "value": Estimate(value=1.0, lower=0, upper=2, n=3)})
    )
    assert told["at"] == "2024-01-01T00:00:00Z"
    assert (told["value"]["lower"], told["value"]["n"]) == (0, 3)


@pytest.mark.parametrize(("as_json", "said"), [(True, '{\n  "n": 1\n}\n'), (False, "one\n")])
def test_a_result_is_either_json_or_text(
    as_json: bool, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    app(tmp_path, as_json=as_json).show({"n": 1}, lambda: "one")
    assert capsys.readouterr() == (said, "")


def test_progress_never_mixes_with_the_result(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    app(tmp_path, as_json=True).say("fitting …")
    assert capsys.readouterr() == ("", "fitting …\n")


def test_a_workspace_lies_in_the_products_folder_unless_it_is_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEATRIAL_WORKSPACE", raising=False)
    assert app(tmp_path).settings().workspace == tmp_path / ".seatrial"
    assert app(tmp_path, workspace="kept").settings().workspace == tmp_path / "kept"
    monkeypatch.setenv("SEATRIAL_WORKSPACE", str(tmp_path / "elsewhere"))
    assert app(tmp_path).settings().workspace == tmp_path / "elsewhere"
    assert app(tmp_path, workspace="kept").settings().workspace == tmp_path / "kept"
