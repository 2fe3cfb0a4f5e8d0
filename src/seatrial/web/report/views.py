"""What the data report shows, gathered: plain values, nothing that still has to be looked up."""

from datetime import datetime
from typing import Literal

import msgspec

from seatrial.data.lineage import Lineage
from seatrial.data.profiles import Bar, ColumnSummary
from seatrial.facts.load import Load
from seatrial.facts.snapshot import Snapshot

Level = Literal["broken", "changed", "note"]


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should know, the evidence, and what to do. `part` is where the page tells more."""

    level: Level
    title: str
    evidence: str
    advice: str
    part: str


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A number at a moment; `note` is what it stands for, in words."""

    at: datetime
    value: float
    note: str = ""


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """A source with all its loads; `last` are those of its last reading.

    `newest` is the latest moment its rows tell of, by the column `clock`. `limit` is how many seconds old that may
    be, `age` how old it is; None where no contract says.
    """

    name: str
    kind: str
    origin: str
    loads: tuple[Load, ...]
    last: tuple[Load, ...]
    newest: datetime | None
    clock: str
    age: float | None
    limit: float | None

    @property
    def stale(self) -> bool:
        """Whether its rows are older than the contract allows."""
        return self.age is not None and self.limit is not None and self.age > self.limit


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule at the newest load, and the share of rows that broke it at every load, in [0, 1]."""

    source: str
    rule: str
    severity: str
    rows: int
    failed: int
    detail: str
    trend: tuple[Point, ...]

    @property
    def share(self) -> float:
        """The share of rows that broke it at the newest load, in [0, 1]."""
        return self.failed / self.rows if self.rows else 0.0


class AsideView(msgspec.Struct, frozen=True, kw_only=True):
    """The rows put aside under one rule that are open still: how many per load, and some of them, masked."""

    source: str
    rule: str
    expected: str
    rows: int
    trend: tuple[Point, ...]
    examples: tuple[tuple[str, str], ...]


class ColumnView(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the newest examples beside the snapshot before and the one that the model learnt from.

    `was`, `appeared` and `vanished` compare with what the model learnt from, else with the snapshot before. `bars`
    are those of now, before and learnt from, empty where there is none; `missing` is what each reading brought.
    Distances are in [0, 1], None where nothing is to compare; chance alone hardly exceeds `noise`.
    """

    summary: ColumnSummary
    was: ColumnSummary | None
    origin: str
    feature: bool
    importance: float | None
    from_previous: float | None
    from_reference: float | None
    noise: float
    budget: float | None
    bars: tuple[tuple[Bar, ...], ...]
    missing: tuple[Point, ...]
    missing_words: str
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]

    @property
    def distance(self) -> float:
        """The larger of both distances."""
        return max(self.from_previous or 0.0, self.from_reference or 0.0)


class LookupView(msgspec.Struct, frozen=True, kw_only=True):
    """A lookup: its source, and how old the newest row is that it could answer with."""

    name: str
    source: str
    columns: tuple[str, ...]
    newest: datetime | None
    age: float | None
    limit: float | None

    @property
    def stale(self) -> bool:
        """Whether it is older than the contract of its source allows."""
        return self.age is not None and self.limit is not None and self.age > self.limit


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report of one product at the moment `at`. Concerns: the most pressing first.

    `columns` tell of the `fresh` examples that came since the snapshot before, or of all where that is None.
    """

    product: str
    purpose: str
    at: datetime
    snapshot: Snapshot | None
    previous: Snapshot | None
    reference: Snapshot | None
    reference_model: str
    concerns: tuple[Concern, ...]
    sources: tuple[SourceView, ...]
    rules: tuple[RuleView, ...]
    aside: tuple[AsideView, ...]
    columns: tuple[ColumnView, ...]
    fresh: int | None
    lookups: tuple[LookupView, ...]
    lineage: Lineage | None
