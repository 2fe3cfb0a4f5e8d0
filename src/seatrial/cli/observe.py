"""`seatrial observe`."""

from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.facts.finding import Finding, Incident


@click.group(invoke_without_command=True)
@command_options
def observe(app: App) -> None:
    """Drain the journal, join outcomes, update the monitors; then show what was found."""
    from seatrial.cycle.control import one_turn
    from seatrial.wiring import reconciler

    with one_turn(reconciler(app.product(), app.settings())) as loop:
        seen = loop.observe()
    app.say(f"{seen.segments:,} segments drained, {seen.settled:,} predictions settled")
    _show(app)


@observe.command("show")
@command_options
def show(app: App) -> None:
    """Show incidents and the newest findings."""
    _show(app)


def _show(app: App) -> None:
    from seatrial.cli.retained import removed_text, removed_today
    from seatrial.facts.finding import Finding, Incident

    product, workspace = app.standing_product(), app.workspace()
    with workspace.metadata.begin() as transaction:
        incidents = transaction.all(Incident, product.name)
        findings = transaction.all(Finding, product.name, limit=20)
    gone = removed_today(product, workspace)
    found: dict[str, Any] = {"incidents": incidents, "findings": findings, "retention": gone}
    told = filter(
        None, [incidents_text(incidents), _findings_text(findings), removed_text(product.name, gone)]
    )
    app.show(found, lambda: "\n\n".join(told))


def incidents_text(incidents: "list[Incident]") -> str:
    """Incidents in words."""
    from seatrial.cli.words import number, table

    if not incidents:
        return "no incidents"
    rows = [
        (
            incident.id,
            incident.measure,
            f"{incident.began_at:%Y-%m-%d}",
            f"{incident.detected_at:%Y-%m-%d}",
            number(incident.cost_per_day),
            f"{incident.closed_at:%Y-%m-%d}" if incident.closed_at else "open",
            incident.cause,
        )
        for incident in incidents
    ]
    return table(("incident", "measure", "began", "detected", "cost per day", "closed", "cause"), rows)


def _findings_text(findings: "list[Finding]") -> str:
    from seatrial.cli.words import number, table

    if not findings:
        return "no findings yet: nothing has matured"
    rows = [
        (
            f"{finding.window_to:%Y-%m-%d}",
            finding.release,
            finding.segment,
            finding.measure,
            number(finding.value, 4),
            f"{finding.sample_size:,}",
            finding.verdict.value,
            finding.detail,
        )
        for finding in findings
    ]
    return table(("to", "release", "segment", "measure", "value", "n", "verdict", "detail"), rows)
