"""`seatrial value`."""

from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.facts.statement import Statement


@click.group(invoke_without_command=True)
@command_options
def value(app: App) -> None:
    """Settle what has matured, then show what the decisions earned."""
    from seatrial.cycle.control import one_turn
    from seatrial.wiring import reconciler

    with one_turn(reconciler(app.product(), app.settings())) as loop:
        loop.observe()
    _show(app)


@value.command("show")
@command_options
def show(app: App) -> None:
    """Show the statement as it is booked."""
    _show(app)


def _show(app: App) -> None:
    from seatrial.cycle.books import statement_of

    found = statement_of(app.workspace(), app.standing_product())
    app.show(found, lambda: statement_text(found))


def valued_text(found: "Statement") -> str:
    """Of how many decisions a value is: those whose outcome is known."""
    known = found.matured - found.without_outcome
    text = f"{known:,} decision{'' if known == 1 else 's'} with a known outcome"
    return f"{text}; {found.without_outcome:,} without" if found.without_outcome else text


def statement_text(found: "Statement") -> str:
    """A statement in words."""
    from seatrial.cli.words import interval, table

    unit = found.unit
    if not found.matured:
        return f"{found.product}: nothing is booked yet; {found.waiting:,} decisions wait for their outcomes to mature"
    lines = [
        f"{found.product}: {found.matured:,} decisions booked, {found.acted:,} acted on, {found.waiting:,} waiting",
        f"value      {interval(found.value)} {unit} from {valued_text(found)}",
        f"baseline   {interval(found.baseline_value)} {unit}",
        f"advantage  {interval(found.advantage)} {unit}",
    ]
    if found.capped:
        lines.append(f"{found.capped:,} capped")
    rows = [
        (line.release, f"{line.decisions:,}", interval(line.promised, 2), interval(line.realised, 2))
        for line in found.releases
    ]
    headers = ("release", "decisions", f"promised {unit} per decision", "realised")
    return "\n".join(lines) + ("\n\n" + table(headers, rows) if rows else "")
