"""`seatrial release` and `seatrial launch`."""

import getpass
from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.cycle.retrain import Workshop
    from seatrial.facts.release import Release


@click.group(invoke_without_command=True)
@command_options
def release(app: App) -> None:
    """Put the newest model through its gates: live when nothing is live yet, else in shadow."""
    from seatrial.cycle.stages import release_newest

    workshop = _workshop(app)
    _show_one(app, release_newest(workshop, why="seatrial release"))


@release.command("show")
@command_options
def show(app: App) -> None:
    """Show all releases."""
    from seatrial.cli.words import short, table
    from seatrial.cycle.erase import erasures_of
    from seatrial.facts.release import Release

    product = app.product_name()
    with app.workspace().metadata.begin() as transaction:
        releases = transaction.all(Release, product)
        flagged = {r.id for r in releases if erasures_of(transaction, product, r.bundle.model)}
    rows = [
        (
            r.id,
            r.phase.value,
            f"{r.share:.0%}",
            f"{r.changed_at:%Y-%m-%d %H:%M}",
            short(r.bundle.model),
            r.why + ("; rows of its model were erased since" if r.id in flagged else ""),
        )
        for r in releases
    ]
    app.show(releases, lambda: table(("release", "phase", "share", "since", "model", "why"), rows))


@release.command("rollback")
@click.option("--why", required=True, help="The reason, for the logbook.")
@click.option("--challenger", is_flag=True, help="The release in shadow or canary instead of the live one.")
@command_options
def rollback(app: App, why: str, challenger: bool) -> None:
    """Roll the live release back: its predecessor is live again within seconds. Or end a trial."""
    from seatrial.cycle.stages import roll_back_challenger, roll_back_live

    act = roll_back_challenger if challenger else roll_back_live
    found = act(app.workspace(), app.product_name(), why=why, actor=getpass.getuser())
    app.show(found, lambda: f"{found.id} is {found.phase.value}")


@release.command("approve")
@click.argument("release_id")
@command_options
def approve(app: App, release_id: str) -> None:
    """Approve a release that waits for a person."""
    from seatrial.cycle.stages import approve as record

    found = record(app.workspace(), app.product_name(), release_id, actor=getpass.getuser())
    app.show(found, lambda: f"{found.id} approved; it is {found.phase.value}, the loop does the rest")


@click.command()
@command_options
def launch(app: App) -> None:
    """Data, training and release in one go."""
    from seatrial.cli.data import snapshot_text
    from seatrial.cli.train import model_text
    from seatrial.cycle.stages import make_snapshot, release_newest, train_newest

    workshop = _workshop(app)
    app.say("reading the sources …")
    snapshot = make_snapshot(workshop)
    app.say(snapshot_text(snapshot))
    app.say("fitting …")
    model = train_newest(workshop, why="seatrial launch")
    app.say(model_text(model, workshop.product.objective.section.unit))
    _show_one(app, release_newest(workshop, why="seatrial launch"))


def release_text(found: "Release") -> str:
    """A release and its gates in words."""
    from seatrial.cli.words import short, table

    gates = table(
        ("gate", "", "evidence"),
        [(gate.gate, "open" if gate.passed else "CLOSED", gate.evidence) for gate in found.gates],
    )
    head = f"release {found.id} of model {short(found.bundle.model)}: {found.phase.value}: {found.why}"
    return f"{head}\n\n{gates}"


def _workshop(app: App) -> "Workshop":
    from seatrial.cycle.retrain import Workshop
    from seatrial.wiring import training_tools

    product, workspace = app.product(), app.workspace()
    return Workshop(product, workspace, training_tools(workspace))


def _show_one(app: App, found: "Release") -> None:
    """Show a release; one that its gates refused ends with status 1."""
    from seatrial.errors import GateClosed
    from seatrial.release.gates import refused

    faults = refused(found.gates)
    if faults:
        app.say(release_text(found))
        raise GateClosed(faults, name=f"release {found.id}")
    app.show(found, lambda: release_text(found))
