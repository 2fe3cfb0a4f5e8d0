"""A supervisor in a process of its own. It imports nothing heavy: workers are forks of it."""

import os
import sys

from granian.constants import HTTPModes, Interfaces

from seatrial.web.scoring.workers import SERVER_VARIABLE, fresh_server
from seatrial.web.supervisor import Supervisor


def main(port: str, workers: str, drain_seconds: str) -> None:
    """Serve, as `seatrial.web.server.serve` does."""
    os.environ[SERVER_VARIABLE] = fresh_server()
    Supervisor(
        "tests.operated_server:app",
        port=int(port),
        interface=Interfaces.RSGI,
        factory=True,
        workers=int(workers),
        websockets=False,
        http=HTTPModes.http1,
        log_enabled=False,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=10,
        drain_seconds=float(drain_seconds),
    ).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
