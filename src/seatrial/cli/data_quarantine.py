"""`seatrial data quarantine`: rows that were put aside, looked at, exported, corrected by rule and taken in again."""

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from seatrial.cycle.quarantine import Replayed
    from seatrial.facts.quarantine import Correction

_SHOWN = 72
_source = click.option("--source", help="Only rows of this source.")
_rule = click.option("--rule", help="Only rows that broke this rule.")


def _filters(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that choose rows, as keywords of `open_rows`."""
    options = (
        _source,
        _rule,
        click.option(
            "--since",
            type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
            help="Only rows put aside since then (UTC).",
        ),
        click.option("--load", type=int, help="Only rows that this load of their source brought."),
        click.option(
            "--text", help="Only rows that hold this text, as they are shown: masked values hold none."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(
    "quarantine", short_help="Rows that are put aside: listed, mended, taken in.", invoke_without_command=True
)
@_filters
@click.option("--limit", default=20, show_default=True, help="Rows to show, the newest first.")
@command_options
def quarantine(app: App, limit: int, **wanted: Any) -> None:
    """Show the rows that are put aside: how many broke which rule, then the newest, masked by classification."""
    from seatrial.contract.masking import masked_quarantine
    from seatrial.data.quarantine import counts

    rows = _open(app, wanted)
    newest = masked_quarantine(app.product().contract, rows.tail(limit).reverse())
    by_rule = counts(rows)
    data = {"open": rows.height, "rules": by_rule.to_dicts(), "rows": newest.to_dicts()}
    app.show(data, lambda: _listed(by_rule, newest))


@quarantine.command("export", short_help="Write the rows that are put aside to a file.")
@_filters
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write: .csv, .parquet or .jsonl.",
)
@click.option("--unmasked", is_flag=True, help="Write classified values too; the logbook keeps who did.")
@command_options
def export(app: App, out: Path, unmasked: bool, **wanted: Any) -> None:
    """Write the rows that are put aside to a file, one per broken rule."""
    from seatrial.contract.masking import masked_quarantine

    product, rows = app.product(), _open(app, wanted, unmasked=unmasked)
    write = frame_writer(out)
    if unmasked:
        _log_export(app, product.name, out, rows.height)
    write(rows if unmasked else masked_quarantine(product.contract, rows))
    data = {"file": str(out), "rows": rows.height, "masked": not unmasked}
    app.show(data, lambda: f"{rows.height:,} rows written to {out}{'' if unmasked else ', masked'}")


@quarantine.command("correct", short_help="Mend rows that break a rule, from now on.")
@click.option("--source", required=True, help="The source whose rows are mended.")
@click.option("--rule", required=True, help="The rule that they break.")
@click.option(
    "--set",
    "settings",
    required=True,
    multiple=True,
    metavar="COLUMN=SQL",
    help="What a column becomes, as an SQL expression over the row as delivered. May be given several times.",
)
@click.option("--where", default="", metavar="SQL", help="Only rows for which this is true.")
@click.option("--why", required=True, help="Why this is right; it is kept in the logbook.")
@click.option("--yes", is_flag=True, help="Record it: it is applied to every delivery from now on.")
@command_options
def correct(app: App, settings: tuple[str, ...], yes: bool, **given: str) -> None:
    """Mend rows that break a rule: show what a correction would do, and with --yes declare it."""
    from seatrial.cycle.quarantine import declare, drafted, planned

    product, workspace = app.product(), app.workspace()
    draft = drafted(product, workspace, values=_assigned(settings), by=getpass.getuser(), **given)
    plan = planned(product, workspace, draft.source, rule=draft.rule, trying=[draft], latest=_latest())
    mended = plan.corrected.get(draft.id, 0)
    still = plan.still["id"].n_unique()
    if yes:
        declare(workspace, draft)
    data = {"correction": draft, "recorded": yes, "mends": mended, "still_broken": still}
    app.show(data, lambda: _drafted_text(draft, mended, still, recorded=yes))


@quarantine.command("corrections", short_help="List corrections, or withdraw one.")
@click.option("--withdraw", "withdrawn", metavar="ID", help="Apply this one no more.")
@command_options
def corrections(app: App, withdrawn: str | None) -> None:
    """List the corrections that are applied to every delivery, or withdraw one."""
    from seatrial.cycle.quarantine import withdraw
    from seatrial.facts.quarantine import Correction

    product, workspace = app.product(), app.workspace()
    if withdrawn is not None:
        withdraw(workspace, product.name, withdrawn, actor=getpass.getuser())
    with workspace.metadata.begin() as transaction:
        known = transaction.all(Correction, product.name)
    app.show(known, lambda: _corrections_text(known))


@quarantine.command("replay", short_help="Check the rows again; take in those that pass.")
@_source
@_rule
@click.option("--dry-run", is_flag=True, help="Only show what would pass and what not.")
@command_options
def replay(app: App, source: str | None, rule: str | None, dry_run: bool) -> None:
    """Check the rows that are put aside again, under today's contract and corrections; take in those that pass."""
    from seatrial.cycle.quarantine import check_names, sources_aside, would_replay
    from seatrial.cycle.quarantine import replay as replay_rows

    product, workspace, latest = app.product(), app.workspace(), _latest()
    check_names(product, workspace, source=source, rule=rule)
    found = [
        would_replay(product, workspace, name, rule=rule, latest=latest)
        if dry_run
        else replay_rows(product, workspace, name, rule=rule, actor=getpass.getuser(), latest=latest)
        for name in sources_aside(product, workspace, source)
    ]
    app.show(found, lambda: _replayed_text(found, dry_run=dry_run))


def _latest() -> "datetime":
    """The time that no decision or outcome may lie much after: the machine's own, as for `seatrial data`."""
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _open(app: App, wanted: dict[str, Any], *, unmasked: bool = False) -> "pl.DataFrame":
    """The rows that are asked for. Text is looked for in what is shown: else a search would confirm a guess."""
    from datetime import UTC

    import polars as pl

    from seatrial.contract.masking import masked_quarantine
    from seatrial.cycle.quarantine import check_names
    from seatrial.data.quarantine import open_rows

    product, workspace, text = app.product(), app.workspace(), wanted.pop("text")
    check_names(product, workspace, source=wanted["source"], rule=wanted["rule"])
    since = wanted.pop("since")
    rows = open_rows(
        workspace.tables, product.name, since=since.replace(tzinfo=UTC) if since else None, **wanted
    )
    if text is None:
        return rows
    shown = rows if unmasked else masked_quarantine(product.contract, rows)
    return rows.filter(shown.select(pl.col("row").str.contains(text, literal=True)).to_series())


def _assigned(settings: tuple[str, ...]) -> dict[str, str]:
    """Column to expression. Raises click.BadParameter for what is no assignment, or a column given twice."""
    values: dict[str, str] = {}
    for setting in settings:
        column, sign, expression = (part.strip() for part in setting.partition("="))
        if not (column and sign and expression):
            raise click.BadParameter(f"expected COLUMN=SQL, got {setting!r}", param_hint="--set")
        if column in values:
            raise click.BadParameter(f"{column} is set twice", param_hint="--set")
        values[column] = expression
    return values


def frame_writer(out: Path) -> Any:
    """What writes a frame to the file. Raises click.BadParameter for a kind of file that is not known."""
    writers = {".csv": "write_csv", ".parquet": "write_parquet", ".jsonl": "write_ndjson"}
    if out.suffix not in writers:
        raise click.BadParameter(f"expected a name that ends in {', '.join(writers)}", param_hint="--out")
    return lambda frame: getattr(frame, writers[out.suffix])(out)


def _log_export(app: App, product: str, out: Path, rows: int) -> None:
    """Before the file is written: who sees classified values is known even when the writing fails."""
    with app.workspace().metadata.begin() as transaction:
        transaction.log(
            product=product,
            kind="quarantine exported",
            subject=out.name,
            body={"rows": rows, "masked": False},
            actor=getpass.getuser(),
        )


def _listed(by_rule: "pl.DataFrame", newest: "pl.DataFrame") -> str:
    from seatrial.cli.words import table

    if by_rule.is_empty():
        return "no row is put aside"
    headers = ("source", "rule", "rows", "since", "latest")
    rules = [
        (source, rule, f"{rows:,}", f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}")
        for source, rule, rows, first, last in by_rule.iter_rows()
    ]
    columns = ("source", "load", "line", "rule", "expected", "received", "row")
    rows = [[_cut(value) for value in row] for row in newest.select(columns).fill_null("").iter_rows()]
    return f"{table(headers, rules)}\n\n{table(columns, rows)}"


def _cut(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _drafted_text(draft: "Correction", mended: int, still: int, *, recorded: bool) -> str:
    rows = f"{mended:,} open row{'s' if mended != 1 else ''} would pass, {still:,} would not"
    if not recorded:
        return f"{_correction_text(draft)}\n{rows}; --yes records it"
    next_step = f"`seatrial data quarantine replay --source {draft.source}` takes them in"
    return f"{draft.id} recorded: {_correction_text(draft)}\n{rows}; {next_step}"


def _correction_text(correction: "Correction") -> str:
    changes = ", ".join(f"{name} = {text}" for name, text in correction.set.items())
    where = f" where {correction.where}" if correction.where else ""
    return f"{correction.source}, {correction.rule}: {changes}{where}"


def _corrections_text(known: "list[Correction]") -> str:
    from seatrial.cli.words import table

    if not known:
        return "no correction was declared"
    rows = [
        (
            one.id,
            _correction_text(one),
            one.why,
            one.by,
            f"{one.at:%Y-%m-%d}",
            "withdrawn" if one.withdrawn else "",
        )
        for one in known
    ]
    return table(("id", "correction", "why", "by", "at", ""), rows)


def _replayed_text(found: "list[Replayed]", *, dry_run: bool) -> str:
    from seatrial.cli.words import bullets

    if not found:
        return "no row is put aside"
    parts = []
    for one in found:
        taken = f"{one.rows:,} would be taken in" if dry_run else f"{one.rows:,} taken in"
        by = f" by load {one.load}" if one.load else ""
        replaced = f", {one.replaced:,} replaced by later deliveries" if one.replaced else ""
        replaced += f", {one.stored:,} stored already" if one.stored else ""
        lines = [f"{name} let {rows:,} through" for name, rows in one.corrected.items()]
        lines += [f"{rule} is still broken: {rows:,}" for rule, rows in one.still.items()]
        parts.append("\n".join([f"{one.source}: {taken}{by}{replaced}", *filter(None, [bullets(lines)])]))
    return "\n".join(parts)
