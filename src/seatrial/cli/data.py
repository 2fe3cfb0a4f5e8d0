"""`seatrial check` and `seatrial data`."""

from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.facts.snapshot import RuleResult, Snapshot, SourceRead


@click.command()
@click.option("--data", "with_data", is_flag=True, help="Also read every source and check it in one scan.")
@command_options
def check(app: App, with_data: bool) -> None:
    """Check the product file and contract; every problem is listed with its line."""
    product = app.product()
    found: dict[str, Any] = {
        "product": product.name,
        "digest": product.digest,
        "features": [feature.name for feature in product.features],
        "missing": [
            name
            for name, there in (("owner", product.owner), ("objective", product.compiled_objective))
            if there is None
        ],
    }
    if with_data:
        from seatrial.data.read import read_sources
        from seatrial.wiring import source_reader, workspace_clock

        app.say("reading the sources …")
        tables = read_sources(product, source_reader(), at=workspace_clock(app.settings()).now())
        found |= {"sources": tables.reads, "rules": tables.rules}
        app.show(found, lambda: _checked(found) + "\n\n" + sources_text(tables.reads, tables.rules))
        return
    app.show(found, lambda: _checked(found))


def _checked(found: dict[str, Any]) -> str:
    missing = f"; missing before a release: {', '.join(found['missing'])}" if found["missing"] else ""
    return f"{found['product']}: product file and contract hold; {len(found['features'])} features{missing}"


@click.group(invoke_without_command=True)
@command_options
def data(app: App) -> None:
    """Read the sources, check the contract, quarantine, join as known, write a snapshot."""
    from seatrial.cycle.retrain import Workshop
    from seatrial.cycle.stages import make_snapshot
    from seatrial.wiring import training_tools

    product, workspace = app.product(), app.workspace()
    app.say("reading the sources …")
    snapshot = make_snapshot(Workshop(product, workspace, training_tools(workspace)))
    app.show(snapshot, lambda: snapshot_text(snapshot))


@data.command("show")
@command_options
def show(app: App) -> None:
    """Show the newest snapshot and its lineage."""
    from seatrial.cycle.stages import newest
    from seatrial.facts.snapshot import Snapshot

    snapshot = newest(app.workspace(), Snapshot, app.product().name)
    app.show(snapshot, lambda: snapshot_text(snapshot))


@data.command("quarantine")
@click.option("--limit", default=20, show_default=True, help="Rows to show.")
@command_options
def quarantine(app: App, limit: int) -> None:
    """Show rows that were put aside, with the rule and the reason."""
    from seatrial.cli.words import table
    from seatrial.facts.tables import table_name

    rows = app.workspace().tables.read(table_name(app.product().name, "quarantine")).tail(limit).to_dicts()
    headers = ("source", "rule", "reason", "row")
    app.show(rows, lambda: table(headers, [[str(row[name])[:80] for name in headers] for row in rows]))


def snapshot_text(snapshot: "Snapshot") -> str:
    """A snapshot in words."""
    head = (
        f"snapshot {snapshot.id}\n"
        f"{snapshot.rows:,} examples, decided {snapshot.first_made_at:%Y-%m-%d} to {snapshot.last_made_at:%Y-%m-%d}"
    )
    return head + "\n\n" + sources_text(snapshot.sources, snapshot.rules)


def sources_text(reads: "tuple[SourceRead, ...]", rules: "tuple[RuleResult, ...]") -> str:
    """Sources and broken rules in words."""
    from seatrial.cli.words import short, table

    sources = table(
        ("source", "rows", "kept", "digest"),
        [(read.name, f"{read.rows:,}", f"{read.kept:,}", short(read.digest)) for read in reads],
    )
    broken = [(rule.source, rule.rule, f"{rule.failed:,}", rule.severity) for rule in rules if rule.failed]
    told = (
        table(("source", "rule broken", "rows", "severity"), broken)
        if broken
        else "every row keeps every rule"
    )
    return f"{sources}\n\n{len(rules)} rules checked\n{told}"
