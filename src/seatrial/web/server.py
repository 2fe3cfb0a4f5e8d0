"""The servers as processes: one HTTP server library, the same way to start each application."""

import logging
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from seatrial.errors import NotReady, SeatrialError
from seatrial.settings import Settings, read_settings
from seatrial.web.hosts import own_hosts
from seatrial.web.listening import check_ports
from seatrial.web.scoring.workers import SERVER_VARIABLE, fresh_server

if TYPE_CHECKING:
    from seatrial.ports.workspace import Workspace
    from seatrial.web.scoring.guard import OpenGuard, TokenGuard
    from seatrial.web.scoring.metrics_workers import Colleagues
    from seatrial.web.token_table import TokenTable

Application = Literal["scoring", "console"]
PRODUCT_VARIABLE = "SEATRIAL_PRODUCT"
PORT_SETTINGS: dict[Application, str] = {"scoring": "port", "console": "console_port"}
STOP_SECONDS = 15.0
# What waits to be accepted; the kernel has a lower limit of its own (net.core.somaxconn).
BACKLOG = 2048
# Open connections of one worker, idle ones too: more wait in the backlog. Files need some descriptors as well.
CONNECTIONS = 8192
_OTHER_FILES = 256
_log = logging.getLogger(__name__)
# Bound to every address of the machine, a server is reached at loopback too.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only looked up


def scoring_app() -> Any:
    """The data plane under granian's interface, from the environment that `serve` set for its workers."""
    from seatrial.web.scoring.app import build
    from seatrial.web.scoring.rsgi import RsgiApp
    from seatrial.web.scoring.tracing import tracing
    from seatrial.wiring import serving

    settings, product = read_settings(), os.environ[PRODUCT_VARIABLE]
    colleagues = colleagues_of(settings, product)
    return RsgiApp(
        build(
            serving(settings, product),
            guard=guard_of(settings, product),
            colleagues=colleagues,
            tracing=tracing(os.environ, instance=colleagues.worker if colleagues else str(os.getpid())),
        )
    )


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
        roll_back=lambda product, why, actor: roll_back_live(workspace, product, why=why, actor=actor),
        approve=lambda product, release, actor: approve(workspace, product, release, actor=actor),
        hosts=own_hosts(settings.host),
        tokens=token_table(workspace) if settings.needs_tokens else None,
    )
    return build(console)


def guard_of(settings: Settings, product: str) -> "OpenGuard | TokenGuard":
    """Who may do what on this data plane, by its settings."""
    from seatrial.web.scoring.guard import OpenGuard, TokenGuard
    from seatrial.wiring import open_workspace

    if settings.needs_tokens:
        return TokenGuard(token_table(open_workspace(settings)), product, workers=settings.workers)
    return OpenGuard(own_hosts(settings.host))


def colleagues_of(settings: Settings, product: str) -> "Colleagues | None":
    """The other workers of this server, whose metrics are shown with this worker's; None where there are none."""
    from seatrial.web.scoring.metrics_workers import Colleagues

    server = os.environ.get(SERVER_VARIABLE)
    if server is None or settings.workers == 1:
        return None
    try:
        return Colleagues(settings.workspace / "metrics" / product, server)
    except OSError as error:
        _log.warning("metrics of this worker alone are shown, the others' cannot be read: %s", error)
        return None


def token_table(workspace: "Workspace") -> "TokenTable":
    """The workspace's tokens in this process, read for the first time once the server runs."""
    from seatrial.web.token_table import TokenTable
    from seatrial.web.tokens import all_tokens

    return TokenTable(lambda: all_tokens(workspace.metadata), workspace.clock.now)


def check_protected(settings: Settings, product: str) -> None:
    """Return if these servers may start. Raises SettingsInvalid where callers need tokens and none holds."""
    from seatrial.web.tokens import check_any_holds
    from seatrial.wiring import open_workspace

    if not settings.needs_tokens:
        return
    host, authentication = settings.values["host"], settings.values["authentication"]
    asked = f"host: {host.value} (from {host.origin}) is not a loopback address"
    if authentication.value == "required":
        asked = f"authentication: required (from {authentication.origin})"
    workspace = open_workspace(settings)
    try:
        check_any_holds(workspace.metadata, product, workspace.clock.now(), asked_by=asked)
    finally:
        workspace.metadata.close()


def serve(application: Application, settings: Settings, product: str) -> None:
    """Serve until a signal ends it. A worker that dies is replaced; the port is shared by all workers.

    Raises SettingsInvalid where callers need tokens and none holds, or the port is taken.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from seatrial.web.supervisor import Supervisor

    check_protected(settings, product)
    scoring = application == "scoring"
    check_ports(settings, [PORT_SETTINGS[application]])
    os.environ.update(settings.environment())
    os.environ |= {PRODUCT_VARIABLE: product, SERVER_VARIABLE: fresh_server()}
    made = partial(Supervisor, drain_seconds=settings.drain_seconds) if scoring else Granian
    made(
        f"seatrial.web.server:{application}_app",
        address=settings.bound_host,
        port=settings.port if scoring else settings.console_port,
        interface=Interfaces.RSGI if scoring else Interfaces.ASGI,
        factory=True,
        workers=settings.workers if scoring else 1,
        websockets=False,
        # Where granian has to find out which HTTP is spoken, a connection may stay silent for ever.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=int(settings.idle_seconds * 1000)),
        backlog=BACKLOG,
        backpressure=_connections(),
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=10,
    ).serve()


def become(application: Application, settings: Settings, product: str) -> NoReturn:
    """This process becomes the server.

    Workers are forks of it, and a fork must not inherit threads or locks of libraries that a command has loaded.
    """
    environment = {**os.environ, **settings.environment(), PRODUCT_VARIABLE: product}
    command = [sys.executable, "-m", "seatrial.web.server", application]
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own module, in this Python


@dataclass
class ServerProcess:
    """A server that was started from here, and is ended from here."""

    process: "subprocess.Popen[bytes]"
    url: str
    health: str
    drain_seconds: float = 0.0

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
            self.process.wait(self.drain_seconds + STOP_SECONDS)
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
    if application == "console":
        return ServerProcess(process, address(settings.host, port), "/livez")
    return ServerProcess(process, address(settings.host, port), "/readyz", settings.drain_seconds)


def ignore_signals() -> None:
    """Let signals to end pass from now on, as all is ended.

    Python gives up its own handlers while it ends: an impatient second signal would then make a failure of a good end.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def address(host: str, port: int) -> str:
    """The URL at which a server is reached from this machine; an IPv6 address stands in brackets there."""
    if host in _ANY:
        host = _ANY[host]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _connections() -> int:
    """How many connections a worker may have open, after its limit of open files was raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(CONNECTIONS, soft - _OTHER_FILES))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own server, on loopback
            return int(response.status) == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


if __name__ == "__main__":
    wanted: Application = "console" if sys.argv[1] == "console" else "scoring"
    try:
        serve(wanted, read_settings(), os.environ[PRODUCT_VARIABLE])
    except SeatrialError as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
    finally:
        ignore_signals()
