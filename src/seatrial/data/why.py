"""Why a row is, or is not, in the training data: the answer, with what proves it."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import polars as pl

from seatrial.contract.masking import masked_received
from seatrial.data.changes import standing
from seatrial.data.endings import Told, endings
from seatrial.data.erasure import commitment_of, texts
from seatrial.data.examples import KNOWN_AT, build_examples
from seatrial.data.generations import generations, loads_by_key, of_keys, removed_by_key
from seatrial.data.loads import last_load, loads_of
from seatrial.data.quarantine import ever_aside, open_rows
from seatrial.data.read import stored_tables
from seatrial.data.retention import kept_from
from seatrial.data.states import state_of
from seatrial.errors import NotFound
from seatrial.facts.erasure import Erasure
from seatrial.facts.load import Load
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.workspace import Workspace
from seatrial.product.product import MATURED_AT, Product

Reason = Literal[
    "in the snapshot",
    "erased",
    "put aside",
    "removed",
    "no outcome yet",
    "outcome known later",
    "not matured",
    "delivered later",
    "not taken in yet",
    "never delivered",
    "not known",
]


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that a delivered row with the key broke; `received` is masked by classification.

    `settled` tells when, how and by what it ceased to be open; "" while it is.
    """

    rule: str
    expected: str
    received: str
    load: str
    line: int | None
    at: datetime
    contract_version: str
    open: bool
    settled: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Why the example with `key` is or is not in `snapshot`, in one word and in words.

    `aside` lists the deliveries of it that were put aside, the newest first; `use` tells what a model made of it
    that is in the snapshot: "training", "validation", "embargo" or "".
    """

    key: str
    reason: Reason
    words: str
    snapshot: str = ""
    aside: tuple[Aside, ...] = ()
    use: str = ""
    model: str = ""


def why(
    product: Product, workspace: Workspace, keys: Sequence[object], *, snapshot: Snapshot | None = None
) -> list[Answer]:
    """One answer per key of the product, in order; of the newest snapshot where none is given.

    Keys are compared as text, so that 42 is "42". Raises NotFound when nothing of the examples' source was read.
    """
    given = [None if key is None else str(key) for key in keys]
    written = texts(pl.Series("key", given, dtype=pl.String)).to_list()
    with workspace.metadata.begin() as transaction:
        newest = transaction.all(Snapshot, product.name, limit=1)
    chosen = snapshot or (newest[-1] if newest else None)
    found = _gathered(product, workspace, set(written) - {None}, chosen)
    return [_answer(found, key) for key in written]


@dataclass(frozen=True)
class _Evidence:
    """What is known of the keys: rows by key text, and the loads that brought or removed them."""

    product: Product
    snapshot: Snapshot | None
    now: datetime
    in_snapshot: frozenset[str]
    examples: Mapping[str, Mapping[str, Any]]
    came: Mapping[str, int]
    removed: Mapping[str, int]
    may_be_gone: tuple[str, ...]
    aside: Mapping[str, tuple[Aside, ...]]
    loads: Mapping[int, Load]
    erasures: Sequence[Erasure]

    @property
    def as_of(self) -> datetime:
        """What the snapshot could know."""
        return (self.snapshot.as_of if self.snapshot else None) or self.now

    @property
    def read(self) -> int | None:
        """The last load of the examples' source that the snapshot was made from."""
        source = self.product.file.examples.source
        ids = {one.load for one in self.snapshot.sources if one.name == source} if self.snapshot else set()
        return max((number for number, load in self.loads.items() if load.id in ids), default=None)


def _gathered(product: Product, workspace: Workspace, keys: set[str], snapshot: Snapshot | None) -> _Evidence:
    source = product.file.examples.source
    with workspace.metadata.begin() as transaction:
        last = last_load(transaction, product.name, source)
        loads = loads_of(transaction, product.name, source)
        erasures = transaction.all(Erasure, product.name)
    if last is None:
        raise NotFound(f"{product.name}: nothing was read of source {source} yet; `seatrial data` reads it")
    tables = generations(workspace.tables, loads, product.key, keys)
    present = standing(tables[-1].changes)
    now = workspace.clock.now()
    return _Evidence(
        product=product,
        snapshot=snapshot,
        now=now,
        in_snapshot=_in_snapshot(product, workspace, snapshot, keys),
        examples=_examples(product, workspace, present),
        came=loads_by_key(present, product.key),
        removed=removed_by_key(tables, product.key),
        may_be_gone=_may_be_gone(product, erasures, now),
        aside=_asides(product, workspace, keys),
        loads={load.number: load for load in loads},
        erasures=erasures,
    )


def _may_be_gone(product: Product, erasures: Iterable[Erasure], now: datetime) -> tuple[str, ...]:
    """What took rows for good without telling which: erasures by other columns, and retention."""
    source = product.file.examples.source
    others = [one for one in erasures if source in one.columns and not _of_key(product, one)]
    told = [f"{one.id} of {_day(one.at)} erased rows by their {one.column}" for one in others]
    since = kept_from(product, now)
    return (*told, *([f"rows from before {_day(since)} are not kept"] if since else []))


def _in_snapshot(
    product: Product, workspace: Workspace, snapshot: Snapshot | None, keys: set[str]
) -> frozenset[str]:
    if snapshot is None:
        return frozenset()
    rows = state_of(snapshot, workspace.tables, workspace.artifacts).frame
    return frozenset(texts(of_keys(rows, product.key, keys)[product.key]))


