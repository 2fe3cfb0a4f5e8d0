"""`seatrial serve` and `seatrial up`."""

import signal
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options
from seatrial.errors import ContractInvalid, ProductFileInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seatrial.cycle.reconcile import Reconciler, Tick


_ANSWERING = {
    "--host": "Address to bind to; beyond loopback, callers need tokens.",
    "--port": "Port of the data plane.",
    "--workers": "Server processes that share the port.",
    "--authentication": "auto, or required: callers on loopback need tokens too.",
    "--idle-seconds": "Seconds after which a silent connection is closed.",
    "--drain-seconds": "Seconds that a server which was told to end is not ready, yet answers.",
}
_ALL = {
    **_ANSWERING,
    "--console-port": "Port of the console.",
    "--tick-seconds": "Seconds between two rounds of the loop.",
}


def server_options(options: "Mapping[str, str]") -> "Callable[[Any], Any]":
    """The options of a server, by what --help says of each."""

    def with_options(function: Any) -> Any:
        for name, told in reversed([*options.items()]):
            function = click.option(name, default=None, help=told)(function)
        return function

    return with_options


@click.group(invoke_without_command=True)
@server_options(_ANSWERING)
@command_options
def serve(app: App, **arguments: str | None) -> None:
    """Serve the live release of the product over HTTP, the data plane alone."""
    from seatrial.web.listening import check_ports
    from seatrial.web.server import address, become, check_protected

    settings, product = app.settings(**arguments), app.product_name()
    check_protected(settings, product)
    check_ports(settings, ["port"])
    app.say(f"{product} on {address(settings.host, settings.port)}: Ctrl-C stops it")
    become("scoring", settings, product)


@serve.command("show")
@server_options(_ALL)
@command_options
def show(app: App, **arguments: str | None) -> None:
    """Show the settings and where each comes from."""
    from seatrial.cli.words import table

    values = app.settings(**arguments).shown()
    rows = [(name, one.value, one.origin, one.meaning) for name, one in values.items()]
    app.show(values, lambda: table(("setting", "value", "from", "meaning"), rows))


@click.command()
@server_options(_ALL)
@command_options
def up(app: App, **arguments: str | None) -> None:
    """Start data plane, control plane and console together; stopping loses nothing."""
    from seatrial.errors import NotReady
    from seatrial.web.listening import check_ports
    from seatrial.web.server import check_protected, ignore_signals, start
    from seatrial.wiring import reconciler

    settings, product = app.settings(**arguments), app.standing_product().name
    check_protected(settings, product)
    check_ports(settings, ["port", "console_port"])
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    servers = [start("scoring", settings, product), start("console", settings, product)]
    try:
        for server in servers:
            server.wait_until_ready()
        urls = {"predictions": servers[0].url, "console": servers[1].url}
        app.show(urls, lambda: f"predictions {urls['predictions']}\nconsole     {urls['console']}")
        loop = _Loop(app, lambda: reconciler(app.product(), settings), stop, settings.tick_seconds)
        loop.start()
        while not stop.wait(1.0):
            for server in servers:
                if server.process.poll() is not None:
                    loop.error = NotReady(f"the server at {server.url} ended; see above")
                    stop.set()
        loop.join()
    finally:
        for server in servers:
            server.stop()
        ignore_signals()
        app.say("stopped")
    if loop.error is not None:
        raise click.ClickException(f"stopped by a failure: {loop.error}")


class _Loop(Thread):
    """The control plane's thread. What ends it ends `up`: a product that nobody watches must not look watched."""

    def __init__(self, app: App, reconciler: "Callable[[], Reconciler]", stop: Event, seconds: float) -> None:
        super().__init__(name="seatrial-loop")
        self.error: Exception | None = None
        self._app, self._reconciler, self._stop_event, self._seconds = app, reconciler, stop, seconds
        self._busy = False

    def run(self) -> None:
        """Rounds until `stop` is set, or until one fails for good."""
        from seatrial.cycle.control import run_loop

        try:
            if reconciler := self._once_mended():
                run_loop(reconciler, self._stop_event, seconds=self._seconds, on_tick=self._tell)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is shown and ends the process with status 1
            self.error = error
            self._stop_event.set()

    def _once_mended(self) -> "Reconciler | None":
        """The loop of the product, as soon as its file can be used; None when it is stopped before."""
        told = ""
        while not self._stop_event.is_set():
            try:
                found = self._reconciler()
            except (ProductFileInvalid, ContractInvalid) as error:
                if str(error) != told:
                    told = str(error)
                    self._app.say(
                        f"the loop waits until this is mended, predictions are answered meanwhile: {told}"
                    )
                self._stop_event.wait(self._seconds)
            else:
                if told:
                    self._app.say("mended: the loop goes on")
                return found
        return None

    def _tell(self, tick: "Tick") -> None:
        if tick.busy and not self._busy:
            self._app.say("another worker runs the loop of this product; this one waits for its lease")
        self._busy = tick.busy
        for incident in tick.incidents:
            self._app.say(f"incident {incident.id}: {incident.cause}")
        for step in tick.steps:
            if step.kind.value != "hold":
                self._app.say(f"{step.kind.value} {step.release or ''}: {step.why}")
        if tick.settled:
            self._app.say(f"{tick.settled} predictions settled")
