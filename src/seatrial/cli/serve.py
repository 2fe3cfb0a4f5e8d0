"""`seatrial serve` and `seatrial up`."""

import signal
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.cycle.reconcile import Reconciler, Tick


def server_options(function: Any) -> Any:
    """The options that every server takes."""
    for option in (
        click.option("--tick-seconds", default=None, help="Seconds between two rounds of the loop."),
        click.option("--workers", default=None, help="Server processes that share the port."),
        click.option("--console-port", default=None, help="Port of the console."),
        click.option("--port", default=None, help="Port of the data plane."),
        click.option("--host", default=None, help="Loopback address to bind to."),
    ):
        function = option(function)
    return function


@click.group(invoke_without_command=True)
@server_options
@command_options
def serve(app: App, **arguments: str | None) -> None:
    """Serve the live release of the product over HTTP, the data plane alone."""
    from seatrial.web.server import serve as run

    settings = app.settings(**arguments)
    product = app.product()
    app.say(f"{product.name} on http://{settings.host}:{settings.port}: Ctrl-C stops it")
    run("scoring", settings, product.name)


@serve.command("show")
@server_options
@command_options
def show(app: App, **arguments: str | None) -> None:
    """Show the settings and where each comes from."""
    from seatrial.cli.words import table

    values = app.settings(**arguments).shown()
    rows = [(name, one.value, one.origin, one.meaning) for name, one in values.items()]
    app.show(values, lambda: table(("setting", "value", "from", "meaning"), rows))


@click.command()
@server_options
@command_options
def up(app: App, **arguments: str | None) -> None:
    """Start data plane, control plane and console together; stopping loses nothing."""
    from seatrial.errors import NotReady
    from seatrial.web.server import start
    from seatrial.wiring import reconciler

    settings, product = app.settings(**arguments), app.product()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    servers = [start("scoring", settings, product.name), start("console", settings, product.name)]
    try:
        for server in servers:
            server.wait_until_ready()
        urls = {"predictions": servers[0].url, "console": servers[1].url}
        app.show(urls, lambda: f"predictions {urls['predictions']}\nconsole     {urls['console']}")
        loop = _Loop(app, reconciler(product, settings), stop, settings.tick_seconds)
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
        app.say("stopped")
    if loop.error is not None:
        raise click.ClickException(f"stopped by a failure: {loop.error}")


class _Loop(Thread):
    """The control plane's thread. What ends it ends `up`: a product that nobody watches must not look watched."""

    def __init__(self, app: App, reconciler: "Reconciler", stop: Event, seconds: float) -> None:
        super().__init__(name="seatrial-loop")
        self.error: Exception | None = None
        self._app, self._reconciler, self._stop_event, self._seconds = app, reconciler, stop, seconds
        self._busy = False

    def run(self) -> None:
        """Rounds until `stop` is set, or until one fails for good."""
        from seatrial.cycle.control import run_loop

        try:
            run_loop(self._reconciler, self._stop_event, seconds=self._seconds, on_tick=self._tell)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is shown and ends the process with status 1
            self.error = error
            self._stop_event.set()

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
