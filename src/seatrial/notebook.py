"""A product's data in a notebook: its snapshots, sources, quarantine, predictions and ledger as Polars frames.

    from seatrial.notebook import open_product

    product = open_product("my-product")
    examples = product.snapshot()
    product.why("flight-17")

Values that the contract classifies are masked unless `unmasked=True` is asked for. Nothing here changes the
workspace, except that reading unmasked values is noted in the logbook.
"""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from seatrial.errors import NotFound

if TYPE_CHECKING:
    from seatrial.data.why import Answer
    from seatrial.facts.load import Load
    from seatrial.facts.snapshot import Snapshot
    from seatrial.ports.workspace import Workspace
    from seatrial.product.product import Product

__all__ = ["Notebook", "open_product"]

_LOAD_COLUMNS: tuple[str, ...] = ("id", "source", "number", "kind", "origin", "read_at")
_LOAD_COLUMNS += ("delivered", "added", "removed", "quarantined", "rows", "contract_version")


def open_product(folder: str | Path = ".", *, workspace: str | Path | None = None) -> "Notebook":
    """The product in a folder, with its workspace (by default `.seatrial` in the folder).

    Raises ProductFileInvalid, ContractInvalid or SettingsInvalid, and NotFound where no workspace is.
    """
    from seatrial.product.read import read_product
    from seatrial.settings import read_settings
    from seatrial.wiring import open_workspace

    place = Path(folder).resolve()
    product = read_product(place)
    given = {"workspace": None if workspace is None else str(workspace)}
    settings = read_settings(given, folder=place)
    if not settings.workspace.is_dir():
        raise NotFound(f"no workspace at {settings.workspace}; `seatrial data` makes one")
    return Notebook(product, open_workspace(settings, product=product.name))


