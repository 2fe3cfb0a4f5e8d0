"""Scoring servers with several workers on one port, for tests that kill them or swap their releases under load."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.scoring_server import FOLDER

PREDICT = "/v1/products/hotel/predict"
_ROOT = Path(__file__).resolve().parents[1]


class Fleet:
    """A supervisor and its workers; when it is gone it is started again, on the same port, as an init system does."""

    def __init__(self, folder: Path, port: int, workers: int, app: str) -> None:
        self.folder, self.port = folder, port
        self.starts = 0
        (folder / "live").write_text("r0001")
        options = ["--interface", "rsgi", "--factory", "--no-log", "--port", str(port)]
        more = ["--workers", str(workers), "--respawn-failed-workers"]
        self._command = [sys.executable, "-m", "granian", *options, *more, app]
        self.process = self._started()

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def release(self, names: str) -> None:
        """Say what is live, in one step."""
        fresh = self.folder / "live.new"
        fresh.write_text(names)
        fresh.replace(self.folder / "live")

    def is_up(self) -> bool:
        """Whether the supervisor lived; where it was gone, it is started again."""
        if self.process.poll() is None:
            return True
        self.end()
        self.process = self._started()
        return False

    def wait_until_ready(self) -> None:
        for _ in range(600):
            self.is_up()
            with contextlib.closing(Caller(self)) as caller:
                if (answer := caller.ask({})) and answer[0] != 503:
                    return
            time.sleep(0.05)
        raise AssertionError("the port did not come back within 30 seconds")

    def workers(self) -> list[int]:
        """The processes below the supervisor, the oldest first."""
        file = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [int(word) for word in file.read_text().split()]
        except FileNotFoundError:
            return []

    def kill_workers(self, most: int) -> int:
        """Kill so many workers, the oldest first; how many there were."""
        killed = 0
        for process in self.workers()[:most]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                killed += 1
        return killed

    def kill_all(self) -> int:
        """Kill the supervisor and everything below it; how many processes that were."""
        killed = 1 + len(self.workers())
        self.end()
        return killed

    def end(self) -> None:
        """Have no process left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def _started(self) -> "subprocess.Popen[bytes]":
        self.starts += 1
        environment = {**os.environ, FOLDER: str(self.folder)}
        return subprocess.Popen(self._command, cwd=_ROOT, env=environment, start_new_session=True)


class Caller:
    """One connection to the port, made anew when it broke."""

    def __init__(self, fleet: Fleet) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", fleet.port, timeout=10)

    def ask(self, body: dict[str, Any], *, path: str = PREDICT) -> tuple[int, Any] | None:
        """Status and answer; None when none came: nobody knows whether it was recorded."""
        try:
            self._connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            time.sleep(0.01)
            return None

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def serving_fleet(folder: Path, workers: int = 2, app: str = "tests.scoring_server:app") -> Iterator[Fleet]:
    """A ready fleet, killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fleet = Fleet(folder, port, workers, app)
    try:
        fleet.wait_until_ready()
        yield fleet
    finally:
        fleet.end()
