"""Erasure finds a value under names that columns and sources had before, and it does not come back under new ones."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.cycle.erase import erase, found_of, proofs
from seatrial.cycle.erase_facts import FORGOTTEN
from seatrial.data.examples import build_examples
from seatrial.data.landing import Landing
from seatrial.data.ports import UNREADABLE_SCHEMA
from seatrial.data.quarantine import open_rows
from seatrial.data.read import stored_tables
from seatrial.data.snapshot import save_snapshot
from seatrial.errors import NotFound
from seatrial.facts.load import Load
from seatrial.facts.snapshot import RuleResult, Snapshot
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from tests.fakes.clock import MemoryClock
from tests.fakes.sources import MemorySources
from tests.fakes.tables import MemoryTables
from tests.fakes.workspace import memory_workspace
from tests.harbour import PRODUCT_FILE, START, TABLES, call, frame, tide

ASKED: dict[str, Any] = {"why": "asked", "by": "ann"}
NOBODY = "Amelia"
CALLS, TIDES, SHIPS = TABLES


@pytest.fixture
def workspace() -> Workspace:
    return memory_workspace(MemoryClock(START + timedelta(days=30)))


def product(calls: TableContract, version: str = "1.0.0", file: str = PRODUCT_FILE) -> Product:
    contract = Contract(id="harbour", version=version, tables=(calls, TIDES, SHIPS))
    return parse_product(file, write_contract(contract))


def owned(column: str | None) -> TableContract:
    """Calls with a column that names the owner."""
    more = (ColumnContract(name=column, type="string"),) if column else ()
    return msgspec.structs.replace(CALLS, columns=(*CALLS.columns, *more), stop_above=1.0)


def sources(*more: dict[str, Any], **columns: list[Any]) -> MemorySources:
    calls = frame("calls", [call(0, 1), call(1, 2, ship="Bounty"), *more])
    given = [pl.Series(name, values) for name, values in columns.items()]
    ships = frame("ships", [{"ship": "Bounty", "length": 1.0}])
    return MemorySources(
        {
            "calls": calls.with_columns(given),
            "tides": frame("tides", [tide(0, 4.0)]),
            "ships": ships,
        }
    )


def land(workspace: Workspace, reader: MemorySources, of: Product) -> tuple[Load, ...]:
    return Landing(product=of, reader=reader, workspace=workspace).land()


def snapshot(workspace: Workspace, of: Product) -> Snapshot:
    tables, now = stored_tables(of, workspace), workspace.clock.now()
    made = save_snapshot(of, build_examples(of, tables), tables, workspace, as_of=now, at=now)
    with workspace.metadata.begin() as transaction:
        transaction.put(made)
    return made


def holding(workspace: Workspace, value: str) -> list[str]:
    assert isinstance(workspace.tables, MemoryTables)
    return [name for name, rows in workspace.tables.frames.items() if value in str(rows.to_dicts())]


@pytest.mark.parametrize(("second", "asked"), [("holder", "holder"), ("holder", "owner"), (None, "owner")])
def test_a_column_that_was_renamed_or_dropped_is_searched_in_all_tables(
    workspace: Workspace, second: str | None, asked: str
) -> None:
    before, after = product(owned("owner")), product(owned(second), "2.0.0")
    land(workspace, sources(owner=[NOBODY, "Bob"]), before)
    snapshot(workspace, before)
    land(workspace, sources(**({second: [NOBODY, "Bob"]} if second else {})), after)
    assert len(holding(workspace, NOBODY)) >= 2
    found = found_of(workspace, after, column=asked, value=NOBODY)
    erasure = erase(workspace, after, column=asked, value=NOBODY, **ASKED)
    assert holding(workspace, NOBODY) == []
    assert (erasure.rows, len(erasure.snapshots)) == (found.rows, 1)
    assert [one.erasure.id for one in proofs(workspace, after, NOBODY)] == [erasure.id]
    assert "Bob" in str(workspace.tables.read("harbour.source.calls").to_dicts())


def test_a_value_does_not_come_back_under_the_new_name_of_its_column(workspace: Workspace) -> None:
    before, after = product(owned("owner")), product(owned("holder"), "2.0.0")
    land(workspace, sources(owner=[NOBODY, "Bob"]), before)
    erase(workspace, before, column="owner", value=NOBODY, **ASKED)
    load = land(workspace, sources(holder=[NOBODY, "Bob"]), after)[0]
    assert load.suppressed == 1
    assert holding(workspace, NOBODY) == []


def test_a_new_column_beside_the_one_that_was_searched_takes_no_row(workspace: Workspace) -> None:
    before = product(owned("owner"))
    both = (*owned("owner").columns, ColumnContract(name="first_name", type="string"))
    after = product(msgspec.structs.replace(owned("owner"), columns=both), "1.1.0")
    land(workspace, sources(owner=[NOBODY, "Bob"]), before)
    erase(workspace, before, column="owner", value=NOBODY, **ASKED)
    load = land(workspace, sources(owner=["Eve", "Bob"], first_name=[NOBODY, "B"]), after)[0]
    assert (load.suppressed, load.rows) == (0, 2)


def test_the_table_of_a_source_that_is_declared_no_more_is_searched(workspace: Workspace) -> None:
    land(workspace, sources(), product(CALLS))
    file = PRODUCT_FILE.replace("from: calls", "from: visits").replace("  calls: {", "  visits: {")
    after = product(msgspec.structs.replace(CALLS, name="visits"), "2.0.0", file)
    reader = sources()
    reader.frames["visits"] = reader.frames.pop("calls").filter(pl.col("ship") != "Bounty")
    land(workspace, reader, after)
    erase(workspace, after, column="ship", value="Bounty", **ASKED)
    assert holding(workspace, "Bounty") == []
    assert workspace.tables.rows("harbour.source.calls") == 1
    with pytest.raises(NotFound, match=r"no source has a column captain"):
        erase(workspace, after, column="captain", value="x", **ASKED)


def test_an_undeclared_column_of_a_row_put_aside_is_searched(workspace: Workspace) -> None:
    of = product(owned(None))
    reader = sources(call(2, 3, crew=0), former=["none", "none", "Bounty"])
    land(workspace, reader, of)
    assert "harbour.quarantine" in holding(workspace, "Bounty")
    erase(workspace, of, column="ship", value="Bounty", **ASKED)
    assert holding(workspace, "Bounty") == []


def test_a_line_is_searched_for_a_value_with_separators_and_quotes(workspace: Workspace) -> None:
    of = product(owned("owner"))
    reader = sources(owner=['Earhart, "A"', "Bob"])
    line = 'c9,2025,"Earhart, ""A""",1'
    rows = [(3, "file.ragged", "9 fields", "4 fields", json.dumps(line))]
    reader.unreadable["calls"] = pl.DataFrame(rows, schema=UNREADABLE_SCHEMA, orient="row")
    land(workspace, reader, of)
    assert open_rows(workspace.tables, "harbour").height == 1
    erase(workspace, of, column="owner", value='Earhart, "A"', **ASKED)
    assert holding(workspace, "Earhart") == []
    land(workspace, reader, of)
    assert holding(workspace, "Earhart") == []