def _examples(product: Product, workspace: Workspace, rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The examples of the rows as they stand: their outcome, and when it was known and matured."""
    if rows.is_empty():
        return {}
    stored = stored_tables(product, workspace)
    names = stored.frames[product.file.examples.source].columns
    frames = {**stored.frames, product.file.examples.source: rows.select(names)}
    examples = build_examples(product, dataclasses.replace(stored, frames=frames))
    picked = examples.select(product.label, KNOWN_AT, MATURED_AT).rename({product.label: "label"})
    return dict(zip(texts(examples[product.key]), picked.iter_rows(named=True), strict=True))


def _asides(product: Product, workspace: Workspace, keys: set[str]) -> dict[str, tuple[Aside, ...]]:
    """What was put aside of the examples' source, by key, the newest first."""
    source = product.file.examples.source
    ever = ever_aside(workspace.tables, product.name, where=pl.col("source") == source)
    # Few rows hold one of the keys, as JSON writes it: only those are decoded.
    written = pl.Series([msgspec.json.encode(key).decode()[1:-1] for key in sorted(keys)], dtype=pl.String)
    likely = ever.filter(pl.col("row").str.contains_any(pl.lit(written).implode()))
    opened = set(open_rows(workspace.tables, product.name, source=source)["id"])
    told = endings(workspace.tables, product.name, likely["id"].unique().to_list())
    found: dict[str, list[Aside]] = {}
    for row in likely.reverse().iter_rows(named=True):
        key = _key_in(row["row"], product.key)
        if key in keys:
            found.setdefault(key, []).append(_aside(product, row, told, is_open=row["id"] in opened))
    return {key: tuple(rows) for key, rows in found.items()}


def _key_in(row: str, column: str) -> str | None:
    values = msgspec.json.decode(row)
    value = values.get(column) if isinstance(values, dict) else None
    return None if value is None else texts(pl.Series("key", [value], strict=False))[0]


def _aside(product: Product, row: Mapping[str, Any], told: Told, *, is_open: bool) -> Aside:
    return Aside(
        rule=row["rule"],
        expected=row["expected"],
        received=masked_received(product.request, row["rule"], row["received"]),
        load=f"{row['source']}-{row['load']:04d}" if row["load"] is not None else "",
        line=row["line"],
        at=row["at"],
        contract_version=row["contract_version"],
        open=is_open,
        settled=told(row),
    )


def _answer(found: _Evidence, key: str | None) -> Answer:
    if key is None:
        return Answer(key="", reason="never delivered", words="it has no key")
    reason, words = _reason(found, key)
    return Answer(
        key=key,
        reason=reason,
        words=words,
        snapshot=found.snapshot.id if found.snapshot else "",
        aside=found.aside.get(key, ()),
    )


def _reason(found: _Evidence, key: str) -> tuple[Reason, str]:
    if key in found.in_snapshot:
        assert found.snapshot is not None  # it holds the key
        return "in the snapshot", f"it is an example of snapshot {found.snapshot.number}"
    if key in found.examples:
        return _late(found, key, found.examples[key])
    if erased := _erased(found.product, found.erasures, key):
        return "erased", f"it was erased on {_day(erased.at)} ({erased.id}): {erased.why}"
    aside = [one for one in found.aside.get(key, ()) if one.open]
    if aside:
        return "put aside", _aside_words(aside)
    return _gone(found, key)


def _gone(found: _Evidence, key: str) -> tuple[Reason, str]:
    """Why nothing of a row is stored."""
    if key in found.removed:
        return "removed", _removed_words(found, key)
    source = found.product.file.examples.source
    if found.may_be_gone:
        told = "; ".join(found.may_be_gone)
        return "not known", f"nothing that is stored of {source} held it; it may have been there: {told}"
    return "never delivered", f"no delivery of {source} held it"


def _late(found: _Evidence, key: str, example: Mapping[str, Any]) -> tuple[Reason, str]:
    """Why a row that is stored is not in the snapshot."""
    load = found.loads.get(found.came[key])
    came = f"load {load.id} of {_day(load.read_at)}" if load else "a load"
    known, matured, as_of = example[KNOWN_AT], example[MATURED_AT], found.as_of
    if example["label"] is None or known is None:
        return "no outcome yet", f"{came} delivered it, and its outcome is not known yet"
    if found.snapshot is None:
        return (
            "not taken in yet",
            f"{came} delivered it, and no snapshot was made yet; `seatrial data` makes one",
        )
    if known > as_of:
        return "outcome known later", (
            f"its outcome became known on {_day(known)}, after {_day(as_of)}, which the snapshot knows of"
        )
    if matured is None or matured > as_of:
        until = f" until {_day(matured)}" if matured else ""
        return "not matured", f"it has not matured{until}; the snapshot holds what had by {_day(as_of)}"
    if found.read is not None and found.came[key] > found.read:
        return "delivered later", f"{came} delivered it, after the snapshot was made"
    return "not taken in yet", f"{came} delivered it; the next snapshot takes it in"


def _erased(product: Product, erasures: Iterable[Erasure], key: str) -> Erasure | None:
    ours = (one for one in erasures if _of_key(product, one))
    return next((one for one in ours if commitment_of(one.salt, key) == one.commitment), None)


def _of_key(product: Product, erasure: Erasure) -> bool:
    """Whether an erasure looked for its value among the product's keys."""
    searched = erasure.columns.get(product.file.examples.source, ())
    return erasure.column == "key" or product.key in searched


def _aside_words(aside: Sequence[Aside]) -> str:
    first = aside[0]
    rules = "; ".join(f"{one.rule}: expected {one.expected}, received {one.received}" for one in aside)
    return f"it was put aside on {_day(first.at)} under contract {first.contract_version} ({rules})"


def _removed_words(found: _Evidence, key: str) -> str:
    load = found.loads.get(found.removed[key])
    when = f"load {load.id} of {_day(load.read_at)}" if load else "a load"
    return f"it was delivered, and since {when} it is delivered no more"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
