"""`seatrial token`: the secret once, and never again."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from seatrial.cli.token import SCOPES, token
from seatrial.facts.token import TOKEN, Scope


class Shell:
    """Runs the commands in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, status: int = 0) -> Result:
        found = CliRunner().invoke(token, [*words, "-C", str(self.folder)])
        assert found.exit_code == status, found.output
        return found

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", status=status).stdout)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in ("WORKSPACE", "METADATA_URL"):
        monkeypatch.delenv(f"SEATRIAL_{name}", raising=False)
    return Shell(tmp_path)


def secret_of(text: str) -> str:
    return text.split("_")[2]


def test_the_scopes_of_the_help_are_those_that_there_are() -> None:
    assert tuple(Scope) == SCOPES


def test_a_new_token_alone_is_the_output_so_that_it_can_be_piped(shell: Shell) -> None:
    made = shell.run("create", "--name", "till", "--scope", "predict", "--scope", "outcomes")
    text = made.stdout.strip()
    assert TOKEN.fullmatch(text)
    assert "predict, outcomes for every product" in made.stderr
    assert secret_of(text) not in made.stderr


def test_the_secret_is_shown_once_and_lies_nowhere(shell: Shell) -> None:
    made = shell.json("create", "--name", "till", "--scope", "predict")
    again = [shell.run("list").output, shell.run().output, shell.run("list", "--json").output]
    again.append(shell.run("revoke", "till", "--why", "lost").output)
    files = [path for path in shell.folder.rglob("*") if path.is_file()]
    assert files
    kept = b"".join(path.read_bytes() for path in files)
    assert secret_of(made["token"]).encode() not in kept
    assert not [text for text in again if secret_of(made["token"]) in text]
    assert "digest" not in "".join(again) + json.dumps(made)


def test_a_token_is_listed_with_what_it_is_for_and_what_became_of_it(shell: Shell) -> None:
    given = ("--product", "hotel", "--expires", "90d", "--quota", "100 per second", "--why", "new tills")
    made = shell.json("create", "--name", "till", "--scope", "predict", *given)
    assert made["quota"] == {"rows": 100, "seconds": 1.0}
    assert (made["product"], made["why"], made["state"], made["scopes"]) == (
        "hotel",
        "new tills",
        "holds",
        ["predict"],
    )
    assert made["expires_at"] > made["created_at"]
    [listed] = shell.json("list")
    assert {**listed, "token": made["token"]} == made
    line = shell.run("list").output.splitlines()[-1]
    assert line.split()[:4] == [made["id"], "till", "holds", "predict"]
    assert line.endswith("100 in 1 s")
    revoked = shell.json("revoke", made["id"], "--why", "a till was stolen")
    assert (revoked["state"], revoked["revoked_by"]) == ("revoked", made["created_by"])
    assert "revoked" in shell.run("list").output


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["create", "--name", "till"], 2, "--scope"),
        (["create", "--scope", "predict"], 2, "--name"),
        (["create", "--name", "till", "--scope", "everything"], 2, "everything"),
        (["create", "--name", "till", "--scope", "predict", "--expires", "soon"], 2, "expected a duration"),
        (["create", "--name", "till", "--scope", "predict", "--expires", "0d"], 1, "expiry after"),
        (["create", "--name", "till", "--scope", "predict", "--expires", f"{9**30}d"], 2, "--expires"),
        (["create", "--name", "till", "--scope", "predict", "--quota", "many"], 2, "expected a quota"),
        (["create", "--name", "till", "--scope", "predict", "--quota", "0 per day"], 2, "expected a quota"),
        (["create", "--name", "-", "--scope", "predict"], 1, "token name"),
        (["revoke", "till"], 2, "--why"),
        (["revoke", "till", "--why", "lost"], 1, "no workspace"),
        (["list"], 1, "no workspace"),
    ],
)
def test_what_cannot_be_done_is_said(shell: Shell, words: list[str], status: int, said: str) -> None:
    assert said in shell.run(*words, status=status).output


def test_two_tokens_of_one_name_cannot_hold_together(shell: Shell) -> None:
    shell.run("create", "--name", "till", "--scope", "predict")
    assert (
        shell.json("create", "--name", "till", "--scope", "predict", status=1)["error"]["code"] == "conflict"
    )
    assert "those that hold: till" in shell.run("revoke", "quay", "--why", "x", status=1).output


def test_a_token_for_a_product_that_nobody_knows_is_made_with_a_warning(shell: Shell) -> None:
    def said(name: str, product: str) -> str:
        return shell.run("create", "--name", name, "--scope", "predict", "--product", product).stderr

    assert "warning" not in said("a", "motel")  # nothing is known here yet
    (shell.folder / "product.yaml").write_text("product: hotel\n")
    assert "warning: no product motel is known here; known: hotel" in said("b", "motel")
    assert "warning" not in said("c", "hotel")
