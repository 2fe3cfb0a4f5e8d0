"""`seatrial status`."""

import click

from seatrial.cli.app import App, command_options


@click.command()
@command_options
def status(app: App) -> None:
    """Show where the product stands: releases, jobs, incidents, value, readiness."""
    from seatrial.cli.retained import removed_text, removed_today
    from seatrial.cli.value import valued_text
    from seatrial.cli.words import interval, short
    from seatrial.cycle.books import statement_of
    from seatrial.cycle.overview import overview_of

    product, workspace = app.standing_product(), app.workspace()
    found = overview_of(workspace, product.name)
    booked = statement_of(workspace, product)
    gone = removed_today(product, workspace)

    def text() -> str:
        live, tried = found.live, found.challenger
        score = found.readiness
        return "\n".join(
            [
                product.name,
                f"live        {live.id} since {live.changed_at:%Y-%m-%d %H:%M}, model {short(live.bundle.model)}"
                if live
                else "live        nothing; `seatrial launch` makes the first release",
                f"challenger  {tried.id} in {tried.phase.value} at {tried.share:.0%}"
                if tried
                else "challenger  none",
                f"jobs        {', '.join(job.id for job in found.jobs) or 'none running'}",
                f"incidents   {len(found.incidents)} open",
                f"outcomes    {_outcomes(found.outcomes)}",
                f"value       {interval(booked.value)} {booked.unit} from {valued_text(booked)}",
                f"advantage   {interval(booked.advantage)} {booked.unit} over the baseline",
                f"readiness   {score.score:g} ({score.band})" if score else "readiness   not run yet",
                *filter(None, [removed_text(product.name, gone)]),
            ]
        )

    shown = {"overview": found, "value": booked.value, "advantage": booked.advantage, "retention": gone}
    app.show(shown, text)


def _outcomes(counts: dict[str, int]) -> str:
    if not counts:
        return "none handled yet"
    words = {
        "joined": "joined",
        "without_outcome": "without",
        "late": "late",
        "duplicates": "duplicates",
        "corrected": "corrected",
        "unknown": "unknown",
        "repeated": "repeated answers",
    }
    return ", ".join(f"{counts[name]:,} {word}" for name, word in words.items())
