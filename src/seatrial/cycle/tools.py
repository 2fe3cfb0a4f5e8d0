"""What the loop needs from outside to make models, chosen by wiring or by a rehearsal."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import uuid4

import polars as pl

from seatrial.cycle.heartbeat import kept
from seatrial.data.examples import build_examples, lookup_tables
from seatrial.data.landing import Landing
from seatrial.data.ports import SourceReader
from seatrial.data.read import SourceTables, stored_tables
from seatrial.errors import Conflict
from seatrial.facts.load import Load
from seatrial.ports.runtime import Runtime
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.train.ports import Framework

LEASE_SECONDS = 30.0


@dataclass(frozen=True)
class History:
    """All examples that the sources hold, checked and joined, and the prepared table of each lookup."""

    tables: SourceTables
    examples: pl.DataFrame
    lookups: dict[str, pl.DataFrame]


class HistoryReader(Protocol):
    """Reads the history of a product as its sources have it now."""

    def read(self, product: Product) -> History:
        """The history. Raises SourceFailed or DataRefused."""
        ...

    def refresh(self, product: Product, sources: Collection[str]) -> dict[str, pl.DataFrame]:
        """The prepared lookups after these sources were read alone. Raises SourceFailed or DataRefused."""
        ...


@dataclass
class SourceHistory:
    """Lands what the sources newly deliver, then reads the whole history as it is stored.

    Each reading has a reader of its own: readers may remember what they loaded. `latest` is the time that no
    decision or outcome may lie much after, `say` is told what was read.
    """

    make_reader: Callable[[], SourceReader]
    workspace: Workspace
    latest: Callable[[], datetime] | None = None
    say: Callable[[str], None] = field(default=lambda _: None)

    def read(self, product: Product) -> History:
        """The history as the sources have it now; see HistoryReader."""
        self.land(product)
        tables = stored_tables(product, self.workspace)
        lookups = lookup_tables(product, tables)
        return History(tables=tables, examples=build_examples(product, tables, lookups), lookups=lookups)

    def refresh(self, product: Product, sources: Collection[str]) -> dict[str, pl.DataFrame]:
        """The prepared lookups after these sources were read; see HistoryReader."""
        self.land(product, sources)
        return lookup_tables(product, stored_tables(product, self.workspace))

    def land(self, product: Product, only: Collection[str] | None = None) -> tuple[Load, ...]:
        """The loads made of what the sources newly deliver.

        Raises Conflict while another process lands the same product's sources, and what Landing.land raises.
        """
        metadata = self.workspace.metadata
        lease = metadata.acquire(f"data:{product.name}", uuid4().hex, LEASE_SECONDS)
        if lease is None:
            raise Conflict(
                f"another process reads the sources of {product.name} now; try again when it is done"
            )
        landing = Landing(
            product=product,
            reader=self.make_reader(),
            workspace=self.workspace,
            latest=self.latest,
            guard=lambda transaction: transaction.guard(lease),
            say=self.say,
        )
        try:
            with kept(metadata, lease, LEASE_SECONDS):
                return landing.land(only)
        finally:
            metadata.release(lease)


class FixedHistory:
    """The same history at each call: a rehearsal's past does not change while it is replayed."""

    def __init__(self, history: History) -> None:
        self._history = history

    def read(self, product: Product) -> History:
        """The fixed history, whatever the product."""
        del product
        return self._history

    def refresh(self, product: Product, sources: Collection[str]) -> dict[str, pl.DataFrame]:
        """The fixed lookups: nothing new is delivered."""
        del product, sources
        return self._history.lookups


@dataclass(frozen=True)
class Tools:
    """Reads history, fits and packages models, and runs packages."""

    history: HistoryReader
    framework: Framework
    runtime: Runtime
