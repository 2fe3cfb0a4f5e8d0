"""The `seatrial` command."""

import click

from seatrial import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seatrial")
def main() -> None:
    """Take a prototype model to a watched, self-repairing, value-accounted product."""
