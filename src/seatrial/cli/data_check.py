"""`seatrial check --file`: one file, of any size, against one table of a contract."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App

if TYPE_CHECKING:
    import polars as pl

    from seatrial.contract.model import Contract, TableContract
    from seatrial.data.streamed import Streamed
    from seatrial.product.schema import Source

_ROWS_SHOWN = 20
_SHOWN = 72


@dataclass(frozen=True)
class FileAsked:
    """What `check` is asked about a file; `table` and `contract` may be left out where there is one choice."""

    file: str
    table: str | None
    contract: Path | None
    profile: bool
    out: Path | None


def check_file(app: App, asked: FileAsked) -> None:
    """Show the file's failing rows and verdict. Ends with status 1 when it would be refused."""
    from datetime import UTC, datetime

    from seatrial.cli.data_quarantine import frame_writer
    from seatrial.contract.masking import masked_quarantine
    from seatrial.data.streamed import check_streamed
    from seatrial.wiring import scannable_files

    write = frame_writer(asked.out) if asked.out else None
    contract, source = _contract_and_source(app, asked)
    table = _table(contract, asked.table)
    app.say(f"reading {asked.file} …")
    with scannable_files(table.name, source, app.folder) as files:
        app.say(f"checking {len(files.places)} file{'s' if len(files.places) > 1 else ''} …")
        at = datetime.now(UTC)
        found = check_streamed(contract, table, files.rows, files.unreadable, at=at, profile=asked.profile)
    first = masked_quarantine(contract, found.quarantined.head(_ROWS_SHOWN))
    if write:
        app.say(f"writing {found.quarantined.height:,} lines to {asked.out} …")
        write(masked_quarantine(contract, found.quarantined))
    app.show(_data(asked, contract, table, found, first), lambda: _text(asked, contract, table, found, first))
    if found.refused:
        sys.exit(1)


def _contract_and_source(app: App, asked: FileAsked) -> "tuple[Contract, Source]":
    """The contract, and how the file is read: as the product's source of that name, if it reads files."""
    from seatrial.contract.odcs import read_contract
    from seatrial.product.schema import Source

    path = asked.file if "://" in asked.file else str(Path(asked.file).absolute())
    if asked.contract is not None:
        return read_contract(asked.contract.read_text(), name=asked.contract.name), Source(path=path)
    product = app.product()
    declared = product.file.sources.get(asked.table or "")
    if declared is None or declared.kind != "path":
        return product.contract, Source(path=path)
    return product.contract, declared.model_copy(update={"path": path, "format": None})


def _table(contract: "Contract", name: str | None) -> "TableContract":
    names = [table.name for table in contract.tables]
    table = contract.tables[0] if name is None and len(names) == 1 else contract.table(name or "")
    if table is None:
        raise click.BadParameter(
            f"expected a table of the contract ({', '.join(names)}), received {name or 'none'}",
            param_hint="--table",
        )
    return table


def _data(
    asked: FileAsked, contract: "Contract", table: "TableContract", found: "Streamed", first: "pl.DataFrame"
) -> dict[str, Any]:
    return {
        "file": asked.file,
        "table": table.name,
        "contract": contract.id,
        "contract_version": contract.version,
        "rows": found.rows,
        "rejected": found.rejected,
        "accepted": not found.refused,
        "refused": found.refused,
        "rules": found.results,
        "not_looked_up": found.not_looked_up,
        "failing": first.to_dicts(),
        "written": str(asked.out) if asked.out else None,
        "profile": _summaries(table, found) if found.profile else None,
    }


def _summaries(table: "TableContract", found: "Streamed") -> Any:
    from seatrial.contract.masking import sensitive
    from seatrial.data.profiles import summaries

    assert found.profile is not None  # asked for
    return summaries(found.profile, sensitive(table))


def _text(
    asked: FileAsked, contract: "Contract", table: "TableContract", found: "Streamed", first: "pl.DataFrame"
) -> str:
    from seatrial.cli.looks import profile_text
    from seatrial.cli.words import bullets

    against = f"{table.name} of {contract.id} {contract.version}, {len(found.results)} rules"
    head = f"{asked.file}: {found.rows:,} rows against {against}: {found.rejected:,} rows break the contract"
    parts = [head, _broken(found), _listed(found, first)]
    if asked.out:
        parts.append(f"all of them, masked: {asked.out}")
    if found.profile is not None:
        parts.append(profile_text(table.name, "", found.rows, _summaries(table, found)))
    if found.not_looked_up:
        parts.append(f"not looked up, as the other table is not read\n{bullets(found.not_looked_up)}")
    parts.append(f"refused\n{bullets(found.refused)}" if found.refused else "the file would be taken in")
    return "\n\n".join(part for part in parts if part)


def _broken(found: "Streamed") -> str:
    from seatrial.cli.words import table

    rows = [
        (
            one.rule,
            one.detail or f"{one.failed:,}",
            "" if one.detail else _share(one.failed, one.rows),
            one.severity,
        )
        for one in found.results
        if one.failed
    ]
    return table(("rule broken", "rows", "share", "severity"), rows) if rows else ""


def _share(failed: int, rows: int) -> str:
    return f"{failed / rows:.2%}" if rows else ""


def _listed(found: "Streamed", first: "pl.DataFrame") -> str:
    from seatrial.cli.words import table

    if first.is_empty():
        return ""
    columns = ("line", "rule", "expected", "received", "row")
    rows = [[_cut(value) for value in row] for row in first.select(columns).fill_null("").iter_rows()]
    more = found.quarantined.height - first.height
    rest = f"\n… and {more:,} more; --out FILE writes all" if more else ""
    return f"{table(columns, rows)}{rest}"


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
