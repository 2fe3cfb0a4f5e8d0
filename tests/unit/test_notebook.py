"""What a pandas or Polars user reads of a product, and what is hidden from them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import polars as pl
import pytest

from seatrial.contract.masking import MARK
from seatrial.contract.odcs import write_contract
from seatrial.cycle.tools import SourceHistory
from seatrial.data.snapshot import examples_as_of, save_snapshot
from seatrial.errors import NotFound
from seatrial.notebook import Notebook, as_polars, open_product
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from tests.fakes.clock import MemoryClock
from tests.fakes.sources import MemorySources
from tests.fakes.workspace import memory_workspace
from tests.harbour import PRODUCT_FILE, call, frame, harbour_product, tide

NOW = datetime(2025, 1, 20, tzinfo=UTC)
SHIP = "Argo"


def classified() -> Product:
    """The harbour, in which the name of a ship and the depth of a basin are nobody's business."""
    contract = harbour_product().contract
    tables = tuple(
        msgspec.structs.replace(
            table,
            columns=tuple(
                msgspec.structs.replace(column, classification="restricted")
                if column.name in ("ship", "depth")
                else column
                for column in table.columns
            ),
        )
        for table in contract.tables
    )
    return parse_product(PRODUCT_FILE, write_contract(msgspec.structs.replace(contract, tables=tables)))


@pytest.fixture(scope="module")
def product() -> Notebook:
    declared, workspace = classified(), memory_workspace(MemoryClock(NOW))
    calls = [call(number, 12.0 * number) for number in range(10)]
    calls += [call(50, 1, crew=0), call(51, 2, berthed_at=NOW + timedelta(days=1))]
    frames = {
        "calls": frame("calls", calls),
        "tides": frame("tides", [tide(0, 4.0)]),
        "ships": frame("ships", [{"ship": SHIP, "length": 20.0}]),
    }
    history = SourceHistory(make_reader=lambda: MemorySources(frames), workspace=workspace).read(declared)
    rows = examples_as_of(declared, history.examples, NOW)
    snapshot = save_snapshot(declared, rows, history.tables, workspace, as_of=NOW, at=NOW)
    with workspace.metadata.begin() as transaction:
        transaction.put(snapshot)
    return Notebook(declared, workspace)


def test_what_is_classified_and_what_is_derived_from_it_is_masked_everywhere(product: Notebook) -> None:
    snapshot = product.snapshot()
    assert snapshot.height == 10
    assert {name for name in snapshot.columns if set(snapshot[name].drop_nulls()) == {MARK}} == {
        "ship",
        "depth",
        "room",
    }
    assert set(product.source("ships")["ship"]) == {MARK}
    shown = [product.snapshot(), product.source("calls"), product.quarantine(), product.ledger()]
    assert [SHIP in part.write_csv() for part in [*shown, product.loads()]] == [False] * 5
    assert product.quarantine()["received"].to_list() == ["0"]


def test_unmasked_values_are_given_on_request_and_noted_with_who_asked(product: Notebook) -> None:
    assert set(product.snapshot(unmasked=True)["ship"]) == {SHIP}
    assert set(product.source("tides", unmasked=True)["depth"]) == {4.0}
    assert SHIP in product.quarantine(unmasked=True)["row"].item()
    with product.workspace.metadata.begin() as transaction:
        noted = [entry.subject for entry in transaction.logbook() if entry.kind == "read unmasked"]
    assert noted == ["snapshot", "source tides", "quarantine"]


def test_a_snapshot_or_load_is_read_by_its_name(product: Notebook) -> None:
    id = product.snapshot().height and product._snapshots()[0].id
    assert product.snapshot(str(id)[:20]).equals(product.snapshot())
    assert product.source("calls", load=1).height == 11
    assert product.loads("calls")["id"].to_list() == ["calls-0001"]
    for asked in (product.source, product.loads, product.quarantine):
        with pytest.raises(NotFound, match="harbour has no source nope; it has calls, tides, ships"):
            asked("nope")
    with pytest.raises(NotFound, match=r"source calls has no rule crew\.nope"):
        product.quarantine("calls", "crew.nope")
    with pytest.raises(NotFound, match="no load 7 of source calls; there are: 1"):
        product.source("calls", load=7)
    with pytest.raises(NotFound, match="calls-0001 is a load of source calls; expected a snapshot"):
        product.snapshot("calls-0001")


@pytest.mark.parametrize("kind", ["polars", "lazy", "pandas"])
def test_rows_of_a_frame_that_are_not_in_the_snapshot_come_back_with_why(
    product: Notebook, kind: str
) -> None:
    columns: dict[str, Any] = {"call": ["c1", "c50", "c51", None], "mine": [1, 2, 3, 4]}
    made = {"polars": pl.DataFrame, "lazy": pl.LazyFrame, "pandas": pd.DataFrame}[kind](columns)
    found = product.why_not(made)
    assert found.select("call", "mine", "why").rows() == [
        ("c50", 2, "put aside"),
        ("c51", 3, "outcome known later"),
        (None, 4, "never delivered"),
    ]
    assert product.why("c50").words in found["why_in_words"].to_list()


def test_pandas_columns_keep_their_types_and_what_is_missing() -> None:
    moments = pd.to_datetime(["2025-01-01T00:00:00Z", None], utc=True)
    given = pd.DataFrame({"n": [1, 2], "x": [0.5, None], "s": ["a", None], "t": moments})
    found = as_polars(given)
    assert [found[name].null_count() for name in found.columns] == [0, 1, 1, 1]
    assert found["t"][0] == datetime(2025, 1, 1, tzinfo=UTC)


def test_what_is_no_frame_or_has_no_key_is_refused(product: Notebook) -> None:
    with pytest.raises(NotFound, match="the frame has no column call, the key of harbour; it has ship"):
        product.why_not(pl.DataFrame({"ship": [1]}))
    with pytest.raises(NotFound, match="expected a Polars, pandas or Arrow frame, got list"):
        product.why_not([1])


def test_a_folder_without_a_workspace_is_named(tmp_path: Path) -> None:
    declared = classified()
    (tmp_path / "product.yaml").write_text(declared.texts[0], encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(declared.texts[1], encoding="utf-8")
    with pytest.raises(NotFound, match=r"no workspace at .*; `seatrial data` makes one"):
        open_product(tmp_path)
    assert not (tmp_path / ".seatrial").exists()


def test_a_product_says_what_can_be_asked(product: Notebook) -> None:
    assert repr(product).startswith("<harbour: 1 snapshots; ask for snapshot, source")
