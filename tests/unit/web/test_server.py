"""Servers as processes: when they count as ready, and how they are ended."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from seatrial.errors import NotReady, SettingsInvalid
from seatrial.settings import Settings, read_settings
from seatrial.web import server
from seatrial.web.server import ServerProcess, address, check_protected, serve
from seatrial.web.tokens import create_token
from seatrial.wiring import open_workspace

SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPS


class Health(BaseHTTPRequestHandler):
    """Says 503 twice, then 200; any other address is unknown."""

    asked = 0

    def do_GET(self) -> None:
        Health.asked += 1
        known = self.path == "/readyz"
        self.send_response((503 if Health.asked <= 2 else 200) if known else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Silence."""


@contextmanager
def health() -> Iterator[str]:
    """The address of a server that gets ready."""
    Health.asked = 0
    with HTTPServer(("127.0.0.1", 0), Health) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@contextmanager
def process(code: str, url: str = "http://127.0.0.1:9", path: str = "/readyz") -> Iterator[ServerProcess]:
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout as said:
        said.readline()
        try:
            yield ServerProcess(child, url, path)
        finally:
            child.kill()
            child.wait()


def test_a_server_is_ready_when_it_says_so_and_not_before() -> None:
    with health() as url, process(SLEEPS, url) as started:
        started.wait_until_ready(20)
        assert Health.asked == 3


def test_a_server_that_ended_is_reported_with_its_status() -> None:
    with process("raise SystemExit(3)") as started:
        started.process.wait()
        with pytest.raises(NotReady, match="ended with status 3"):
            started.wait_until_ready(20)


@pytest.mark.parametrize("path", ["/readyz", "/elsewhere"])
def test_a_server_that_never_answers_well_is_given_up(path: str) -> None:
    with (
        health() as url,
        process(SLEEPS, url if path == "/elsewhere" else "http://127.0.0.1:9", path) as started,
        pytest.raises(NotReady, match="not ready within"),
    ):
        started.wait_until_ready(0.3)


def test_an_address_can_be_opened_as_it_is() -> None:
    assert address("127.0.0.1", 8400) == "http://127.0.0.1:8400"
    assert address("::1", 8400) == "http://[::1]:8400"


def test_a_server_that_is_bound_to_every_address_is_reached_on_loopback() -> None:
    assert address("0.0.0.0", 8400) == "http://127.0.0.1:8400"  # noqa: S104 - only put into words
    assert address("::", 8400) == "http://[::1]:8400"


def settings(folder: Path, **arguments: str) -> Settings:
    return read_settings({"workspace": str(folder / "ws"), **arguments}, {})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"host": "0.0.0.0"}, r"host: 0\.0\.0\.0 \(from argument\) is not a loopback address"),  # noqa: S104
        ({"authentication": "required"}, r"authentication: required \(from argument\)"),
    ],
)
def test_servers_whose_callers_need_tokens_refuse_to_start_without_one(
    tmp_path: Path, arguments: dict[str, str], said: str
) -> None:
    found = settings(tmp_path, **arguments)
    refused = pytest.raises(SettingsInvalid, match=f"{said}.*no token for hotel.*seatrial token create")
    with refused:
        check_protected(found, "hotel")
    with refused:
        serve("scoring", found, "hotel")
    workspace = open_workspace(found)
    create_token(
        workspace.metadata,
        name="till",
        scopes=["predict"],
        product="hotel",
        now=workspace.clock.now(),
        by="ada",
    )
    check_protected(found, "hotel")
    with pytest.raises(SettingsInvalid):
        check_protected(found, "harbour")


def test_on_loopback_servers_start_without_looking_for_tokens(tmp_path: Path) -> None:
    check_protected(settings(tmp_path), "hotel")
    assert not (tmp_path / "ws").exists()


@pytest.mark.parametrize("application", ["scoring", "console"])
def test_a_server_process_that_refuses_to_start_says_so_and_ends(tmp_path: Path, application: str) -> None:
    environment = settings(tmp_path, host="0.0.0.0").environment()  # noqa: S104 - the point is that it is refused
    ended = subprocess.run(
        [sys.executable, "-m", "seatrial.web.server", application],
        env={**os.environ, **environment, server.PRODUCT_VARIABLE: "hotel"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("settings_invalid: ")
    assert "Traceback" not in ended.stderr


def test_a_worker_has_room_for_its_connections_and_files() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, before[1]))
        allowed = server._connections()
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert 64 <= allowed <= server.CONNECTIONS
        assert allowed < soft
        assert soft > 500
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_server_is_ended_in_order() -> None:
    with process(SLEEPS) as started:
        started.stop()
        assert started.process.returncode == -15
        started.stop()


def test_a_server_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 0.1)
    with process(STUBBORN) as started:
        started.stop()
        assert started.process.returncode == -9


def test_a_process_that_has_ended_its_servers_is_not_ended_by_a_second_signal() -> None:
    code = (
        "from seatrial.web.server import ignore_signals; ignore_signals(); print('deaf', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        for number in (signal.SIGTERM, signal.SIGINT):
            child.send_signal(number)
        child.communicate(b"\n", timeout=20)
    assert child.returncode == 0
