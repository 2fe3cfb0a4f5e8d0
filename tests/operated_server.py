"""A real server as `seatrial serve` runs it, supervisor and workers, with a product that needs no workspace."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from seatrial.adapters.clock.system import SystemClock
from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.serve.serving import Limits, Serving
from seatrial.web.scoring.app import build
from seatrial.web.scoring.metrics_workers import Colleagues
from seatrial.web.scoring.rsgi import RsgiApp
from seatrial.web.scoring.tracing import tracing
from seatrial.web.scoring.workers import SERVER_VARIABLE
from tests.fakes.artifacts import MemoryArtifacts
from tests.hotel import NamedRuntime
from tests.scoring_server import FOLDER, FileSource, Server

# Seconds that all workers but the first take to begin.
SLOW_START = "OPERATED_SERVER_SLOW_START"
_ROOT = Path(__file__).resolve().parents[1]


def app() -> RsgiApp:
    """The application that granian serves."""
    folder, artifacts = Path(os.environ[FOLDER]), MemoryArtifacts()
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
    colleagues = Colleagues(folder / "metrics", os.environ[SERVER_VARIABLE])
    if SLOW_START in os.environ and not _is_first(folder):
        time.sleep(float(os.environ[SLOW_START]))
    traced = tracing(os.environ, instance=colleagues.worker)
    return RsgiApp(build(serving, colleagues=colleagues, tracing=traced))


def _is_first(folder: Path) -> bool:
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class OperatedServer(Server):
    """A supervisor with workers on one port."""

    def __init__(
        self, folder: Path, port: int, workers: int, drain_seconds: float, variables: Mapping[str, str]
    ) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        (folder / "live").write_text("r0001")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.supervised", str(port), str(workers), str(drain_seconds)],
            cwd=_ROOT,
            env={**os.environ, FOLDER: str(folder), **variables},
            start_new_session=True,
        )

    def workers(self) -> list[int]:
        """The processes below the supervisor, the oldest first."""
        file = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in file.read_text().split()]


@contextlib.contextmanager
def operated_server(
    folder: Path,
    *,
    workers: int = 1,
    drain_seconds: float = 0.0,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[OperatedServer]:
    """A ready server, killed at the end if it still runs; `variables` go into its environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = OperatedServer(folder, port, workers, drain_seconds, variables)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.end(signal.SIGKILL)
