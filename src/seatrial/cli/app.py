"""What every command shares: where the product and workspace are, how output and errors are shown."""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.errors import SeatrialError

if TYPE_CHECKING:
    from seatrial.ports.workspace import Workspace
    from seatrial.product.product import Product
    from seatrial.settings import Settings


@dataclass
class App:
    """One invocation."""

    folder: Path
    workspace_option: str | None
    as_json: bool
    debug: bool

    def settings(self, **arguments: str | None) -> "Settings":
        """The settings; a relative workspace lies in the product's folder."""
        from seatrial.settings import read_settings

        return read_settings({"workspace": self.workspace_option, **arguments}, folder=self.folder)

    def product(self) -> "Product":
        """The product in the folder."""
        from seatrial.product.read import read_product

        return read_product(self.folder)

    def workspace(self) -> "Workspace":
        """The workspace of the settings."""
        from seatrial.wiring import open_workspace

        return open_workspace(self.settings())

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        click.echo(text, err=True)

    def show(self, data: Any, text: Callable[[], str]) -> None:
        """The result, on standard output: JSON for machines, else text for people."""
        if self.as_json:
            click.echo(to_json(data))
        else:
            click.echo(text())


def to_json(data: Any) -> str:
    """Indented JSON of facts and plain values; numbers that JSON lacks become null."""
    import msgspec

    plain = msgspec.json.decode(msgspec.json.encode(data))
    return json.dumps(plain, indent=2, allow_nan=False)


def command_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the shared options and an App as its first argument; shows errors as people need them."""

    @click.option(
        "-C",
        "--product-folder",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(),
        help="Folder of product.yaml (default: here).",
    )
    @click.option(
        "--workspace", default=None, help="Workspace folder (default: .seatrial in the product's folder)."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON alone on standard output.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapped(folder: Path, workspace: str | None, as_json: bool, debug: bool, **rest: Any) -> None:
        if click.get_current_context().invoked_subcommand is not None:
            return  # bare `seatrial train` acts; `seatrial train show` leaves the acting to `show`
        app = App(folder.resolve(), workspace, as_json, debug)
        try:
            function(app, **rest)
        except SeatrialError as error:
            if debug:
                raise
            fail(app, error)

    return wrapped


def fail(app: App, error: SeatrialError) -> None:
    """Say what went wrong and end with status 1."""
    if app.as_json:
        problems = list(getattr(error, "problems", ()))
        click.echo(to_json({"error": {"code": error.code, "message": str(error), "problems": problems}}))
    click.echo(f"{error.code}: {error}", err=True)
    sys.exit(1)
