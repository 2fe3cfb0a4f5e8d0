"""`seatrial data erase`: every trace of rows with a value, for good."""

import getpass
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.cycle.erase import Proof
    from seatrial.cycle.erase_rows import Found
    from seatrial.facts.erasure import Erasure
    from seatrial.ports.workspace import Workspace

_PAUSE, _LONGEST = 0.1, 15.0


@click.command("erase", short_help="Erase all rows with a value for good, everywhere.")
@click.option("--column", help="Where the value stands: key, a column, or source.column.")
@click.option("--value", help="The value. In the shell's history it would be a trace: see --value-from.")
@click.option("--value-from", help="A file whose first line is the value; - for standard input.")
@click.option("--why", help="The reason, for the logbook; without the value.")
@click.option("--yes", is_flag=True, help="Erase. Without it, only tell what would be erased.")
@click.option("--prove", is_flag=True, help="Show the logbook's proof that the value was erased.")
@command_options
def erase(
    app: App,
    *,
    column: str | None,
    value: str | None,
    value_from: str | None,
    why: str | None,
    yes: bool,
    prove: bool,
) -> None:
    """Erase all rows with a value for good: tables, journal, snapshots and lookups; models are flagged."""
    sought = _value(value, value_from)
    if prove:
        _prove(app, sought)
        return
    if column is None:
        raise click.UsageError("--column is missing: where does the value stand?")
    if not yes:
        _look(app, column, sought)
        return
    if not why:
        raise click.UsageError("--why is missing: the logbook keeps the reason")
    _erase(app, column, sought, why)


def _value(value: str | None, value_from: str | None) -> str:
    if (value is None) == (value_from is None):
        raise click.UsageError("give the value with either --value or --value-from")
    if value is not None:
        return value
    if value_from == "-":
        return sys.stdin.readline().rstrip("\r\n")
    try:
        return Path(str(value_from)).read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--value-from {value_from}: it cannot be read: {error}") from error


def _workspace(app: App, product: str) -> "Workspace":
    from seatrial.wiring import open_workspace

    return open_workspace(app.settings(), product=product)


def _look(app: App, column: str, value: str) -> None:
    from seatrial.cycle.erase import found_of

    product = app.product()
    found = found_of(_workspace(app, product.name), product, column=column, value=value)
    app.show({"erased": False, "found": found}, lambda: _found_text(found))


def _erase(app: App, column: str, value: str, why: str) -> None:
    from seatrial.cycle.erase import erase as erase_value
    from seatrial.cycle.stand_back import alone
    from seatrial.wiring import forget_lookups

    product = app.product()
    workspace = _workspace(app, product.name)
    app.say("waiting until the servers have handed over what they answered, and the loop gives way …")
    _wait_for_open_segments(workspace)
    with alone(workspace.metadata, product.name, f"erase:{socket.gethostname()}:{os.getpid()}") as lease:
        by = getpass.getuser()
        erasure = erase_value(workspace, product, column=column, value=value, why=why, by=by, lease=lease)
    forget_lookups(app.settings(), product.name)
    app.show({"erased": True, "erasure": erasure}, lambda: _erased_text(erasure))


def _wait_for_open_segments(workspace: "Workspace") -> None:
    """Until what was being written when the command was given can be drained. Raises NotReady when it never can."""
    from seatrial.errors import NotReady

    asked, waited = workspace.journal.being_written(), 0.0
    while asked & workspace.journal.being_written():
        if waited > _LONGEST:
            raise NotReady(
                "a server has not handed over its journal for 15 seconds; see whether it hangs, then erase again"
            )
        time.sleep(_PAUSE)
        waited += _PAUSE


def _prove(app: App, value: str) -> None:
    from seatrial.cycle.erase import proofs

    product = app.product()
    found = proofs(_workspace(app, product.name), product, value)
    app.show({"proofs": found}, lambda: "\n\n".join(map(_proof_text, found)) or "no erasure of this value")


def _found_text(found: "Found") -> str:
    if not found.rows:
        return "nothing holds this value"
    return f"{_rows_text(found.rows)}\n{_flagged(found.snapshots, found.models)}\n\nnothing was changed; --yes erases"


def _erased_text(erasure: "Erasure") -> str:
    told = f"{_rows_text(erasure.rows)}\n{_flagged(erasure.snapshots, erasure.models)}"
    return f"erasure {erasure.id} is {erasure.state}\n\n{told if erasure.rows else 'nothing held the value'}"


def _rows_text(rows: dict[str, int]) -> str:
    from seatrial.cli.words import table

    return table(("where", "rows"), [(name, f"{count:,}") for name, count in rows.items()])


def _flagged(snapshots: tuple[str, ...], models: tuple[str, ...]) -> str:
    from seatrial.cli.words import short

    if not snapshots:
        return "no snapshot holds such a row, so no model was trained on one"
    flagged = f"; models trained on them: {', '.join(map(short, models))}" if models else ""
    return f"snapshots with such rows: {', '.join(map(short, snapshots))}{flagged}"


def _proof_text(proof: "Proof") -> str:
    erasure = proof.erasure
    head = f"erasure {erasure.id} of {erasure.at:%Y-%m-%d %H:%M} UTC by {erasure.by}: {erasure.why}"
    lines = [
        f"logbook entry {one.seq} of {one.at:%Y-%m-%d %H:%M} UTC, hash {one.hash}" for one in proof.entries
    ]
    return "\n".join([head, f"commitment {erasure.commitment}, salt {erasure.salt}", *lines])
