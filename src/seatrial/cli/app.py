"""What every command shares: where the product and workspace are, how output and errors are shown."""

import functools
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.errors import ContractInvalid, ProductFileInvalid, SeatrialError

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
        """The product in the folder. Raises ProductFileInvalid or ContractInvalid."""
        from seatrial.product.read import read_product

        try:
            return read_product(self.folder)
        except (OSError, UnicodeDecodeError) as error:
            raise ProductFileInvalid([f"cannot be read: {error}"], name=str(self.folder)) from error

    def standing_product(self) -> "Product":
        """The product in the folder; while its file cannot be used, the live one as it was released, with a warning.

        Raises ProductFileInvalid or ContractInvalid where nothing is live.
        """
        from seatrial.cli.released import released_product

        try:
            return self.product()
        except (ProductFileInvalid, ContractInvalid) as error:
            found = released_product(self.settings(), self.written_name())
            if found is None:
                raise
            self.say(f"{error.code}: {error}\nwarning: going on with {found.name} as it was released")
            return found

    def product_name(self) -> str:
        """The name of the product in the folder, without reading the rest of it, which takes long.

        Where it cannot be read, that of the only product with a live release, with a warning.
        """
        from seatrial.cli.released import released_name

        if written := self.written_name():
            return written
        try:
            return self.product().name
        except (ProductFileInvalid, ContractInvalid) as error:
            name = released_name(self.settings())
            if name is None:
                raise
            self.say(
                f"{error.code}: {error}\nwarning: going on with {name}, which alone is live in this workspace"
            )
            return name

    def written_name(self) -> str | None:
        """The name that the product file begins with; None where there is none that can be read."""
        import yaml

        with suppress(OSError, UnicodeDecodeError, yaml.YAMLError):
            named = yaml.safe_load((self.folder / "product.yaml").read_text())
            if isinstance(named, dict) and isinstance(named.get("product"), str):
                return str(named["product"])
        return None

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
