"""Bound to every address of the machine: no start without tokens, nothing without one, and no secret anywhere."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from tests import launched, shop
from tests.console_world import KEPT_IN
from tests.shop import LAUNCH, NAME, Commands, Running, free_port, order, running, until

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = ("--host", "0.0.0.0")  # noqa: S104 - the point
DOOR = f"/v1/products/{NAME}"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.xdist_group("tokens")


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A shop whose model is live, and whose workspace has no token."""
    folder = tmp_path_factory.mktemp("shop")
    shop.bring(folder)
    commands = Commands([sys.executable, "-m", "seatrial.cli"], folder)
    commands.init("--answers", "answers.yaml")
    commands.json("launch")
    return commands


@pytest.fixture(scope="module")
def tokens(commands: Commands) -> dict[str, str]:
    """The tokens by name, made after servers refused to start without any."""
    refused = commands.run("up", *EVERYWHERE)
    assert refused.returncode == 1
    assert "settings_invalid" in refused.stderr
    assert "host: 0.0.0.0 (from argument) is not a loopback address" in refused.stderr
    assert "seatrial token create" in refused.stderr
    wanted = {
        "till": ["--scope", "predict", "--scope", "outcomes"],
        "watcher": ["--scope", "operate"],
        "other": ["--scope", "admin", "--product", "parcels"],
        "frugal": ["--scope", "predict", "--quota", "3 per minute"],
        "stolen": ["--scope", "predict", "--expires", "30d"],
    }
    made = {name: commands.json("token", "create", "--name", name, *given) for name, given in wanted.items()}
    return {name: one["token"] for name, one in made.items()}


@pytest.fixture(scope="module")
def up(commands: Commands, tokens: dict[str, str]) -> Iterator[Running]:
    with running(commands, *EVERYWHERE) as started:
        yield started


def ask(up: Running, path: str, token: str | None = None, body: Any = None, **headers: str) -> httpx.Response:
    shown = {"authorization": f"Bearer {token}"} if token is not None else {}
    method = "GET" if body is None else "POST"
    return httpx.request(method, up.predictions + path, json=body, headers={**shown, **headers}, timeout=20)


def rows(first: int, count: int = 1) -> dict[str, Any]:
    found = [order(first + place, LAUNCH) for place in range(count)]
    return {"rows": [{**row, "ordered_at": row["ordered_at"].isoformat()} for row in found]}


def test_health_is_told_to_everybody_and_nothing_else(up: Running) -> None:
    for path in ("/livez", "/readyz", "/healthz", "/ping", "/v2/health/live"):
        assert ask(up, path).status_code == 200, path
    for path in (DOOR, f"{DOOR}/openapi.json", "/metrics", "/v1/products/unheard", f"/v2/models/{NAME}"):
        refused = ask(up, path)
        assert (refused.status_code, refused.headers.get("www-authenticate")) == (
            401,
            'Bearer realm="seatrial"',
        ), path
        assert not path.endswith("unheard") or NAME not in refused.text
    for path in (
        f"{DOOR}/predict",
        f"{DOOR}/outcomes",
        f"{DOOR}/actions",
        f"/v2/models/{NAME}/infer",
        "/invocations",
    ):
        assert ask(up, path, body=rows(1)).status_code == 401, path


def test_a_token_does_what_it_is_for_under_any_name_of_the_machine(
    up: Running, tokens: dict[str, str]
) -> None:
    answer = ask(up, f"{DOOR}/predict", tokens["till"], rows(10), host="models.example")
    assert answer.status_code == 200, answer.text
    name = answer.json()["predictions"][0]["prediction_id"]
    outcome = {"outcomes": [{"prediction_id": name, "returned": True}]}
    assert ask(up, f"{DOOR}/outcomes", tokens["till"], outcome).json()["accepted"] == 1
    assert "seatrial_ready" in ask(up, "/metrics", tokens["watcher"]).text
    for path, token, body in (
        ("/metrics", "till", None),
        (f"{DOOR}/predict", "watcher", rows(11)),
        (f"{DOOR}/predict", "other", rows(12)),
        (f"{DOOR}/outcomes", "frugal", outcome),
    ):
        assert ask(up, path, tokens[token], body).status_code == 403, path


def test_a_quota_is_kept_and_says_when_to_come_back(up: Running, tokens: dict[str, str]) -> None:
    first = ask(up, f"{DOOR}/predict", tokens["frugal"], rows(20, 3))
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"rows";q=3;w=60'
    refused = ask(up, f"{DOOR}/predict", tokens["frugal"], rows(23))
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert ask(up, f"{DOOR}/predict", tokens["till"], rows(24)).status_code == 200


def test_a_revoked_token_ends_within_seconds(up: Running, commands: Commands, tokens: dict[str, str]) -> None:
    assert ask(up, f"{DOOR}/predict", tokens["stolen"], rows(30)).status_code == 200
    commands.json("token", "revoke", "stolen", "--why", "a till was stolen")
    ended = until(
        lambda: (
            (answer := ask(up, f"{DOOR}/predict", tokens["stolen"], rows(31))).status_code == 401 and answer
        ),
        "the server learns of it",
        10,
    )
    assert "revoked" in ended.json()["error"]
    assert ask(up, f"{DOOR}/predict", tokens["till"], rows(32)).status_code == 200


