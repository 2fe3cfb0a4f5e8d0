"""`seatrial contract`: what the contract says, a first one from data, and what a new version changes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    import polars as pl

    from seatrial.contract.diff import Change
    from seatrial.contract.model import ColumnContract, Contract, SetRule, TableContract

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(invoke_without_command=True)
@command_options
def contract(app: App) -> None:
    """Show the contract of the product, in words."""
    found = app.product().contract
    app.show(found, lambda: contract_text(found))


@contract.command("show")
@click.argument("file", type=_FILE, required=False)
@command_options
def show(app: App, file: Path | None) -> None:
    """Show a contract in words: the rules of each column, and what is kept and not enforced."""
    found = _read(file) if file else app.product().contract
    app.show(found, lambda: contract_text(found))


@contract.command("infer")
@click.option(
    "--data", "files", type=_FILE, multiple=True, help="A data file; without, the product's sources."
)
@click.option("--name", default=None, help="The contract's id (default: the folder's name).")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="File to write.")
@click.option("--force", is_flag=True, help="Replace the file.")
@command_options
def infer(app: App, *, files: tuple[Path, ...], name: str | None, out: Path | None, force: bool) -> None:
    """Propose a contract from data, with the evidence for every rule; people decide what is impossible."""
    from seatrial.contract.infer import infer_contract
    from seatrial.contract.odcs import write_contract
    from seatrial.errors import Conflict

    if out is not None and out.exists() and not force:
        raise Conflict(f"{out} is there already; --force replaces it")
    app.say("reading the data …")
    proposed = infer_contract(name or app.folder.name, _frames(app, files))
    text = write_contract(proposed)
    if out is not None:
        out.write_text(text)
    written = None if out is None else str(out)
    app.show(
        {"contract": proposed, "written": written},
        lambda: text if out is None else f"wrote {out}\n{contract_text(proposed)}",
    )


@contract.command("diff")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@command_options
def diff(app: App, old: Path, new: Path) -> None:
    """Show what a new version changes, and for whom it matters.

    Ends with status 1 when there are breaking changes and the major version did not rise.
    """
    from seatrial.contract.diff import compare, needed_version, refuse_breaking
    from seatrial.errors import ContractInvalid

    before, after = _read(old), _read(new)
    changes, needed = compare(before, after), needed_version(before, after)
    refused = None
    try:
        refuse_breaking(before, after)
    except ContractInvalid as error:
        refused = error.problems[-1]
    found = {
        "old": before.version,
        "new": after.version,
        "needed": needed,
        "refused": refused,
        "changes": changes,
    }
    app.show(found, lambda: _diff_text(changes, before.version, after.version, needed, refused))
    if refused:
        sys.exit(1)


def _read(file: Path) -> "Contract":
    from seatrial.contract.odcs import read_contract

    return read_contract(file.read_text(), name=file.name)


def _frames(app: App, files: tuple[Path, ...]) -> "dict[str, pl.DataFrame]":
    from seatrial.data.reading import read_whole
    from seatrial.product.schema import Source
    from seatrial.prototype.intake import source_name
    from seatrial.wiring import source_reader

    sources = {source_name(file.name): Source(path=str(file.resolve())) for file in files}
    sources = sources or dict(app.product().file.sources)
    return {name: read_whole(source_reader(), name, source, app.folder) for name, source in sources.items()}


def contract_text(contract: "Contract") -> str:
    """A contract in words."""
    from seatrial.cli.words import bullets

    parts = [f"contract {contract.id} {contract.version} ({contract.status})"]
    parts += [contract.description] if contract.description else []
    parts += [_table_text(table) for table in contract.tables]
    if contract.not_enforced:
        parts.append(f"kept, but not enforced here\n{bullets(contract.not_enforced)}")
    return "\n\n".join(parts)


def _table_text(table: "TableContract") -> str:
    from seatrial.cli.words import bullets
    from seatrial.cli.words import table as aligned

    headers = ("column", "for", "must hold", "else")
    columns = [(one.name, one.role, ", ".join(_column_words(one)), _otherwise(one)) for one in table.columns]
    head = f"{table.name}: {table.description}" if table.description else table.name
    return f"{head}\n{aligned(headers, columns)}\n{bullets(_table_words(table))}"


def _column_words(column: "ColumnContract") -> Iterator[str]:
    from seatrial.contract.wording import TYPE_WORDS, range_words

    yield "a whole number" if column.type == "int" else TYPE_WORDS[column.type]
    yield from range_words(column).values()
    if column.required:
        yield "never missing"
    if column.unique:
        yield "never twice"
    if column.stages:
        yield f"there when {', '.join(column.stages)}"
    if column.drift_budget is not None:
        yield f"within {column.drift_budget:g} of the rows before"
    if column.classification:
        yield f"classified {column.classification}"


def _otherwise(column: "ColumnContract") -> str:
    told = "warning" if column.severity == "warning" else "row put aside"
    stops = [f"table refused above {share:.1%} {rule}" for rule, share in column.stop_above]
    return ", ".join([told, *stops])


def _table_words(table: "TableContract") -> Iterator[str]:
    rows = "sound row" if table.minimum_rows == 1 else "sound rows"
    yield f"at least {table.minimum_rows:,} {rows}; refused when more than {table.stop_above:.1%} break a rule"
    if table.primary_key:
        yield f"a row is known by {', '.join(table.primary_key)}"
    for group in table.unique:
        yield f"{', '.join(group)} never twice together"
    for key in table.foreign_keys:
        yield f"{', '.join(key.columns)} found in {key.table} ({', '.join(key.to)}), else {_told(key.severity)}"
    for rule in table.row_rules:
        yield f"{rule.name}: {rule.expression}, else {_told(rule.severity)}"
    for one in table.set_rules:
        yield _set_rule_words(one)
    for age in table.freshness:
        yield f"{age.column} at most {_age(age.seconds)} old, else {_told(age.severity, 'refused')}"


def _set_rule_words(rule: "SetRule") -> str:
    what = f"`{rule.query}`" if rule.metric == "sql" else rule.metric
    about = f" of {', '.join(rule.columns)}" if rule.columns else ""
    operands = " and ".join(f"{one:g}" for one in rule.operands)
    unit = " %" if rule.unit == "percent" else ""
    return (
        f"{rule.name}: {what}{about} {rule.operator} {operands}{unit}, else {_told(rule.severity, 'refused')}"
    )


def _told(severity: str, error: str = "put aside") -> str:
    return error if severity == "error" else "a warning"


def _age(seconds: float) -> str:
    units = ((86400, "days"), (3600, "hours"), (60, "minutes"))
    size, unit = next(((size, unit) for size, unit in units if seconds >= size), (1, "seconds"))
    return f"{seconds / size:g} {unit}"


def _diff_text(changes: "tuple[Change, ...]", old: str, new: str, needed: str, refused: str | None) -> str:
    from seatrial.cli.words import table

    if not changes:
        return f"{old} → {new}: they ask the same of the data"
    rows: list[tuple[Any, ...]] = [(one.kind, one.place, one.what, one.why) for one in changes]
    told = f"refused: {refused}" if refused else f"{old} should become {needed} at least, and is {new}"
    return f"{table(('kind', 'where', 'what', 'why it matters'), rows)}\n\n{told}"
