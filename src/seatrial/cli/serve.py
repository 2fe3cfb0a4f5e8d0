"""`seatrial serve` and `seatrial up`."""

import signal
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.cycle.reconcile import Tick


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

    values = app.settings(**arguments).values
    rows = [(name, one.value, one.origin, one.meaning) for name, one in values.items()]
    app.show(values, lambda: table(("setting", "value", "from", "meaning"), rows))


@click.command()
@server_options
@command_options
def up(app: App, **arguments: str | None) -> None:
    """Start data plane, control plane and console together; stopping loses nothing."""
    from seatrial.cycle.control import run_loop
    from seatrial.web.server import start
    from seatrial.wiring import open_workspace, reconciler

    settings, product = app.settings(**arguments), app.product()
    workspace = open_workspace(settings)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    servers = [start("scoring", settings, product.name), start("console", settings, product.name)]
    try:
        for server in servers:
            server.wait_until_ready()
        urls = {"predictions": servers[0].url, "console": servers[1].url}
        app.show(urls, lambda: f"predictions {urls['predictions']}\nconsole     {urls['console']}")
        loop = Thread(
            target=run_loop,
            args=(reconciler(product, workspace), stop),
            kwargs={"seconds": settings.tick_seconds, "on_tick": lambda tick: _tell(app, tick)},
            name="seatrial-loop",
        )
        loop.start()
        stop.wait()
        loop.join()
    finally:
        for server in servers:
            server.stop()
        app.say("stopped")


def _tell(app: App, tick: "Tick") -> None:
    for incident in tick.incidents:
        app.say(f"incident {incident.id}: {incident.cause}")
    for step in tick.steps:
        if step.kind.value != "hold":
            app.say(f"{step.kind.value} {step.release or ''}: {step.why}")
    if tick.settled:
        app.say(f"{tick.settled} predictions settled")
