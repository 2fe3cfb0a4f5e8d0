"""The examples of the chapters about HTTP and the client, run against a real server of the product they speak of."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.clinic import clinic_server
from tests.one_product import OneProductServer

DOCS = Path(__file__).resolve().parents[2] / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = "http://127.0.0.1:8400"
# What differs from run to run, or is the model's: only that it is there is compared.
OWN = {"prediction_id", "request_id", "score"}


def blocks(page: str) -> list[tuple[str, str]]:
    return FENCE.findall((DOCS / page).read_text(encoding="utf-8"))


def steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "..." if name in OWN and inner is not None else steady(inner)
            for name, inner in value.items()
        }
    return [steady(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProductServer]:
    with clinic_server(tmp_path_factory.mktemp("clinic")) as running:
        yield running


def test_every_curl_gets_the_answer_that_stands_below_it(server: OneProductServer, tmp_path: Path) -> None:
    told = blocks("http.md")
    ran = 0
    for (language, text), (following, expected) in zip(told, [*told[1:], ("", "")], strict=True):
        if language == "python":
            subprocess.run([sys.executable, "-c", text], cwd=tmp_path, check=True)
        if "curl" in text:
            assert (language, following) == ("sh", "json"), text
            done = subprocess.run(
                ["sh", "-c", text.replace(SHOWN, server.url)],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            assert steady(json.loads(done.stdout)) == steady(json.loads(expected)), text
            ran += 1
    assert ran >= 8
    assert pl.read_ipc_stream(tmp_path / "answers.arrow")["key"].to_list() == ["B8"]


def test_the_examples_of_the_client_run(server: OneProductServer, tmp_path: Path) -> None:
    scripts = [
        text.replace(SHOWN, server.url) for language, text in blocks("client.md") if language == "python"
    ]
    assert len(scripts) == 3
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(scripts)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "D999" in done.stdout


def test_the_examples_of_other_protocols_run(server: OneProductServer, tmp_path: Path) -> None:
    place = server.url.removeprefix("http://")
    ran = [
        subprocess.run(
            [
                *(["sh"] if language == "sh" else [sys.executable]),
                "-c",
                text.replace("127.0.0.1:8400", place),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for language, text in blocks("protocols.md")
        if language in {"sh", "python"}
    ]
    assert [done.returncode for done in ran] == [0, 0, 0], [done.stderr for done in ran]
    triton, mlflow, arrow = (done.stdout for done in ran)
    assert triton.strip(" []\n") in {"True", "False"}
    (answer,) = json.loads(mlflow)["predictions"]
    assert answer["key"] == "B10"
    assert "B11" in arrow
