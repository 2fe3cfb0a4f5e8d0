"""`seatrial check` and `seatrial data`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options
from seatrial.cli.data_check import FileAsked, check_file
from seatrial.cli.data_erase import erase
from seatrial.cli.data_looks import diff, lineage, profile, report
from seatrial.cli.data_quarantine import quarantine
from seatrial.cli.data_skew import skew
from seatrial.cli.data_why import why

if TYPE_CHECKING:
    from seatrial.facts.load import Load
    from seatrial.facts.snapshot import RuleResult, Snapshot, SourceRead
    from seatrial.product.product import Product

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--data", "with_data", is_flag=True, help="Also read every source and check it in one scan.")
@click.option(
    "--file", help="Check this file (path, glob or URL; of any size) instead: one scan, nothing stored."
)
@click.option(
    "--table", help="The table of the contract that the file holds; may be left out if there is one."
)
@click.option("--contract", type=_FILE, help="A contract file for --file, instead of the product's.")
@click.option("--profile", is_flag=True, help="Also show how the file's values are distributed.")
@click.option("--out", type=_OUT, help="Write all failing rows of --file: .csv, .parquet or .jsonl.")
@command_options
def check(app: App, with_data: bool, file: str | None, **about_file: Any) -> None:
    """Check the product file and contract; every problem is listed with its line.

    With --file, check a file against one table of the contract; ends with status 1 when it would be refused.
    """
    if file is not None:
        check_file(app, FileAsked(file, **about_file))
        return
    if given := [f"--{name}" for name, value in about_file.items() if value]:
        raise click.UsageError(f"{', '.join(given)} needs --file")
    from seatrial.cli.retained import overdue_now

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
        "not_enforced": list(product.contract.not_enforced),
        "overdue": overdue_now(app, product),
    }
    if with_data:
        app.say("reading the sources …")
        found |= _sources_checked(app, product)
        app.show(found, lambda: _checked(found) + "\n\n" + sources_text(found["sources"], found["rules"]))
        return
    app.show(found, lambda: _checked(found))


def _sources_checked(app: App, product: "Product") -> dict[str, Any]:
    """Every source read whole and checked, nothing stored; refused too when a feature leaks the outcome."""
    from datetime import UTC, datetime

    from seatrial.data.read import read_sources
    from seatrial.errors import DataRefused
    from seatrial.prototype.leaks import asked_features, refused_features
    from seatrial.wiring import source_reader, workspace_clock

    now = workspace_clock(app.settings()).now()
    tables = read_sources(product, source_reader(), at=now, latest=datetime.now(UTC)).tables
    rows = tables.frames[product.file.examples.source]
    if leaks := refused_features(product, rows):
        listed = "\n".join(f"  - {leak}" for leak in leaks)
        raise DataRefused(f"{product.name}: features that are known only later\n{listed}")
    return {
        "sources": tables.reads,
        "rules": tables.rules,
        "questions": asked_features(product, rows),
    }


def _checked(found: dict[str, Any]) -> str:
    from seatrial.cli.retained import overdue_text

    missing = f"; missing before a release: {', '.join(found['missing'])}" if found["missing"] else ""
    head = f"{found['product']}: product file and contract hold; {len(found['features'])} features{missing}"
    loose = [f"  not enforced here: {rule}" for rule in found["not_enforced"]]
    loose += [f"  a person must say: {question}" for question in found.get("questions", ())]
    loose += [f"  {told}"] if (told := overdue_text(found["product"], found["overdue"])) else []
    return "\n".join([head, *loose])


@click.group(invoke_without_command=True)
@command_options
def data(app: App) -> None:
    """Read what the sources newly deliver, check, quarantine, join as known, write a snapshot."""
    from seatrial.cli.data_landed import known, landed_data, landed_text
    from seatrial.cycle.retrain import Workshop
    from seatrial.cycle.stages import make_snapshot
    from seatrial.wiring import training_tools

    product, workspace = app.product(), app.workspace()
    before = known(workspace, product.name)
    app.say("reading the sources …")
    snapshot = make_snapshot(Workshop(product, workspace, training_tools(workspace, app.say)))
    loads, new = before.since(workspace), snapshot.id not in before.snapshots
    app.show(
        landed_data(snapshot, loads, new=new),
        lambda: landed_text(snapshot, loads, new=new, told=snapshot_text(snapshot)),
    )


@data.command("show", short_help="The newest snapshot and the last loads of each source.")
@click.option("--loads", default=5, show_default=True, help="Loads to show per source, the newest first.")
@command_options
def show(app: App, loads: int) -> None:
    """Show the newest snapshot, what is stored of each source, and its last loads."""
    from seatrial.cycle.stages import newest
    from seatrial.data.loads import loads_of
    from seatrial.facts.snapshot import Snapshot

    product, workspace = app.product().name, app.workspace()
    snapshot = newest(workspace, Snapshot, product)
    with workspace.metadata.begin() as transaction:
        made = loads_of(transaction, product)
    latest = {
        source.name: _newest([one for one in made if one.source == source.name], loads)
        for source in snapshot.sources
    }
    found = {"snapshot": snapshot, "loads": latest}
    app.show(found, lambda: snapshot_text(snapshot) + "\n\n" + _loads_text(latest))


def _newest(loads: "list[Load]", count: int) -> "list[Load]":
    return loads[::-1][:count]


def _loads_text(latest: "dict[str, list[Load]]") -> str:
    from seatrial.cli.data_landed import load_counts
    from seatrial.cli.words import table

    made = [load for loads in latest.values() for load in loads]
    suppressed = any(load.suppressed for load in made)
    more = ("suppressed",) if suppressed else ()
    headers = ("load", "read at", "read", "added", "removed", "put aside", *more, "contract", "from")
    rows = [
        (
            load.id,
            f"{load.read_at:%Y-%m-%d %H:%M}",
            *load_counts(load),
            *((f"{load.suppressed:,}",) if suppressed else ()),
            load.contract_version,
            load.origin[:60],
        )
        for load in made
    ]
    return table(headers, rows)


for _command in (quarantine, why, profile, diff, lineage, report, erase, skew):
    data.add_command(_command)


def snapshot_text(snapshot: "Snapshot") -> str:
    """A snapshot in words."""
    erased = f"; {snapshot.erased:,} were erased since" if snapshot.erased else ""
    head = (
        f"snapshot {snapshot.id}\n"
        f"{snapshot.rows:,} examples, decided {snapshot.first_made_at:%Y-%m-%d} to "
        f"{snapshot.last_made_at:%Y-%m-%d}{erased}"
    )
    return head + "\n\n" + sources_text(snapshot.sources, snapshot.rules)


def sources_text(reads: "tuple[SourceRead, ...]", rules: "tuple[RuleResult, ...]") -> str:
    """Sources and broken rules in words."""
    from seatrial.cli.words import short, table

    sources = table(
        ("source", "rows", "kept", "digest", "load"),
        [(read.name, f"{read.rows:,}", f"{read.kept:,}", short(read.digest), read.load) for read in reads],
    )
    broken = [
        (rule.source, rule.rule, rule.detail or f"{rule.failed:,}", rule.severity)
        for rule in rules
        if rule.failed
    ]
    told = (
        table(("source", "rule broken", "rows", "severity"), broken)
        if broken
        else "every row keeps every rule"
    )
    return f"{sources}\n\n{len(rules)} rules checked\n{told}"
