"""Sources landed: what is new is added, what broke the contract is kept aside, and nothing is lost on the way."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, Contract, ForeignKey, Freshness
from seatrial.contract.odcs import write_contract
from seatrial.data.changes import as_changes
from seatrial.data.landing import Landing
from seatrial.data.loads import last_load, loads_of, stored_rows
from seatrial.data.ports import Delivery
from seatrial.data.quarantine import open_rows
from seatrial.data.read import stored_tables
from seatrial.errors import Conflict, ContractInvalid, DataRefused, NotFound, SourceFailed
from seatrial.facts.load import Load
from seatrial.facts.tables import source_table
from seatrial.ports.workspace import Workspace
from seatrial.product.lookups import KNOWN_FROM
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from tests.fakes.clock import MemoryClock
from tests.fakes.sources import MemorySources
from tests.fakes.workspace import memory_workspace
from tests.harbour import PRODUCT_FILE, START, TABLES, call, frame, harbour_product, tide

PRODUCT = harbour_product()
INCREMENTAL = PRODUCT_FILE.replace(
    "calls: {path: calls.csv}", "calls: {path: calls.csv, incremental: announced_at}"
).replace("tides: {path: tides.csv}", "tides: {path: tides.csv, incremental: measured_at}")
FOLLOWED = harbour_product(INCREMENTAL)


def sources(*calls: dict[str, Any], tides: list[dict[str, Any]] | None = None) -> MemorySources:
    return MemorySources(
        {
            "calls": frame("calls", list(calls)),
            "tides": frame("tides", [tide(0, 4.0)] if tides is None else tides),
            "ships": frame("ships", [{"ship": "Argo", "length": 20.0}]),
        }
    )


def land(workspace: Workspace, reader: MemorySources, product: Product = PRODUCT) -> tuple[Load, ...]:
    return Landing(
        product=product, reader=reader, workspace=workspace, latest=lambda: START + timedelta(99)
    ).land()


def stored(workspace: Workspace, source: str = "calls", load: int | None = None) -> pl.DataFrame:
    with workspace.metadata.begin() as transaction:
        made = loads_of(transaction, "harbour", source)
    chosen = made[-1] if load is None else next(one for one in made if one.number == load)
    return stored_rows(workspace.tables, chosen)


def names(rows: pl.DataFrame) -> list[str]:
    return rows["call"].to_list()


def with_calls(change: Callable[[Any], Any], version: str = "1.1.0", file: str = PRODUCT_FILE) -> Product:
    """The product under another contract of its calls."""
    calls, *others = TABLES
    return parse_product(
        file, write_contract(Contract(id="harbour", version=version, tables=(change(calls), *others)))
    )


def test_the_first_landing_stores_every_sound_row_and_keeps_the_others_aside() -> None:
    workspace = memory_workspace()
    loads = land(workspace, sources(call(0, 1), call(1, 2, crew=0), call(2, 3)))
    assert [(one.id, one.delivered, one.added, one.quarantined) for one in loads] == [
        ("calls-0001", 3, 2, 1),
        ("tides-0001", 1, 1, 0),
        ("ships-0001", 1, 1, 0),
    ]
    assert names(stored(workspace)) == ["c0", "c2"]
    aside = open_rows(workspace.tables, "harbour", source="calls")
    assert aside.select("rule", "load", "line").rows() == [("crew.minimum", 1, 1)]


def test_nothing_new_makes_no_load() -> None:
    workspace = memory_workspace()
    reader = sources(call(0, 1), call(1, 2, crew=0))
    land(workspace, reader)
    assert land(workspace, reader) == ()


def test_a_whole_delivery_adds_what_is_new_and_removes_what_is_gone() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), call(1, 2), call(2, 3)))
    [load] = land(workspace, sources(call(0, 1), call(2, 3, crew=7), call(3, 4)))
    assert (load.added, load.removed) == (2, 2)
    assert names(stored(workspace)) == ["c0", "c2", "c3"]
    assert names(stored(workspace, load=1)) == ["c0", "c1", "c2"], "the earlier state can be read again"


def test_an_increment_is_added_to_what_is_there() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1)), FOLLOWED)
    [load] = land(workspace, sources(call(0, 1), call(1, 2)), FOLLOWED)
    assert (load.whole, load.delivered, load.added, load.removed) == (False, 1, 1, 0)
    assert names(stored(workspace)) == ["c0", "c1"]


def test_an_incremental_row_takes_the_place_of_the_one_with_its_key() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), call(1, 2)), FOLLOWED)
    [load] = land(workspace, sources(call(0, 1), call(1, 2), call(0, 3, crew=50)), FOLLOWED)
    assert (load.added, load.removed) == (1, 1)
    assert stored(workspace).select("call", "crew").rows() == [("c1", 11), ("c0", 50)]


def test_an_incremental_row_that_comes_again_is_skipped() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1)), FOLLOWED)
    [load] = land(workspace, sources(call(0, 1), call(0, 1), call(1, 2)), FOLLOWED)
    assert (load.delivered, load.added) == (2, 1)


def test_a_source_that_broke_is_told_and_the_others_are_landed() -> None:
    workspace = memory_workspace()
    reader = sources(call(0, 1))
    del reader.frames["ships"]
    with pytest.raises(SourceFailed, match="source ships: not there"):
        land(workspace, reader)
    assert names(stored(workspace)) == ["c0"]
    with pytest.raises(NotFound, match="nothing is stored of ships"):
        stored_tables(PRODUCT, workspace)


def test_too_many_bad_rows_stop_the_source_and_nothing_of_it_is_stored() -> None:
    workspace = memory_workspace()
    with pytest.raises(DataRefused, match="source calls: 2 of 3 rows"):
        land(workspace, sources(call(0, 1, crew=0), call(1, 2, crew=0), call(2, 3)))
    with workspace.metadata.begin() as transaction:
        assert last_load(transaction, "harbour", "calls") is None


def test_one_bad_row_in_a_small_increment_does_not_stop_it() -> None:
    workspace = memory_workspace()
    many = [call(number, number) for number in range(20)]
    land(workspace, sources(*many), FOLLOWED)
    [load] = land(workspace, sources(*many, call(20, 20, crew=0)), FOLLOWED)
    assert (load.delivered, load.added, load.quarantined) == (1, 0, 1)


def test_a_row_that_is_mended_at_its_source_is_put_aside_no_more() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), call(1, 2, crew=0)))
    land(workspace, sources(call(0, 1), call(1, 2, crew=3)))
    assert open_rows(workspace.tables, "harbour", source="calls").is_empty()
    [how] = workspace.tables.read("harbour.quarantine_settled")["how"].to_list()
    assert how == "delivered anew without it"


def test_a_bad_row_that_is_delivered_again_is_listed_once() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), call(1, 2, crew=0)))
    land(workspace, sources(call(0, 1), call(1, 2, crew=0), call(2, 3)))
    assert workspace.tables.rows("harbour.quarantine") == 1


def test_rows_stored_under_a_tighter_contract_are_checked_again() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), call(1, 2), call(2, 3)), FOLLOWED)
    tighter = with_calls(
        lambda table: msgspec.structs.replace(
            table,
            columns=tuple(
                msgspec.structs.replace(one, minimum=11) if one.name == "crew" else one
                for one in table.columns
            ),
        ),
        version="2.0.0",
        file=INCREMENTAL,
    )
    [load] = land(workspace, sources(call(0, 1), call(1, 2), call(2, 3)), tighter)
    assert (load.kind, load.removed, load.quarantined) == ("recheck", 1, 1)
    assert names(stored(workspace)) == ["c1", "c2"]


def test_rows_put_aside_under_a_stricter_contract_come_back_under_a_wider_one() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), call(1, 2, crew=0), call(2, 3)), FOLLOWED)
    wider = with_calls(
        lambda table: msgspec.structs.replace(
            table,
            columns=tuple(
                msgspec.structs.replace(one, minimum=0) if one.name == "crew" else one
                for one in table.columns
            ),
        ),
        file=INCREMENTAL,
    )
    land(workspace, sources(call(0, 1), call(1, 2, crew=0), call(2, 3)), wider)
    assert sorted(names(stored(workspace))) == ["c0", "c1", "c2"]
    assert open_rows(workspace.tables, "harbour", source="calls").is_empty()


def test_a_breaking_contract_without_a_new_major_version_is_refused() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1)))
    without = with_calls(
        lambda table: msgspec.structs.replace(
            table,
            columns=tuple(
                msgspec.structs.replace(one, required=True) if one.name == "ship" else one
                for one in table.columns
            ),
        )
    )
    with pytest.raises(ContractInvalid, match="ship"):
        land(workspace, sources(call(0, 1)), without)


def test_a_column_whose_type_changed_begins_a_table_of_its_own() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), call(1, 2)))
    floats = with_calls(
        lambda table: msgspec.structs.replace(
            table,
            columns=tuple(
                msgspec.structs.replace(one, type="float") if one.name == "crew" else one
                for one in table.columns
            ),
        ),
        version="2.0.0",
    )
    [load] = land(workspace, sources(call(0, 1), call(1, 2)), floats)
    assert load.table != source_table("harbour", "calls")
    assert stored(workspace)["crew"].to_list() == [10.0, 11.0]
    assert stored(workspace, load=1)["crew"].to_list() == [10, 11]


def test_what_could_not_be_read_as_rows_is_put_aside_too() -> None:
    workspace = memory_workspace()
    reader = sources(call(0, 1))
    reader.unreadable["calls"] = pl.DataFrame(
        {
            "line": [7],
            "rule": ["file.ragged"],
            "expected": ["9 fields"],
            "received": ["3 fields"],
            "row": ['"a,b,c"'],
        }
    )
    [calls, *_] = land(workspace, reader)
    assert (calls.delivered, calls.added, calls.quarantined) == (2, 1, 1)
    aside = open_rows(workspace.tables, "harbour", source="calls")
    assert aside.select("rule", "line", "row").rows() == [("file.ragged", 7, '"a,b,c"')]


STALE = Freshness(column="measured_at", seconds=7200)


def fresh_tides(file: str) -> Product:
    """The product, whose tides must not be older than two hours."""
    calls, tides, ships = TABLES
    tides = msgspec.structs.replace(tides, freshness=(STALE,))
    contract = Contract(id="harbour", version="1.0.0", tables=(calls, tides, ships))
    return parse_product(file, write_contract(contract))


def test_a_feed_that_stopped_is_refused_though_it_delivers_nothing_wrong() -> None:
    clock = MemoryClock(START + timedelta(hours=2))
    workspace = memory_workspace(clock)
    product = fresh_tides(INCREMENTAL)
    reader = sources(call(0, 1), tides=[tide(0, 4.0), tide(1, 5.0)])
    land(workspace, reader, product)
    clock.advance(hours=2)
    with pytest.raises(DataRefused, match="measured_at"):
        land(workspace, reader, product)
    reader.frames["tides"] = frame("tides", [tide(0, 4.0), tide(1, 5.0), tide(3, 6.0)])
    assert len(land(workspace, reader, product)) == 1


def test_rows_of_a_stale_feed_are_stored_all_the_same_and_the_logbook_tells() -> None:
    clock = MemoryClock(START + timedelta(hours=9))
    workspace = memory_workspace(clock)
    with pytest.raises(DataRefused, match="measured_at"):
        land(workspace, sources(call(0, 1)), fresh_tides(PRODUCT_FILE))
    assert stored(workspace, "tides").height == 1
    with workspace.metadata.begin() as transaction:
        told = [(entry.kind, entry.subject) for entry in transaction.logbook("harbour")]
    assert ("source refused", "tides") in told


def test_a_corrected_lookup_row_is_known_from_when_it_was_read() -> None:
    clock = MemoryClock(START)
    workspace = memory_workspace(clock)
    land(workspace, sources(call(0, 1), tides=[tide(0, 4.0), tide(1, 5.0)]))
    clock.advance(days=1)
    land(workspace, sources(call(0, 1), tides=[tide(0, 4.0), tide(1, 8.0), tide(2, 6.0)]))
    tides = stored_tables(PRODUCT, workspace).histories["tides"]
    later = START + timedelta(days=1)
    assert tides.select("depth", KNOWN_FROM).rows() == [(4.0, None), (5.0, None), (8.0, later), (6.0, None)]


def test_a_load_whose_record_was_lost_after_its_commit_is_recorded_and_not_repeated() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1)), FOLLOWED)
    lost = _Lost(workspace)
    with pytest.raises(_Killed):
        land(lost.workspace, sources(call(0, 1), call(1, 2)), FOLLOWED)
    loads = land(workspace, sources(call(0, 1), call(1, 2), call(2, 3)), FOLLOWED)
    assert [one.added for one in loads] == [1, 1], "the killed load was whole, and is told now"
    assert names(stored(workspace)) == ["c0", "c1", "c2"]


class _Killed(Exception):
    """Stands for the end of the process."""


class _Lost:
    """A workspace whose tables take the rows of calls and kill the process right after."""

    def __init__(self, workspace: Workspace) -> None:
        from dataclasses import replace

        self.tables = workspace.tables
        self.workspace = replace(workspace, tables=self)

    def append(self, table: str, rows: pl.DataFrame, *, writer: str, version: int) -> bool:
        self.tables.append(table, rows, writer=writer, version=version)
        raise _Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tables, name)


def with_known_ships() -> Product:
    """The product, whose calls must be of ships that are registered."""
    known = ForeignKey(columns=("ship",), table="ships", to=("ship",))
    return with_calls(lambda table: msgspec.structs.replace(table, foreign_keys=(known,)), version="1.0.0")


def test_a_table_is_landed_before_those_that_point_to_it_and_what_points_nowhere_is_put_aside() -> None:
    workspace = memory_workspace()
    loads = land(workspace, sources(call(0, 1), call(1, 2, ship="Nemo")), with_known_ships())
    assert [load.source for load in loads] == ["ships", "calls", "tides"]
    aside = open_rows(workspace.tables, "harbour", source="calls")
    assert aside["rule"].to_list() == ["ship.foreign_key"]


def test_a_row_that_pointed_nowhere_comes_back_with_what_it_points_to() -> None:
    workspace = memory_workspace()
    reader = sources(call(0, 1), call(1, 2, ship="Nemo"))
    land(workspace, reader, with_known_ships())
    reader.frames["ships"] = frame(
        "ships", [{"ship": "Argo", "length": 20.0}, {"ship": "Nemo", "length": 9.0}]
    )
    reader.frames["calls"] = frame("calls", [call(0, 1), call(1, 2, ship="Nemo"), call(2, 3)])
    land(workspace, reader, with_known_ships())
    assert names(stored(workspace)) == ["c0", "c1", "c2"]
    assert open_rows(workspace.tables, "harbour", source="calls").is_empty()


def changed_column(name: str, **changes: Any) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        columns = [
            msgspec.structs.replace(one, **changes) if one.name == name else one for one in table.columns
        ]
        return msgspec.structs.replace(table, columns=tuple(columns))

    return change


def test_columns_in_another_order_change_nothing_for_later_loads() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1)), FOLLOWED)
    turned = with_calls(
        lambda table: msgspec.structs.replace(table, columns=table.columns[::-1]), file=INCREMENTAL
    )
    land(workspace, sources(call(0, 1), call(1, 2)), turned)
    [load] = land(workspace, sources(call(0, 1), call(1, 2), call(2, 3)), turned)
    assert (load.added, load.rows) == (1, 3)


def test_a_source_without_a_sound_row_has_its_columns_all_the_same() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1), tides=[]))
    tides = stored_tables(PRODUCT, workspace).frames["tides"]
    assert (tides.height, tides.columns) == (0, ["quay", "basin", "measured_at", "depth"])


def test_a_row_that_a_wider_type_lets_in_takes_the_place_of_the_earlier_one() -> None:
    workspace = memory_workspace()
    reader = sources(call(0, 1), call(1, 2))
    land(workspace, reader, FOLLOWED)
    halves = reader.frames["calls"].with_columns(pl.col("crew").cast(pl.Float64))
    late = halves.head(1).with_columns(crew=pl.lit(10.5))
    reader.frames["calls"] = pl.concat([halves, late])
    land(workspace, reader, FOLLOWED)
    floats = with_calls(changed_column("crew", type="float"), version="2.0.0", file=INCREMENTAL)
    land(workspace, reader, floats)
    assert dict(stored(workspace).select("call", "crew").iter_rows()) == {"c0": 10.5, "c1": 11.0}


def test_what_was_corrected_before_a_new_contract_is_still_known_from_when_it_was_read() -> None:
    clock = MemoryClock(START)
    workspace = memory_workspace(clock)
    calls, tides, ships = TABLES
    flagged = msgspec.structs.replace(
        tides, columns=(*tides.columns, ColumnContract(name="flag", type="string"))
    )
    contract = Contract(id="harbour", version="1.0.0", tables=(calls, flagged, ships))
    for depth in (4.0, 8.0):
        reader = sources(call(0, 1), tides=[tide(0, depth)])
        reader.frames["tides"] = reader.frames["tides"].with_columns(flag=pl.lit("x"))
        land(workspace, reader, parse_product(PRODUCT_FILE, write_contract(contract)))
        clock.advance(days=1)
    without = msgspec.structs.replace(contract, version="2.0.0", tables=TABLES)
    product = parse_product(PRODUCT_FILE, write_contract(without))
    land(workspace, sources(call(0, 1), tides=[tide(0, 8.0)]), product)
    known = stored_tables(product, workspace).histories["tides"]
    assert known.select("depth", KNOWN_FROM).rows() == [(4.0, None), (8.0, START + timedelta(days=1))]


@pytest.mark.parametrize("between", [[], [tide(0, 4.0) | {"depth": None}]])
def test_a_lookup_row_that_comes_back_changed_is_known_from_when_it_came_back(
    between: list[dict[str, Any]],
) -> None:
    clock = MemoryClock(START)
    workspace = memory_workspace(clock)
    for day, tides in enumerate(([tide(0, 4.0)], between, [tide(0, 9.0)])):
        clock.moment = START + timedelta(days=day)
        land(workspace, sources(call(0, 1), tides=tides))
    known = stored_tables(PRODUCT, workspace).histories["tides"]
    told = dict(known.drop_nulls("depth").select("depth", KNOWN_FROM).iter_rows())
    assert told == {4.0: None, 9.0: START + timedelta(days=2)}


def test_bad_rows_do_not_get_in_by_being_judged_with_the_good_ones_before_them() -> None:
    workspace = memory_workspace()
    good = [call(number, number / 10) for number in range(1000)]
    land(workspace, sources(*good))
    bad = [call(number, number / 10, crew=0 if number % 4 else 5) for number in range(1000, 1200)]
    with pytest.raises(DataRefused, match="150 of 200 rows"):
        land(workspace, sources(*good, *bad))


def test_equal_rows_of_a_table_without_a_key_are_as_many_as_were_delivered() -> None:
    workspace = memory_workspace()
    files = Files([[tide(0, 4.0)], [tide(0, 4.0), tide(1, 5.0)]])
    for count in (1, 2):
        Landing(product=PRODUCT, reader=files.first(count), workspace=workspace).land(["tides"])
    assert stored(workspace, "tides")["depth"].to_list() == [4.0, 4.0, 5.0]


class Files:
    """A source of tides that delivers one file after the other, each once."""

    def __init__(self, files: list[list[dict[str, Any]]]) -> None:
        self.files = files

    def first(self, count: int) -> "Files":
        return Files(self.files[:count])

    def read(self, name: str, source: Any, folder: Any, *, since: Any = None) -> Any:
        for place in range(since["read"] if since else 0, len(self.files)):
            rows = frame(name, self.files[place])
            yield Delivery(frame=rows, position={"read": place + 1}, whole=False, origin=f"file {place}")


def test_a_table_is_not_taken_in_before_the_one_that_it_points_to() -> None:
    workspace = memory_workspace()
    reader = sources(call(0, 1))
    ships = reader.frames.pop("ships")
    with pytest.raises(SourceFailed, match="points to ships"):
        land(workspace, reader, with_known_ships())
    reader.frames["ships"] = ships
    assert [load.source for load in land(workspace, reader, with_known_ships())] == ["ships", "calls"]


def test_sums_count_a_row_once_however_often_it_comes_again() -> None:
    workspace = memory_workspace()
    bad, good = call(0, 1, crew=0), call(1, 2)
    first = [bad, good, *(call(number, number) for number in range(2, 9))]
    land(workspace, sources(*first), FOLLOWED)
    [load] = land(workspace, sources(*first, bad, good, call(9, 9)), FOLLOWED)
    assert (load.delivered, load.all_delivered, load.all_rejected) == (3, 10, 1)
    assert next(one for one in load.all_rules if one.rule == "crew.minimum").failed == 1


def test_rows_that_another_process_committed_meanwhile_are_not_doubled_and_none_is_lost() -> None:
    workspace = memory_workspace()
    land(workspace, sources(call(0, 1)), FOLLOWED)
    stale = _Overtaken(workspace, frame("calls", [call(0, 1), call(1, 2)])[1:])
    with pytest.raises(Conflict, match="another process"):
        land(stale.workspace, sources(call(0, 1), call(1, 2), call(2, 3)), FOLLOWED)
    land(workspace, sources(call(0, 1), call(1, 2), call(2, 3)), FOLLOWED)
    assert sorted(names(stored(workspace))) == ["c0", "c1", "c2"]
    assert land(workspace, sources(call(0, 1), call(1, 2), call(2, 3)), FOLLOWED) == ()


class _Overtaken(_Lost):
    """A workspace in which a process that lost its lease commits other rows of calls right before ours."""

    def __init__(self, workspace: Workspace, others: pl.DataFrame) -> None:
        super().__init__(workspace)
        self.others = others

    def append(self, table: str, rows: pl.DataFrame, *, writer: str, version: int) -> bool:
        if table == source_table("harbour", "calls"):
            changes = as_changes(self.others, self.others.clear(), version)
            self.tables.append(table, changes, writer=writer, version=version)
        return self.tables.append(table, rows, writer=writer, version=version)
