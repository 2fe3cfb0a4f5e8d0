"""The commands: which there are, in which order, and what they say when they cannot go on."""

import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import seatrial
from seatrial.cli.main import COMMANDS, main

STAGES = ["prototype", "data", "train", "release", "serve", "observe", "decide", "value"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for variable in ("WORKSPACE", "METADATA_URL", "HOST", "PORT", "CONSOLE_PORT", "WORKERS", "TICK_SECONDS"):
        monkeypatch.delenv(f"SEATRIAL_{variable}", raising=False)
    monkeypatch.delenv("SEATRIAL_CLOCK_OFFSET", raising=False)
    return tmp_path


def ran(arguments: str) -> Result:
    return CliRunner().invoke(main, arguments.split())


def command_of(name: str) -> click.Command:
    command = main.get_command(click.Context(main), name)
    assert isinstance(command, click.Command)
    return command


def test_help_lists_every_command_in_the_order_of_the_loop() -> None:
    told = ran("--help")
    listed = re.findall(r"^  ([a-z]+) {2,}", told.stdout.split("Commands:")[1], re.MULTILINE)
    assert (told.exit_code, listed) == (0, list(COMMANDS))


def test_the_eight_stages_are_groups_in_their_order() -> None:
    groups = [name for name in COMMANDS if isinstance(command_of(name), click.Group)]
    assert [name for name in groups if name not in {"contract", "readiness", "logbook", "token"}] == STAGES


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_help_what_it_does_and_takes_the_shared_options(name: str) -> None:
    told = ran(f"{name} --help")
    assert told.exit_code == 0
    for option in ("--product-folder", "--workspace", "--json", "--debug"):
        assert option in told.stdout
    summary = told.stdout.splitlines()[2].strip()
    assert summary.endswith((".", "?")) or summary[0].isupper()


@pytest.mark.parametrize("name", [*STAGES, "readiness", "logbook"])
def test_a_group_acts_bare_and_shows_with_show(name: str) -> None:
    group = command_of(name)
    assert isinstance(group, click.Group)
    assert group.invoke_without_command
    assert "show" in group.commands


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--version", f"seatrial, version {seatrial.__version__}"),
        ("serve show --port 9000", "9000"),
        ("serve show --port 9000", "argument"),
        ("serve show", "default"),
    ],
)
def test_commands_that_need_no_product_answer_without_one(arguments: str, said: str) -> None:
    told = ran(arguments)
    assert (told.exit_code, told.stderr) == (0, "")
    assert said in told.stdout


@pytest.mark.parametrize("arguments", ["serve show", "serve show --json"])
def test_the_password_of_a_database_is_not_shown(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATRIAL_METADATA_URL", "postgresql://me:secret@db/x")
    told = ran(arguments)
    assert told.exit_code == 0
    assert "secret" not in told.output
    assert "me:" in told.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("status --nonsense", "No such option '--nonsense'"),
        ("release rollback", "Missing option '--why'"),
        ("release approve", "Missing argument 'RELEASE_ID'"),
        ("init --name x", "Missing option '--model'"),
        ("init --name x --model nowhere.joblib", "'nowhere.joblib' does not exist"),
        ("rehearse --start 2024-02-30 --end 2024-03-01", "'2024-02-30' does not match"),
        ("logbook show --limit few", "'few' is not a valid integer"),
    ],
)
def test_a_command_line_that_cannot_be_read_is_status_2(arguments: str, said: str) -> None:
    told = ran(arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert said in told.stderr


def test_a_model_is_not_opened_without_consent(elsewhere: Path) -> None:
    (elsewhere / "model.joblib").write_bytes(b"whatever")
    told = ran("init --name x --model model.joblib")
    assert told.exit_code == 2
    assert "model.joblib is a pickle" in told.stderr
    assert "--consent" in told.stderr


@pytest.mark.parametrize(
    "arguments",
    ["check", "prototype", "data", "train show", "release", "up", "observe", "decide", "value", "status"],
)
def test_a_folder_without_a_product_is_named_with_the_way_out(arguments: str, elsewhere: Path) -> None:
    told = ran(f"{arguments} -C {elsewhere / 'nowhere'}")
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith("product_file_invalid: ")
    assert f"no product.yaml in {elsewhere / 'nowhere'}; `seatrial init` writes one" in told.stderr
    assert not (elsewhere / "nowhere").exists()


@pytest.mark.parametrize("arguments", ["logbook", "logbook show", "logbook verify"])
def test_a_logbook_is_not_made_up_where_no_workspace_is(arguments: str, elsewhere: Path) -> None:
    told = ran(arguments)
    assert (told.exit_code, told.stdout) == (1, "")
    assert f"not_found: no workspace at {elsewhere / '.seatrial'}" in told.stderr
    assert list(elsewhere.iterdir()) == []


def test_an_error_as_json_has_code_message_and_problems_and_is_said_to_people_too() -> None:
    told = ran("status --json")
    error = json.loads(told.stdout)["error"]
    assert told.exit_code == 1
    assert sorted(error) == ["code", "message", "problems"]
    assert error["code"] == "product_file_invalid"
    assert error["problems"] == [error["message"].split("  - ")[1]]
    assert error["message"] in told.stderr


def test_settings_that_cannot_be_used_are_listed_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATRIAL_HOST", "nowhere.example")
    told = ran("serve show --port http --workers 0 --json")
    error = json.loads(told.stdout)["error"]
    assert (told.exit_code, error["code"]) == (1, "settings_invalid")
    assert [problem.split(":")[0] for problem in error["problems"]] == ["host", "port", "workers"]
    assert "environment variable SEATRIAL_HOST" in error["problems"][0]
    assert all("expected" in problem for problem in error["problems"])


def test_debug_shows_where_an_error_came_from() -> None:
    told = ran("status --debug")
    assert told.exit_code == 1
    assert told.exception is not None
    assert type(told.exception).__name__ == "ProductFileInvalid"
