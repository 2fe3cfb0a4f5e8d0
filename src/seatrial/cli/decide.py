"""`seatrial decide`."""

from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.facts.step import Step


@click.group(invoke_without_command=True)
@command_options
def decide(app: App) -> None:
    """Run one round of the loop: observe, decide, act, record."""
    from seatrial.cli.retained import removed_text, removed_today
    from seatrial.cycle.control import one_turn
    from seatrial.wiring import reconciler

    product = app.product()
    with one_turn(reconciler(product, app.settings())) as loop:
        tick = loop.tick()
    if tick.busy:
        app.show({"busy": True}, lambda: "another worker runs the loop of this product")
        return
    gone = removed_today(product, app.workspace())
    told = filter(None, [steps_text(tick.steps), removed_text(product.name, gone)])
    app.show({"busy": False, "steps": tick.steps, "retention": gone}, lambda: "\n".join(told))


@decide.command("show")
@command_options
def show(app: App) -> None:
    """Show what the loop would do now, without doing it."""
    from seatrial.decide.policy import next_steps
    from seatrial.wiring import reconciler

    steps = next_steps(reconciler(app.product(), app.settings()).situation())
    app.show({"steps": steps}, lambda: steps_text(steps))


def steps_text(steps: "Sequence[Step]") -> str:
    """Steps in words."""
    from seatrial.cli.words import bullets

    if not steps:
        return "nothing to do"
    return bullets(f"{step.kind.value} {step.release or ''}: {step.why}" for step in steps)
