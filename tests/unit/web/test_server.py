"""Servers as processes: when they count as ready, and how they are ended."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from seatrial.errors import NotReady
from seatrial.web import server
from seatrial.web.server import ServerProcess, address

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
