"""The servers as processes: one HTTP server library, the same way to start each application."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Literal

from seatrial.errors import NotReady
from seatrial.settings import Settings, read_settings
from seatrial.web.hosts import own_hosts

Application = Literal["scoring", "console"]
PRODUCT_VARIABLE = "SEATRIAL_PRODUCT"
STOP_SECONDS = 15.0


def scoring_app() -> Any:
    """The data plane's ASGI application, from the environment that `serve` set for its workers."""
    from seatrial.web.scoring.app import build
    from seatrial.wiring import serving

    settings = read_settings()
    return build(serving(settings, os.environ[PRODUCT_VARIABLE]), hosts=own_hosts(settings.host))


def console_app() -> Any:
    """The console's ASGI application, from the environment."""
    from seatrial.cycle.books import recorded_statement
    from seatrial.cycle.stages import approve, roll_back_live
    from seatrial.web.console.app import build
    from seatrial.web.console.console import Console
    from seatrial.wiring import open_workspace

    settings = read_settings()
    workspace = open_workspace(settings)
    console = Console(
        workspace=workspace,
        statement=lambda product: recorded_statement(workspace, product),
        roll_back=lambda product, why: roll_back_live(workspace, product, why=why, actor="console"),
        approve=lambda product, release: approve(workspace, product, release, actor="console"),
        hosts=own_hosts(settings.host),
    )
    return build(console)


def serve(application: Application, settings: Settings, product: str) -> None:
    """Serve until a signal ends it. A worker that dies is replaced; the port is shared by all workers."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    os.environ.update(settings.environment())
    os.environ[PRODUCT_VARIABLE] = product
    scoring = application == "scoring"
    Granian(
        f"seatrial.web.server:{application}_app",
        address=settings.host,
        port=settings.port if scoring else settings.console_port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=settings.workers if scoring else 1,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=10,
    ).serve()


@dataclass
class ServerProcess:
    """A server that was started from here, and is ended from here."""

    process: "subprocess.Popen[bytes]"
    url: str
    health: str

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Return once the server says that it can serve. Raises NotReady when it ended or time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NotReady(
                    f"the server for {self.url} ended with status {self.process.returncode}; see above"
                )
            if _answers(self.url + self.health):
                return
            time.sleep(0.1)
        raise NotReady(f"the server at {self.url} was not ready within {seconds:.0f} s")

    def stop(self) -> None:
        """End the server: it answers what waits, seals its journal and goes; killed if it will not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(application: Application, settings: Settings, product: str) -> ServerProcess:
    """A server in a process of its own."""
    port = settings.port if application == "scoring" else settings.console_port
    environment = {**os.environ, **settings.environment(), PRODUCT_VARIABLE: product}
    command = [sys.executable, "-m", "seatrial.web.server", application]
    # A session of its own: Ctrl-C reaches the parent alone, which then ends its servers in order.
    process = subprocess.Popen(  # noqa: S603 - our own module, in this Python
        command, env=environment, stdout=sys.stderr, start_new_session=True
    )
    health = "/readyz" if application == "scoring" else "/livez"
    return ServerProcess(process, address(settings.host, port), health)


def address(host: str, port: int) -> str:
    """The URL of a server; an IPv6 address stands in brackets there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own server, on loopback
            return int(response.status) == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


if __name__ == "__main__":
    wanted: Application = "console" if sys.argv[1] == "console" else "scoring"
    serve(wanted, read_settings(), os.environ[PRODUCT_VARIABLE])
