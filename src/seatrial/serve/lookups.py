"""Lookup tables in the memory of this process, straight from their artifacts."""

from collections.abc import Collection
from weakref import WeakValueDictionary

from seatrial.facts.lookups import PublishedLookup
from seatrial.ports.artifacts import Artifacts
from seatrial.product.lookup_files import published_table
from seatrial.product.lookups import KNOWN, LookupIndex
from seatrial.product.schema import Lookup
from seatrial.serve.ports import LookupTable

_Place = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class LookupIndexes:
    """A store whose tables are indexes in memory; equal tables are shared while somebody holds them."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._indexes = WeakValueDictionary[_Place, LookupIndex]()

    def open(
        self, name: str, published: PublishedLookup, lookup: Lookup, columns: tuple[str, ...]
    ) -> LookupIndex | None:
        """The index of the table; see LookupStore."""
        del name
        place = (published.parts, lookup.on, columns)
        index = self._indexes.get(place)
        if index is None:
            table = published_table(published, self._artifacts)
            if not {*lookup.on, *columns} <= {*table.columns}:
                return None
            known = [KNOWN] if KNOWN in table.columns else []
            self._indexes[place] = index = LookupIndex(table.select(*lookup.on, *known, *columns), lookup)
        return index

    def keep(self, tables: Collection[LookupTable]) -> None:
        """A no-op: what nobody reads is forgotten by itself."""
        del tables
