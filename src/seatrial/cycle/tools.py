"""What the loop needs from outside to make models, chosen by wiring or by a rehearsal."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from seatrial.data.examples import build_examples, lookup_tables
from seatrial.data.ports import SourceReader
from seatrial.data.read import SourceTables, read_sources
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.runtime import Runtime
from seatrial.product.lookup_files import to_bytes
from seatrial.product.product import Product
from seatrial.train.ports import Framework


@dataclass(frozen=True)
class History:
    """All examples that the sources hold, checked and joined, and the lookups' tables by digest."""

    tables: SourceTables
    examples: pl.DataFrame
    lookups: dict[str, str]


class HistoryReader(Protocol):
    """Reads the history of a product as its sources have it now."""

    def read(self, product: Product, at: datetime) -> History:
        """The history; lookup tables are stored as artifacts. Raises SourceFailed or DataRefused."""
        ...


class SourceHistory:
    """Reads every source anew at each call, with a reader of its own: readers may remember what they loaded."""

    def __init__(self, make_reader: Callable[[], SourceReader], artifacts: Artifacts) -> None:
        self._make_reader, self._artifacts = make_reader, artifacts

    def read(self, product: Product, at: datetime) -> History:
        """The history as the sources have it now; see HistoryReader."""
        tables = read_sources(product, self._make_reader(), at=at)
        lookups = {
            name: self._artifacts.put(to_bytes(table))
            for name, table in lookup_tables(product, tables).items()
        }
        return History(tables=tables, examples=build_examples(product, tables), lookups=lookups)


class FixedHistory:
    """The same history at each call: a rehearsal's past does not change while it is replayed."""

    def __init__(self, history: History) -> None:
        self._history = history

    def read(self, product: Product, at: datetime) -> History:
        """The fixed history, whatever the product or time."""
        del product, at
        return self._history


@dataclass(frozen=True)
class Tools:
    """Reads history, fits and packages models, and runs packages."""

    history: HistoryReader
    framework: Framework
    runtime: Runtime
