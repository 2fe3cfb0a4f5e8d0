"""`seatrial data profile`, `diff`, `lineage`, `report`: looks at what is stored, that change nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.contract.diff import Change
    from seatrial.data.states import Pair
    from seatrial.facts.load import Load
    from seatrial.facts.snapshot import Snapshot
    from seatrial.ports.workspace import Workspace
    from seatrial.product.product import Product


@click.command("profile", short_help="How the values of a source or the examples are spread.")
@click.argument("table", default="examples")
@click.option("--load", "load", type=int, help="Number of the load of a source (default: the newest).")
@click.option("--snapshot", help="Id of a snapshot, or its beginning (default: the newest).")
@command_options
def profile(app: App, table: str, load: int | None, snapshot: str | None) -> None:
    """Show how the values of a source, or of the examples, are distributed."""
    from seatrial.cli.looks import profile_text
    from seatrial.data.profiles import summaries
    from seatrial.data.states import profile_of
    from seatrial.errors import NotFound

    product, workspace = app.product(), app.workspace()
    fact = _state(workspace, product, table, load, snapshot)
    found = profile_of(fact, workspace.artifacts)
    if found is None:
        raise NotFound(f"{fact.id}: its profile is gone; it was erased with the rows it told of")
    shown = summaries(found, _hidden(product, table))
    data = {"table": table, "state": fact.id, "rows": found.rows, "columns": shown}
    app.show(data, lambda: profile_text(table, fact.id, found.rows, shown))


@click.command("diff", short_help="What changed between two loads or two snapshots.")
@click.argument("old", default="")
@click.argument("new", default="")
@command_options
def diff(app: App, old: str, new: str) -> None:
    """Show what changed between two loads of a source, or two snapshots (default: the two newest snapshots)."""
    from seatrial.cli.looks import comparison_text
    from seatrial.data.comparison import compared
    from seatrial.data.states import key_of, pair, state_of

    product, workspace = app.product(), app.workspace()
    with workspace.metadata.begin() as transaction:
        meant = pair(transaction, product.name, old, new)
    before, after = (state_of(fact, workspace.tables, workspace.artifacts) for fact in (meant.old, meant.new))
    found = compared(
        meant.table,
        before,
        after,
        key=key_of(product, meant.table),
        hidden=_hidden(product, meant.table),
        contract_changes=_contract_changes(workspace, product, meant),
    )
    app.show(found, lambda: comparison_text(found))


@click.command("lineage", short_help="Where a thing came from, and what was made from it.")
@click.argument("id", default="")
@click.option("--up", "direction", flag_value="up", help="Only where it came from.")
@click.option("--down", "direction", flag_value="down", help="Only what was made from it.")
@click.option(
    "--openlineage",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the whole history as OpenLineage events, one JSON object per line.",
)
@command_options
def lineage(app: App, id: str, direction: str | None, file: Path | None) -> None:
    """Show where a load, snapshot, model, release or prediction came from, and what was made from it."""
    from typing import cast

    from seatrial.cli.looks import lineage_text
    from seatrial.data.lineage import Direction
    from seatrial.data.lineage import lineage as lineage_of

    product, workspace = app.product(), app.workspace()
    if file is not None:
        count = _export(workspace, product, file)
        app.show({"file": str(file), "events": count}, lambda: f"{count:,} events written to {file}")
        return
    chosen = cast("Direction", direction or "both")
    with workspace.metadata.begin() as transaction:
        found = lineage_of(transaction, workspace.tables, product.name, id, chosen)
    app.show(found, lambda: lineage_text(found))


@click.command("report", short_help="Write one HTML page: what broke, what changed, what to do.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("data-report.html"),
    show_default=True,
    help="The file to write: one page, complete in itself.",
)
@command_options
def report(app: App, out: Path) -> None:
    """Write the data report: what broke, what changed, what to do, and every column, as one HTML page."""
    from seatrial.web.report.gathering import gathered
    from seatrial.web.report.page import page

    product, workspace = app.product(), app.workspace()
    app.say("gathering …")
    found = gathered(workspace, product)
    out.write_text(page(found), encoding="utf-8")
    data = {"file": str(out), "snapshot": found.snapshot, "concerns": found.concerns}
    lines = [f"{concern.level}: {concern.title}" for concern in found.concerns] or ["nothing needs attention"]
    app.show(data, lambda: "\n".join([f"report written to {out}", "", *lines]))


def _state(
    workspace: "Workspace", product: "Product", table: str, load: int | None, snapshot: str | None
) -> "Load | Snapshot":
    """The load or snapshot whose profile is asked for. Raises NotFound, naming what there is."""
    from seatrial.data.loads import load_id
    from seatrial.data.states import EXAMPLES, found, named
    from seatrial.errors import NotFound

    with workspace.metadata.begin() as transaction:
        if snapshot:
            return found(transaction, product.name, snapshot)
        if load is not None:
            return found(transaction, product.name, load_id(table, load))
        known = named(transaction, product.name, table)
    if known:
        return known[-1]
    choice = ", ".join((EXAMPLES, *product.file.sources))
    raise NotFound(f"nothing of {table} is stored yet; it may be one of {choice}. `seatrial data` reads them")


def _hidden(product: "Product", table: str) -> frozenset[str]:
    """The columns whose values are shown nowhere."""
    from seatrial.contract.masking import sensitive
    from seatrial.product.hidden import hidden_in_examples

    contract = product.contract.table(table)
    return sensitive(contract) if contract else hidden_in_examples(product)


def _contract_changes(workspace: "Workspace", product: "Product", meant: "Pair") -> "tuple[Change, ...]":
    """What changed in the contract between the two states; nothing where a contract is gone."""
    from seatrial.contract.diff import compare
    from seatrial.data.loads import loads_of
    from seatrial.data.states import contract_of

    with workspace.metadata.begin() as transaction:
        loads = loads_of(transaction, product.name)
    old, new = (contract_of(fact, loads, workspace.artifacts) for fact in (meant.old, meant.new))
    return () if old is None or new is None or old == new else tuple(compare(old, new))


def _export(workspace: "Workspace", product: "Product", file: Path) -> int:
    """Write the events; how many."""
    import msgspec

    from seatrial.data.openlineage import events
    from seatrial.data.profiles import stored_profile
    from seatrial.data.provenance import recorded
    from seatrial.facts.job import Job

    with workspace.metadata.begin() as transaction:
        facts = recorded(transaction, product.name)
        jobs = transaction.all(Job, product.name)
    stored = {load.profile: stored_profile(workspace.artifacts, load.profile) for load in facts.loads}
    profiles = {digest: found for digest, found in stored.items() if found is not None}
    lines = [msgspec.json.encode(event) for event in events(product, facts, profiles, jobs)]
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return len(lines)
