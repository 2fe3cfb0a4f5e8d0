"""Lookup tables of one product in LMDB, in a local folder that all server processes of the machine share."""

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path
from weakref import WeakValueDictionary

import lmdb

from seatrial.adapters.lookups.table import Environment, StoredTable
from seatrial.errors import StorageFailed
from seatrial.facts.lookups import PublishedLookup
from seatrial.ports.artifacts import Artifacts
from seatrial.product.schema import Lookup
from seatrial.serve.ports import LookupTable


class LmdbLookups:
    """Each whole table has an environment of its own, named by its digest, to which increments are applied.

    The folder must lie on a local disk: LMDB maps its files into memory and locks them.
    """

    def __init__(self, folder: Path, artifacts: Artifacts) -> None:
        self._folder, self._artifacts = folder, artifacts
        # An environment may be open only once in a process; it is closed when its last reader is gone.
        self._open = WeakValueDictionary[Path, Environment]()
        self._tables = WeakValueDictionary[tuple[Path, tuple[str, ...]], StoredTable]()

    def open(
        self, name: str, published: PublishedLookup, lookup: Lookup, columns: tuple[str, ...]
    ) -> StoredTable | None:
        """The table, up to date; see LookupStore."""
        folder = self._folder / name / _named(published.base, lookup.on)
        try:
            environment = self._open.get(folder) or Environment(folder, lookup.on)
            environment.bring_up_to(published, self._artifacts)
        except (lmdb.Error, OSError) as error:
            raise StorageFailed(
                f"lookup {name}: its table cannot be kept in {folder}: {error}; free some room there"
            ) from error
        self._open[folder] = environment
        if not {*lookup.on, *columns} <= {*environment.empty.columns}:
            return None
        table = self._tables.get((folder, columns)) or StoredTable(environment, columns)
        self._tables[folder, columns] = table
        return table

    def keep(self, tables: Collection[LookupTable]) -> None:
        """Delete the files of all other tables, with whatever old rows they hold.

        Processes that still read one keep it until they let go of it. Raises StorageFailed when one cannot be deleted.
        """
        kept = {table.environment.folder for table in tables if isinstance(table, StoredTable)}
        for folder in self._folder.glob("*/*"):
            if folder not in kept:
                try:
                    shutil.rmtree(folder)
                except FileNotFoundError:
                    continue  # another process was faster
                except OSError as error:
                    raise StorageFailed(
                        f"an old lookup table cannot be deleted in {folder}: {error}; delete it by hand"
                    ) from error


def _named(base: str, on: tuple[str, ...]) -> str:
    """A folder name for a whole table under its keys."""
    return hashlib.sha256("\n".join((base, *on)).encode()).hexdigest()[:32]
