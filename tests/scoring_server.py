"""A real scoring server in a process of its own: granian, the file journal, and a file that says what is live."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from seatrial.adapters.clock.system import SystemClock
from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.facts.release import Phase
from seatrial.serve.ports import RouteTable
from seatrial.serve.serving import Limits, Serving
from seatrial.web.scoring.app import build
from seatrial.web.scoring.rsgi import RsgiApp
from tests.fakes.artifacts import MemoryArtifacts
from tests.hotel import NamedRuntime, stored_release

FOLDER = "HOTEL_SERVER_FOLDER"


class FileSource:
    """Routes from a file that holds the id of the live release, and perhaps the id of a canary of a half."""

    def __init__(self, file: Path, artifacts: MemoryArtifacts) -> None:
        self.file, self.artifacts = file, artifacts

    def current(self) -> RouteTable | None:
        live, *others = self.file.read_text().split()
        canary = [
            msgspec.structs.replace(stored_release(self.artifacts, name), phase=Phase.CANARY, share=0.5)
            for name in others
        ]
        return RouteTable(live=stored_release(self.artifacts, live), challenger=canary[0] if canary else None)


def app() -> RsgiApp:
    """The application that granian serves."""
    folder = Path(os.environ[FOLDER])
    artifacts = MemoryArtifacts()
    writer = FileJournalWriter(folder / "journal", "server", segment_bytes=50_000)
    serving = Serving(
        "hotel",
        FileSource(folder / "live", artifacts),
        artifacts,
        NamedRuntime(),
        writer,
        SystemClock(),
        tick=writer.tick,
        limits=Limits(refresh_seconds=0.05, tick_seconds=0.1),
    )
    return RsgiApp(build(serving))


class Server:
    """A running server."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        (folder / "live").write_text("r0001")
        command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--factory", "--port", str(port)]
        # A session of its own, so that a kill takes the supervisor and its worker at once.
        self.process = subprocess.Popen(
            [*command, "--no-log", "tests.scoring_server:app"],
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, FOLDER: str(folder)},
            start_new_session=True,
        )

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def release(self, names: str) -> None:
        """Say what is live, in one step."""
        fresh = self.folder / "live.new"
        fresh.write_text(names)
        fresh.replace(self.folder / "live")

    def ask(self, path: str, body: Any = None) -> httpx.Response:
        if body is None:
            return httpx.get(self.url + path, timeout=20)
        return httpx.post(self.url + path, json=body, timeout=20)

    def wait_until_ready(self) -> None:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if self.ask("/readyz").status_code == 200:
                    return
            assert self.process.poll() is None, "the server ended before it was ready"
            time.sleep(0.05)
        raise AssertionError("the server did not get ready within 30 seconds")

    def end(self, how: signal.Signals) -> None:
        """Signal: a kill goes to every process of the server, anything else to its supervisor."""
        if how == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.send_signal(how)
        self.process.wait(30)


@contextlib.contextmanager
def scoring_server(folder: Path) -> Iterator[Server]:
    """A ready server, killed at the end if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(folder, port)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.end(signal.SIGKILL)