class Notebook:
    """What one product's workspace holds, as frames. `product` and `workspace` are there for what is not here."""

    def __init__(self, product: "Product", workspace: "Workspace") -> None:
        self.product, self.workspace = product, workspace

    def __repr__(self) -> str:
        """The product, what its workspace holds of it, and what can be asked."""
        snapshots = len(self._snapshots())
        asked = "snapshot, source, quarantine, why, why_not, predictions, ledger"
        return f"<{self.product.name}: {snapshots} snapshots; ask for {asked}>"

    def snapshot(self, id: str = "", *, unmasked: bool = False) -> pl.DataFrame:
        """The examples of the newest snapshot, or of the one with that id or the only one that begins so.

        Columns: what was known at each decision, the outcome, `known_at`, `matured_at`. Raises NotFound, or
        IntegrityBroken when the rows are not those that the snapshot names.
        """
        from seatrial.data.snapshot import load_snapshot
        from seatrial.product.hidden import hidden_in_examples

        rows = load_snapshot(self._snapshot(id), self.workspace.tables)
        return self._masked(rows, hidden_in_examples(self.product), "snapshot", unmasked=unmasked)

    def source(self, name: str, *, load: int | None = None, unmasked: bool = False) -> pl.DataFrame:
        """The sound rows of a source as they stand, or as they stood after a load. Raises NotFound."""
        from seatrial.contract.masking import sensitive
        from seatrial.data.loads import stored_rows

        table = self.product.contract.table(name)
        hidden = sensitive(table) if table else frozenset()
        rows = stored_rows(self.workspace.tables, self._load(name, load))
        return self._masked(rows, hidden, f"source {name}", unmasked=unmasked)

    def loads(self, source: str | None = None) -> pl.DataFrame:
        """The loads of a source, or of all, oldest first: when, how many rows were read, added, put aside.

        Raises NotFound for an unknown source, naming those there are.
        """
        from seatrial.data.loads import loads_of

        with self.workspace.metadata.begin() as transaction:
            found = loads_of(transaction, self.product.name, source)
        if not found:
            self._check(source)
        return pl.DataFrame([{name: getattr(load, name) for name in _LOAD_COLUMNS} for load in found])

    def quarantine(
        self, source: str | None = None, rule: str | None = None, *, unmasked: bool = False
    ) -> pl.DataFrame:
        """The rows that are put aside, one per broken rule, oldest first; `row` is the row as JSON.

        Raises NotFound for an unknown source or rule, naming those there are.
        """
        from seatrial.contract.masking import masked_quarantine
        from seatrial.data.quarantine import open_rows

        self._check(source, rule)
        rows = open_rows(self.workspace.tables, self.product.name, source=source, rule=rule)
        if unmasked:
            self._note("quarantine")
            return rows
        return masked_quarantine(self.product.contract, rows)

    def why(self, key: object, *, snapshot: str = "") -> "Answer":
        """Why the row with this key is, or is not, in the training data. Raises NotFound."""
        return self._answers([key], snapshot)[0]

    def why_not(self, frame: Any, *, snapshot: str = "") -> pl.DataFrame:
        """The rows of a Polars, pandas or Arrow frame that are not in the snapshot, each with why.

        The frame needs the product's key column. Columns `why` (one word or two) and `why_in_words` are added.
        Raises NotFound when the frame has no such column, or no such snapshot is there.
        """
        rows = as_polars(frame)
        if self.product.key not in rows.columns:
            raise NotFound(
                f"the frame has no column {self.product.key}, the key of {self.product.name}; it has "
                f"{', '.join(rows.columns)}"
            )
        answers = self._answers(rows[self.product.key].to_list(), snapshot)
        told = rows.with_columns(
            pl.Series("why", [answer.reason for answer in answers], dtype=pl.String),
            pl.Series("why_in_words", [answer.words for answer in answers], dtype=pl.String),
        )
        return told.filter(pl.col("why") != "in the snapshot")

    def predictions(self, *, unmasked: bool = False) -> pl.DataFrame:
        """Every recorded answer, oldest first; its features are the columns `feature_…`."""
        from seatrial.facts.tables import table_name

        rows = self.workspace.tables.read(table_name(self.product.name, "predictions"))
        ordered = rows.sort("received_at", "prediction_id") if rows.width else rows
        return self._book(ordered, "predictions", unmasked=unmasked)

    def ledger(self, *, unmasked: bool = False) -> pl.DataFrame:
        """The last word on what each decision was worth, one row per prediction."""
        from seatrial.cycle.books import ledger_of

        rows = ledger_of(self.workspace, self.product.name).sort("made_at", "prediction_id")
        return self._book(rows, "ledger", unmasked=unmasked)

    def _book(self, rows: pl.DataFrame, what: str, *, unmasked: bool) -> pl.DataFrame:
        from seatrial.product.hidden import hidden_in_books

        return self._masked(rows, hidden_in_books(self.product, rows.columns), what, unmasked=unmasked)

    def _masked(
        self, rows: pl.DataFrame, hidden: frozenset[str], what: str, *, unmasked: bool
    ) -> pl.DataFrame:
        from seatrial.contract.masking import masked_columns

        if unmasked and hidden.intersection(rows.columns):
            self._note(what)
        return rows if unmasked else masked_columns(rows, hidden)

    def _note(self, what: str) -> None:
        """Who looked at classified values stands in the logbook."""
        with self.workspace.metadata.begin() as transaction:
            transaction.log(
                product=self.product.name,
                kind="read unmasked",
                subject=what,
                body={"where": "notebook"},
                actor=getpass.getuser(),
            )

    def _answers(self, keys: list[object], snapshot: str) -> "list[Answer]":
        from seatrial.cycle.why import why

        return why(self.product, self.workspace, keys, snapshot=snapshot)

    def _snapshots(self) -> "list[Snapshot]":
        from seatrial.facts.snapshot import Snapshot

        with self.workspace.metadata.begin() as transaction:
            return transaction.all(Snapshot, self.product.name)

    def _snapshot(self, id: str) -> "Snapshot":
        from seatrial.cycle.stages import newest
        from seatrial.data.states import found
        from seatrial.facts.snapshot import Snapshot

        if not id:
            return newest(self.workspace, Snapshot, self.product.name)
        with self.workspace.metadata.begin() as transaction:
            meant = found(transaction, self.product.name, id)
        if not isinstance(meant, Snapshot):
            raise NotFound(f"{id} is a load of source {meant.source}; expected a snapshot")
        return meant

    def _check(self, source: str | None, rule: str | None = None) -> None:
        from seatrial.cycle.quarantine import check_names

        check_names(self.product, self.workspace, source=source, rule=rule)

    def _load(self, source: str, number: int | None) -> "Load":
        from seatrial.data.loads import loads_of

        with self.workspace.metadata.begin() as transaction:
            loads = loads_of(transaction, self.product.name, source)
        if not loads:
            self._check(source)
        chosen = [load for load in loads if number in (None, load.number)]
        if not chosen:
            known = ", ".join(str(load.number) for load in loads) or "none"
            wanted = "load" if number is None else f"load {number}"
            raise NotFound(f"{self.product.name} has no {wanted} of source {source}; there are: {known}")
        return chosen[-1]


def as_polars(frame: Any) -> pl.DataFrame:
    """A Polars, pandas or Arrow frame as Polars. Raises NotFound for what is none of them."""
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if hasattr(frame, "iloc"):
        # Not through Arrow: pandas gives that only where pyarrow is installed.
        return pl.DataFrame([_from_pandas(str(name), frame[name]) for name in frame.columns])
    if hasattr(frame, "__arrow_c_stream__"):
        return pl.DataFrame(frame)
    raise NotFound(f"expected a Polars, pandas or Arrow frame, got {type(frame).__name__}")


def _from_pandas(name: str, column: Any) -> pl.Series:
    values = column.astype(object).where(column.notna(), None).tolist()
    return pl.Series(name, values, strict=False)