def test_no_request_waits_for_the_database(up: Running, commands: Commands, tokens: dict[str, str]) -> None:
    with contextlib.closing(sqlite3.connect(commands.folder / ".seatrial" / "metadata.db")) as database:
        database.isolation_level = None
        database.execute("BEGIN EXCLUSIVE")
        for number in range(50, 55):
            assert ask(up, f"{DOOR}/predict", tokens["till"], rows(number)).status_code == 200
            assert ask(up, f"{DOOR}/predict", None, rows(number)).status_code == 401
        database.execute("ROLLBACK")


def test_the_console_names_the_token_that_acts(
    up: Running, commands: Commands, tokens: dict[str, str]
) -> None:
    page = f"{up.console}/products/{NAME}"
    assert httpx.get(page).headers["location"] == f"/login?next=/products/{NAME}"
    assert httpx.get(f"{up.console}/api/products").status_code == 401
    bearer = {"authorization": f"Bearer {tokens['watcher']}"}
    assert httpx.get(f"{up.console}/api/products", headers=bearer).json()[0]["product"] == NAME
    live = commands.json("release", "show")[-1]["id"]
    acted = httpx.post(f"{page}/approve", data={"product": NAME, "release": live}, headers=bearer)
    assert acted.status_code == 303, acted.text
    entries = commands.json("logbook", "show")
    assert ("approved", "token:watcher") in {(entry["kind"], entry["actor"]) for entry in entries}
    assert commands.json("logbook", "verify")["verified"]


def test_no_secret_is_in_a_log_an_answer_a_page_or_a_file(
    up: Running, commands: Commands, tokens: dict[str, str]
) -> None:
    wrong = [text[:-1] + ("0" if text[-1] != "0" else "1") for text in tokens.values()]
    told = []
    for text in [*tokens.values(), *wrong]:
        told += [
            ask(up, f"/{text}", text),
            ask(up, f"{DOOR}/{text}", text),
            ask(up, f"/v1/products/{text}/predict", text, rows(40)),
            ask(up, f"{DOOR}/predict?token={text}", None, rows(40)),
            ask(up, f"{DOOR}/predict", text, {"rows": "none"}),
            ask(up, f"{DOOR}/predict", f"{text} {text}", rows(40)),
            httpx.get(f"{up.console}/products/{text}", headers={"authorization": f"Bearer {text}"}),
            httpx.get(f"{up.console}/{text}"),
        ]
    assert {answer.status_code for answer in told} <= {200, 303, 400, 401, 403, 404, 429}
    shown = [answer.text + str(answer.headers) for answer in told]
    for words in (
        ["token", "list"],
        ["serve", "show"],
        ["logbook", "show"],
        ["status"],
        ["token", "list", "--json"],
    ):
        done = commands.run(*words)
        shown.append(done.stdout + done.stderr)
    time.sleep(0.5)
    kept = [path.read_bytes() for path in commands.folder.rglob("*") if path.is_file()]
    assert len(kept) > 10
    for text in [*tokens.values(), *wrong]:
        secret = text.split("_")[2]
        assert not [one for one in shown if secret in one]
        assert not [one for one in kept if secret.encode() in one]


def test_tokens_that_expired_while_servers_were_down_do_not_start_them(
    commands: Commands, up: Running
) -> None:
    del up
    commands.json("token", "create", "--name", "brief", "--scope", "predict", "--expires", "1d")
    listed = {one["name"]: one["state"] for one in commands.json("token", "list", later=timedelta(days=2))}
    assert (listed["brief"], listed["till"]) == ("expired", "holds")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (Debian: apt-get install chromium)")
def test_a_person_signs_in_with_a_browser_acts_and_signs_out(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--no-ws", "--no-log"]
    environment = {**os.environ, KEPT_IN: str(tmp_path / "token")}
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [*command, "--port", str(port), "tests.console_world:closed_app"], cwd=ROOT, env=environment
    ) as server:
        try:
            until(lambda: _lives(url), "the console answers")
            _sign_in_and_out(url, (tmp_path / "token").read_text())
        finally:
            server.terminate()


def _lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError:
        return False


def _sign_in_and_out(url: str, token: str) -> None:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        page.goto(f"{url}/products/{launched.NAME}")
        page.get_by_label("Token").fill("nonsense")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("This is no token.")
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{url}/products/{launched.NAME}")
        form = page.locator("form[action$='/rollback']")
        form.get_by_label("Why").fill("crews complain")
        form.get_by_label("Type flight-delays").fill(launched.NAME)
        form.get_by_role("button").click()
        expect(page.locator("#logbook").get_by_text("token:duty-officer").first).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{url}/login")
        page.goto(f"{url}/products/{launched.NAME}")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        browser.close()
