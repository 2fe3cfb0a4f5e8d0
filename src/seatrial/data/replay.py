"""Rows in quarantine checked again, under the contract and the corrections of today."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from seatrial.contract.model import TableContract
from seatrial.contract.rules import unique_groups
from seatrial.data.changes import LOAD
from seatrial.data.corrections import Corrected, active, correct
from seatrial.data.quarantine import (
    CORRECTED,
    FITS,
    REPLACED,
    SETTLED_SCHEMA,
    STORED,
    distinct,
    readable,
    rows_of,
    settled,
)
from seatrial.facts.quarantine import Correction

_PLACE = "__place"
_IDENTITY = ["load", "line", "row"]
_STILL = {"id": pl.String(), "rule": pl.String(), "expected": pl.String(), "received": pl.String()}


@dataclass(frozen=True)
class Replay:
    """What checking rows of one source again gives.

    `rows` pass, in contract types; they are to be landed as an increment, and `frees` is settled with the load
    that takes them in. `replaced` is settled without: rows of which a newer version is stored. `still` are broken
    (columns id, rule, expected, received: what they break now). All ids are those of quarantine.
    """

    source: str
    rows: pl.DataFrame
    frees: tuple[tuple[str, str, str], ...]
    replaced: tuple[str, ...]
    still: pl.DataFrame
    corrected: dict[str, int] = field(default_factory=dict)

    def settlements(self, *, load: int | None, at: datetime) -> pl.DataFrame:
        """Rows for the table of settled rows, once `rows` were landed by load number `load`."""
        parts = [settled([id], how=how, by=by, load=load, at=at) for id, how, by in self.frees]
        parts.append(settled(self.replaced, how=REPLACED, by="", load=None, at=at))
        return pl.concat([pl.DataFrame(schema=SETTLED_SCHEMA), *parts])


def plan_replay(
    table: TableContract,
    opened: pl.DataFrame,
    stored: pl.DataFrame,
    corrections: Iterable[Correction],
    *,
    whole: bool,
    contract_version: str,
    at: datetime,
    rule: str | None = None,
    others: Mapping[str, pl.DataFrame] | None = None,
    latest: datetime | None = None,
) -> Replay:
    """What the open rows of a source would become now; nothing is changed.

    `opened` are its rows of `quarantine.open_rows`, `stored` its sound rows with the columns of changes
    (`changes.standing`), `whole` whether it delivers its whole table each time; `rule` limits the replay to rows
    that broke it. Of a row whose unique key is stored already the later one stands: the row takes the place of
    what an earlier load stored, and is replaced when a later load stored it. What came in the same delivery, or
    stands in a table that is delivered whole, was there beside the row and was chosen; the row is still broken.
    Raises what `corrections.correct` raises.
    """
    entries = _entries(readable(opened), rule)
    standing = active(corrections, table.name)
    given = {"contract_version": contract_version, "at": at, "others": others, "latest": latest}
    found = correct(table, rows_of(entries, table), standing, **given)  # type: ignore[arg-type]  # one of each
    passing = found.checked.kept.with_columns(found.checked.kept_lines.cast(pl.Int64).alias(_PLACE))
    known = _stored_places(passing, stored)
    rivals = passing.filter(~pl.col(_PLACE).is_in(known))
    newer, beside = _rivals(table, rivals, entries, stored, whole=whole)
    taken = rivals.filter(~pl.col(_PLACE).is_in([*newer, *beside]))
    places = set(taken[_PLACE].to_list())
    mended = {place: names for place, names in found.mended.items() if place in places}
    return Replay(
        source=table.name,
        rows=taken.drop(_PLACE),
        frees=(*_freed(entries, places, mended, standing, contract_version), *_known(entries, known)),
        replaced=tuple(entries.filter(pl.col(_PLACE).is_in(newer))["id"].unique(maintain_order=True)),
        still=pl.concat([_still(found, entries), _beaten(entries, beside)]),
        corrected=dict(Counter(name for names in mended.values() for name in names)),
    )


def _entries(opened: pl.DataFrame, rule: str | None) -> pl.DataFrame:
    """The rows put aside, with the place of each among the distinct ones; all rules of a row that broke `rule`."""
    broke = opened if rule is None else opened.filter(pl.col("rule") == rule)
    mine = opened.join(broke.select(_IDENTITY).unique(), on=_IDENTITY, how="semi", nulls_equal=True)
    places = distinct(mine).select(_IDENTITY).with_row_index(_PLACE)
    placed = mine.join(places, on=_IDENTITY, how="left", nulls_equal=True, maintain_order="left")
    return placed.with_columns(pl.col(_PLACE).cast(pl.Int64))


def _stored_places(passing: pl.DataFrame, stored: pl.DataFrame) -> set[int]:
    """Places of rows that are stored as they are: by a replay that was killed, or delivered twice."""
    columns = [name for name in passing.columns if name != _PLACE]
    if stored.is_empty() or not set(columns) <= set(stored.columns):
        return set()
    same = stored.select(pl.col(name).cast(passing.schema[name], strict=False) for name in columns)
    return set(passing.join(same, on=columns, how="semi", nulls_equal=True)[_PLACE])


def _known(entries: pl.DataFrame, places: set[int]) -> Iterator[tuple[str, str, str]]:
    for id in entries.filter(pl.col(_PLACE).is_in(places))["id"]:
        yield (id, STORED, "")


def _rivals(
    table: TableContract, passing: pl.DataFrame, entries: pl.DataFrame, stored: pl.DataFrame, *, whole: bool
) -> tuple[dict[int, str], dict[int, str]]:
    """Places of rows whose key a later load stored, and of those whose key stands beside them, with the rule."""
    newer: dict[int, str] = {}
    beside: dict[int, str] = {}
    loads = entries.select(_PLACE, pl.col("load").alias("__came")).unique(_PLACE)
    for group in unique_groups(table) if stored.height else []:
        keys = stored.select(*(pl.col(name).cast(passing.schema[name], strict=False) for name in group), LOAD)
        latest = keys.group_by(group).agg(pl.col(LOAD).max())
        met = passing.select(_PLACE, *group).join(latest, on=list(group)).join(loads, on=_PLACE)
        for place, stood, came in met.select(_PLACE, LOAD, "__came").iter_rows():
            if whole or came is None or stood == came:
                beside.setdefault(place, f"{'+'.join(group)}.unique")
            elif stood > came:
                newer.setdefault(place, f"{'+'.join(group)}.unique")
    return newer, {place: rule for place, rule in beside.items() if place not in newer}


def _freed(
    entries: pl.DataFrame,
    places: set[int],
    mended: Mapping[int, tuple[str, ...]],
    corrections: Iterable[Correction],
    contract_version: str,
) -> Iterator[tuple[str, str, str]]:
    """Id, how and by what of every rule that the rows at `places` had broken."""
    rules = {correction.id: correction.rule for correction in corrections}
    for id, rule, place in entries.select("id", "rule", _PLACE).iter_rows():
        if place in places:
            names = mended.get(place, ())
            by = next((name for name in names if rules[name] == rule), names[0] if names else "")
            yield (id, CORRECTED, by) if by else (id, FITS, contract_version)


def _still(found: Corrected, entries: pl.DataFrame) -> pl.DataFrame:
    """What the rows that do not pass break now, under the first id of each."""
    ids = entries.unique(_PLACE, keep="first", maintain_order=True).select(_PLACE, "id")
    broken = found.checked.quarantined.select(pl.col("line").alias(_PLACE), "rule", "expected", "received")
    return broken.join(ids, on=_PLACE, maintain_order="left").select(*_STILL)


def _beaten(entries: pl.DataFrame, beside: Mapping[int, str]) -> pl.DataFrame:
    first = entries.unique(_PLACE, keep="first", maintain_order=True).filter(pl.col(_PLACE).is_in([*beside]))
    rules = pl.Series("rule", [beside[place] for place in first[_PLACE]], dtype=pl.String)
    return first.select(
        "id",
        rules,
        pl.lit("no other row with the same key").alias("expected"),
        pl.lit("a key that is stored").alias("received"),
    )
