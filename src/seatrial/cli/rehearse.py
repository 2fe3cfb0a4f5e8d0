"""`seatrial rehearse`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.facts.rehearsal import LoopEvent, RehearsalReport

_DATE = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option(
    "--start", type=_DATE, required=True, help="First day; the first model is fitted on the days before."
)
@click.option("--end", type=_DATE, required=True, help="Day after the last one.")
@command_options
def rehearse(app: App, start: datetime, end: datetime) -> None:
    """Replay history through the whole stack: what would the loop have earned, when would it have alarmed?"""
    if end <= start:
        raise click.UsageError(f"--end {end:%Y-%m-%d} must be after --start {start:%Y-%m-%d}")
    report = run(app, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    app.show(report, lambda: report_text(report))


def run(app: App, start: datetime, end: datetime) -> "RehearsalReport":
    """The report of a rehearsal of the app's product, kept in its workspace; progress on standard error."""
    from seatrial.cycle.records import keep_rehearsal
    from seatrial.rehearse.rehearse import rehearse as replay
    from seatrial.wiring import scratch, training_tools

    product, workspace = app.product(), app.workspace()
    app.say("reading the whole history …")
    history = training_tools(workspace, app.say).history.read(product)
    with scratch(product, start, history) as stage:
        app.say(f"replaying {start:%Y-%m-%d} to {end:%Y-%m-%d}")
        report = replay(
            product,
            stage,
            start=start,
            end=end,
            on_event=lambda event: app.say(event_text(event)),
            on_day=lambda day, rows: _month(app, day, rows),
            on_phase=app.say,
        )
    keep_rehearsal(workspace, report)
    return report


def _month(app: App, day: datetime, rows: int) -> None:
    if day.day == 1:
        app.say(f"{day:%Y-%m-%d}  … {rows:,} requests answered")


def event_text(event: "LoopEvent") -> str:
    """One event in words."""
    return f"{event.at:%Y-%m-%d}  {event.kind}  {event.subject}  {event.why}"


def report_text(report: "RehearsalReport") -> str:
    """A report in words."""
    from seatrial.cli.words import interval, table

    rows = [
        (
            line.policy.replace("_", " "),
            interval(line.value),
            interval(line.advantage) if line.advantage else "",
            f"{line.acted:,}",
            line.retrainings,
        )
        for line in report.policies
    ]
    headers = ("policy", f"value, {report.unit}", "against the frozen prototype", "acted on", "retrainings")
    head = (
        f"rehearsal {report.id}: {report.rows:,} requests in {report.batches:,} batches through the whole stack, "
        f"{report.seconds:.0f} s"
    )
    return f"{head}\n\n{table(headers, rows)}"
