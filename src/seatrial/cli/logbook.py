"""`seatrial logbook`."""

import json
from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options
from seatrial.errors import NotFound

if TYPE_CHECKING:
    from seatrial.facts.logbook import LogEntry


@click.group(invoke_without_command=True)
@command_options
def logbook(app: App) -> None:
    """Show the newest entries of the record of every change."""
    _show(app, 20)


@logbook.command("show")
@click.option("--limit", default=100, show_default=True, help="Newest entries to show.")
@command_options
def show(app: App, limit: int) -> None:
    """Show more of the logbook."""
    _show(app, limit)


@logbook.command("verify")
@command_options
def verify(app: App) -> None:
    """Recompute the hash chain; a changed byte, a missing or moved entry is found."""
    from seatrial.errors import IntegrityBroken
    from seatrial.facts.logbook import GENESIS, chain_faults

    entries = _entries(app)
    faults = chain_faults(entries)
    if faults:
        raise IntegrityBroken("the logbook was changed:\n" + "\n".join(f"  - {fault}" for fault in faults))
    head = entries[-1].hash if entries else GENESIS
    app.show(
        {"verified": True, "entries": len(entries), "head": head},
        lambda: f"{len(entries)} entries, the chain holds; head {head}",
    )


def _show(app: App, limit: int) -> None:
    entries = _entries(app)[-limit:]
    app.show(entries, lambda: _text(entries))


def _entries(app: App) -> "list[LogEntry]":
    """All entries. Raises NotFound where no workspace is: an empty new one would verify, and mean nothing."""
    folder = app.settings().workspace
    if not folder.is_dir():
        raise NotFound(f"no workspace at {folder}; choose the product's folder with -C")
    with app.workspace().metadata.begin() as transaction:
        return transaction.logbook()


def _text(entries: "list[LogEntry]") -> str:
    from seatrial.cli.words import short, table

    rows = [
        (
            e.seq,
            f"{e.at:%Y-%m-%d %H:%M}",
            e.product,
            e.kind,
            short(e.subject),
            json.dumps(e.body, default=str)[:90],
        )
        for e in entries
    ]
    return table(("seq", "at", "product", "kind", "subject", "body"), rows)
