"""`seatrial readiness`."""

from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.facts.readiness import Readiness


@click.group(invoke_without_command=True)
@command_options
def readiness(app: App) -> None:
    """Run the 28 tests of the ML Test Score on what is recorded, and keep the result."""
    from seatrial.readiness.run import assess

    found = assess(app.workspace(), app.product())
    app.show(found, lambda: readiness_text(found))


@readiness.command("show")
@command_options
def show(app: App) -> None:
    """Show the last run."""
    from seatrial.cycle.stages import newest
    from seatrial.facts.readiness import Readiness

    found = newest(app.workspace(), Readiness, app.product_name())
    app.show(found, lambda: readiness_text(found))


def readiness_text(found: "Readiness") -> str:
    """A run of the tests in words."""
    from seatrial.cli.words import table

    rows = [(r.id, r.score, r.title, r.evidence if r.score else f"to do: {r.fix}") for r in found.results]
    sections = ", ".join(f"{name} {score:g}" for name, score in found.sections.items())
    head = f"readiness {found.score:g} ({found.band}); {sections}; the score is the lowest section"
    return f"{head}\n\n{table(('test', 'score', 'what', 'evidence'), rows)}"