def test_facts_forget_the_words_that_quote_the_value(workspace: Workspace) -> None:
    of = product(owned("owner"))
    land(workspace, sources(owner=[NOBODY, "Bob"]), of)
    made = snapshot(workspace, of)
    quoting = RuleResult(source="calls", rule="sum", rows=2, failed=1, detail=f'not a number: ["{NOBODY}"]')
    other = RuleResult(source="calls", rule="n", rows=2, failed=0, detail=f"found {NOBODY}s")
    with workspace.metadata.begin() as transaction:
        load = transaction.all(Load, "harbour")[-1]
        transaction.put(msgspec.structs.replace(load, rules=(quoting, other), all_rules=(quoting,)))
        transaction.put(msgspec.structs.replace(made, rules=(quoting,)))
    assert found_of(workspace, of, column="owner", value=NOBODY).rows["facts"] == 2
    erase(workspace, of, column="owner", value=NOBODY, **ASKED)
    with workspace.metadata.begin() as transaction:
        load, (left,) = transaction.all(Load, "harbour")[-1], transaction.all(Snapshot, "harbour")
    assert [one.detail for one in (*load.rules, *load.all_rules, *left.rules)] == [
        FORGOTTEN,
        other.detail,
        FORGOTTEN,
        FORGOTTEN,
    ]
    assert load.rules[0].failed == 1


def test_erased_once_more_under_a_changed_contract_all_columns_are_known(workspace: Workspace) -> None:
    before, after = product(owned("owner")), product(owned("holder"), "2.0.0")
    land(workspace, sources(owner=["Eve", "Bob"]), before)
    erase(workspace, before, column="owner", value=NOBODY, **ASKED)
    land(workspace, sources(holder=["Eve", "Bob"]), after)
    smuggled = workspace.tables.read("harbour.source.calls").head(1).with_columns(owner=pl.lit(NOBODY))
    workspace.tables.append("harbour.source.calls", smuggled, writer="smuggler", version=1)
    again = erase(workspace, after, column="owner", value=NOBODY, **ASKED)
    assert again.id == "e0001"
    assert "holder" in again.declared["calls"]
    assert holding(workspace, NOBODY) == []
