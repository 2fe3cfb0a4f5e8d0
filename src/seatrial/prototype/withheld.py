"""What intake does about suspected columns: they are no features until a person says that they may be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import polars as pl

from seatrial.contract.check import check_table
from seatrial.contract.model import Contract, TableContract
from seatrial.errors import DataRefused, ExpressionInvalid
from seatrial.product.expressions import compile_expression
from seatrial.prototype.draft import Draft, placed_anew
from seatrial.prototype.leaks import asking, find_leaks, refusal
from seatrial.prototype.repetition import repeated_rows
from seatrial.prototype.suspicion import Suspicion

# Whether a moment lies in the future is not asked here.
_WHENEVER = datetime(9000, 1, 1, tzinfo=UTC)
_NEEDED = ("key", "made_at", "outcome")


def suspicions(
    draft: Draft, contract: Contract, frames: Mapping[str, pl.DataFrame]
) -> tuple[tuple[Suspicion, ...], tuple[str, ...]]:
    """The suspicions against columns of the examples' source, less those that people vouched for.

    The second part tells, in words, why columns could not be searched at all; it is empty where they were. Only
    rows that keep the contract are looked at: what it puts aside reaches no model. Nothing is suspected, or told,
    while the columns of key, decision and outcome are not known, which is told as missing already.
    """
    examples = draft.examples
    table = contract.table(str(examples.get("from")))
    if table is None or any(field not in examples for field in _NEEDED):
        return (), ()
    if {examples["made_at"], examples["outcome"].get("label")} - {column.name for column in table.columns}:
        return (), ()
    if unfit := _unfit(draft, table):
        return (), (_unsearched("; ".join(unfit)),)
    try:
        frame = check_table(table, frames[table.name], contract_version="", at=_WHENEVER).kept
        found = _search(draft, table, frame)
    except (DataRefused, pl.exceptions.PolarsError) as error:
        return (), (_unsearched(str(error)),)
    return tuple(one for one in found if one.column not in examples.get("known_at_decision", ())), ()


def _search(draft: Draft, table: TableContract, frame: pl.DataFrame) -> tuple[Suspicion, ...]:
    examples = draft.examples
    known_at = examples.get("known_at")
    return find_leaks(
        frame,
        label=examples["outcome"]["label"],
        made_at=examples["made_at"],
        known_at=known_at if known_at in frame.columns else None,
        matured_at=_matured_at(draft, table),
        later=[name for name in examples["outcome"].get("also", ()) if name in frame.columns],
        key=examples["key"],
    )


def _unfit(draft: Draft, table: TableContract) -> list[str]:
    """Why the columns of times and outcome are none, in words."""
    examples = draft.examples
    types = {column.name: column.type for column in table.columns}
    found = [
        f"examples.{field} is {examples[field]}, which holds no moments but {types[examples[field]]}"
        for field in ("made_at", "known_at")
        if types.get(examples.get(field, ""), "timestamp") not in ("timestamp", "date")
    ]
    label = examples["outcome"]["label"]
    if types[label] not in ("bool", "int", "float"):
        found.append(f"examples.outcome.label is {label}, which is no yes or no but {types[label]}")
    return found


def _unsearched(why: str) -> str:
    return f"examples: columns that know the outcome could not be searched for, mend this and run init again: {why}"


def _matured_at(draft: Draft, table: TableContract) -> pl.Expr | None:
    text = draft.examples.get("matured_at")
    types = {column.name: column.type for column in table.columns}
    try:
        return compile_expression(str(text), types, "timestamp", name="matured_at").polars if text else None
    except ExpressionInvalid:
        # What is wrong with it is told when the written file is read back.
        return None


def withhold(draft: Draft, found: Sequence[Suspicion], frames: Mapping[str, pl.DataFrame]) -> Draft:
    """The draft without the suspected features; whatever is refused is declared as known only later.

    So no request has to bring it, even where the model does not read it. What an expression or a lookup reads at
    the decision stays where it is, and is told as missing.
    """
    if not found:
        return draft
    examples, model = draft.examples, dict(draft.sections["model"])
    read = draft.mentions()
    asked = [one for one in found if not draft.features or one.column in {*draft.features, *read}]
    later = [one.column for one in found if one.verdict == "refused" and one.column not in read]
    outcome = dict(examples["outcome"])
    if later:
        examples["outcome"] = {**outcome, "also": [*outcome.get("also", ()), *later]}
    if draft.features:
        suspected = {one.column for one in found}
        model["features"] = [name for name in draft.features if name not in suspected]
    sections = {**draft.sections, "examples": examples, "model": model}
    placed = replace(draft, sections=sections)
    told = [_told(one, is_read=one.column in read) for one in asked]
    return replace(placed, missing=(*placed_anew(placed, frames), *told))


def _told(one: Suspicion, *, is_read: bool) -> str:
    if one.verdict == "ask":
        return asking(one)
    if is_read:
        return (
            f"examples: {one}. An expression or a lookup reads it at the decision: put such rows aside by a rule of "
            f"the contract, read another column, or say examples.known_at_decision: [{one.column}]"
        )
    return refusal(one)


def mark(contract: Contract, source: str, found: Sequence[Suspicion]) -> Contract:
    """The contract with the evidence at the suspected columns, none of which is a feature."""
    by_name = {one.column: one for one in found}
    tables = [
        _marked(table, by_name) if table.name == source and by_name else table for table in contract.tables
    ]
    return msgspec.structs.replace(contract, tables=tuple(tables))


def _marked(table: TableContract, found: Mapping[str, Suspicion]) -> TableContract:
    columns = []
    for column in table.columns:
        one = found.get(column.name)
        if one is None:
            columns.append(column)
            continue
        role = "other" if column.role == "feature" else column.role
        evidence = "; ".join(part for part in (column.evidence, f"suspected: {one}") if part)
        columns.append(msgspec.structs.replace(column, role=role, evidence=evidence))
    return msgspec.structs.replace(table, columns=tuple(columns))


def notes(
    draft: Draft, frames: Mapping[str, pl.DataFrame], found: Sequence[Suspicion]
) -> dict[str, list[str]]:
    """Comments by section of the product file: every suspected column with its evidence, and repeated rows."""
    examples = draft.examples
    frame = frames.get(str(examples.get("from")))
    heading = "No features, because the data look as if they were written after the decision:"
    lines = [heading, *(f"- {one}" for one in found)] if found else []
    if frame is not None and "key" in examples:
        repeated = repeated_rows(frame, key=examples["key"])
        lines += [repeated] if repeated else []
    return {"examples": lines}
