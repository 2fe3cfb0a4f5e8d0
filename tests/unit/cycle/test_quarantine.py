"""What is done about rows in quarantine, on a workspace: corrected, replayed, settled, logged."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from seatrial.cycle.quarantine import (
    check_names,
    declare,
    drafted,
    planned,
    replay,
    sources_aside,
    withdraw,
    would_replay,
)
from seatrial.cycle.tools import SourceHistory
from seatrial.data.quarantine import open_rows
from seatrial.data.read import stored_tables
from seatrial.errors import Conflict, ExpressionInvalid, NotFound
from seatrial.facts.quarantine import Correction
from seatrial.ports.workspace import Workspace
from tests.fakes.clock import MemoryClock
from tests.fakes.sources import MemorySources
from tests.fakes.workspace import memory_workspace
from tests.harbour import PRODUCT_FILE, call, frame, harbour_product, tide

PRODUCT = harbour_product()
NOW = datetime(2025, 3, 1, tzinfo=UTC)


class Harbour:
    """A workspace whose calls were read: three sound ones, and two with a crew of less than one."""

    def __init__(self) -> None:
        self.workspace: Workspace = memory_workspace(MemoryClock(NOW))
        calls = frame("calls", [call(0, 1), call(1, 2, crew=-12), call(2, 3), call(3, 4, crew=0), call(4, 5)])
        ships = frame("ships", [{"ship": "Argo", "length": 20.0}])
        self.sources = MemorySources(
            {"calls": calls, "tides": frame("tides", [tide(0, 4.0)]), "ships": ships}
        )
        self.land()

    def land(self) -> None:
        SourceHistory(make_reader=lambda: self.sources, workspace=self.workspace).land(PRODUCT)

    def draft(self, rule: str = "crew.minimum", **changes: Any) -> Correction:
        given = {
            "values": {"crew": "0 - crew"},
            "where": "",
            "why": "typed with a dash",
            "by": "me",
        } | changes
        return drafted(PRODUCT, self.workspace, source="calls", rule=rule, **given)

    def replay(self) -> Any:
        return replay(PRODUCT, self.workspace, "calls", actor="me")

    def calls(self) -> list[str]:
        return sorted(stored_tables(PRODUCT, self.workspace).frames["calls"]["call"])

    def aside(self) -> list[int]:
        return open_rows(self.workspace.tables, PRODUCT.name)["line"].to_list()

    def log(self) -> list[tuple[str, str, str]]:
        with self.workspace.metadata.begin() as transaction:
            return [(entry.kind, entry.subject, entry.actor) for entry in transaction.logbook()][-3:]


def test_a_correction_is_tried_on_what_is_put_aside_before_it_is_recorded() -> None:
    harbour = Harbour()
    draft = harbour.draft()
    plan = planned(PRODUCT, harbour.workspace, "calls", trying=[draft])
    assert (draft.id, plan.corrected, plan.still["rule"].to_list()) == (
        "c0001",
        {"c0001": 1},
        ["crew.minimum"],
    )
    assert (harbour.calls(), harbour.aside()) == (["c0", "c2", "c4"], [1, 3])
    assert would_replay(PRODUCT, harbour.workspace, "calls").rows == 0


def test_a_replay_takes_in_what_passes_once_and_leaves_the_rest_aside() -> None:
    harbour = Harbour()
    declare(harbour.workspace, harbour.draft())
    found = harbour.replay()
    assert (found.rows, found.corrected, found.still) == (1, {"c0001": 1}, {"crew.minimum": 1})
    assert found.load == "calls-0002"
    assert (harbour.calls(), harbour.aside()) == (["c0", "c1", "c2", "c4"], [3])
    crew = stored_tables(PRODUCT, harbour.workspace).frames["calls"].filter(pl.col("call") == "c1")["crew"]
    assert crew.to_list() == [12]
    again = harbour.replay()
    assert (again.rows, again.load, harbour.aside()) == (0, "", [3])


def test_what_a_replay_took_in_is_there_still_when_the_same_rows_are_delivered_again() -> None:
    harbour = Harbour()
    declare(harbour.workspace, harbour.draft())
    harbour.replay()
    more = frame("calls", [call(5, 6)])
    harbour.sources.frames["calls"] = pl.concat([harbour.sources.frames["calls"], more])
    harbour.land()
    assert (harbour.calls(), harbour.aside()) == (["c0", "c1", "c2", "c4", "c5"], [3])


def test_a_replay_that_was_killed_before_it_noted_what_it_took_in_is_noted_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harbour = Harbour()
    declare(harbour.workspace, harbour.draft())
    with monkeypatch.context() as patched:
        patched.setattr("seatrial.cycle.quarantine._settle", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            harbour.replay()
    assert harbour.aside() == [1, 3]
    found = harbour.replay()
    assert (found.rows, found.stored, found.still) == (0, 1, {"crew.minimum": 1})
    assert (harbour.calls(), harbour.aside()) == (["c0", "c1", "c2", "c4"], [3])


def test_every_step_is_in_the_logbook_with_who_took_it_and_without_values() -> None:
    harbour = Harbour()
    draft = harbour.draft(values={"crew": "12"}, where="ship = 'Argo'")
    declare(harbour.workspace, draft)
    harbour.replay()
    withdraw(harbour.workspace, PRODUCT.name, "c0001", actor="you")
    assert harbour.log() == [
        ("source loaded", "calls-0002", "seatrial"),
        ("quarantine replayed", "calls", "me"),
        ("correction withdrawn", "c0001", "you"),
    ]
    with harbour.workspace.metadata.begin() as transaction:
        assert "Argo" not in str([entry.body for entry in transaction.logbook()])


def test_a_withdrawn_correction_lets_nothing_through_any_more() -> None:
    harbour = Harbour()
    declare(harbour.workspace, harbour.draft())
    withdraw(harbour.workspace, PRODUCT.name, "c0001", actor="me")
    assert (harbour.replay().rows, harbour.aside()) == (0, [1, 3])


def test_what_cannot_be_is_refused_by_name() -> None:
    harbour = Harbour()
    with pytest.raises(NotFound, match="no source boats; it has calls, tides, ships"):
        sources_aside(PRODUCT, harbour.workspace, "boats")
    with pytest.raises(NotFound, match="no correction c9; there are: none"):
        withdraw(harbour.workspace, PRODUCT.name, "c9", actor="me")
    with pytest.raises(ExpressionInvalid, match=r"crew\.maximum: puts no row of calls aside"):
        harbour.draft(rule="crew.maximum")
    assert sources_aside(PRODUCT, harbour.workspace) == ["calls"]


def test_columns_that_rows_were_delivered_with_may_be_read_by_a_correction() -> None:
    harbour = Harbour()
    calls = harbour.sources.frames["calls"].with_columns(sign=pl.lit("minus"))
    harbour.sources.frames["calls"] = calls
    harbour.land()
    declare(harbour.workspace, harbour.draft(where="sign = 'minus'"))
    assert harbour.replay().rows == 1


def test_a_replay_judges_what_lies_in_the_future_by_the_clock_that_loading_goes_by() -> None:
    harbour = Harbour()
    coming = call(7, 0, announced_at=NOW + timedelta(days=9), berthed_at=None, late=None, hours_late=None)
    harbour.sources.frames["calls"] = pl.concat([harbour.sources.frames["calls"], frame("calls", [coming])])
    harbour.land()
    assert harbour.aside() == [1, 3, 5]
    assert planned(PRODUCT, harbour.workspace, "calls").rows.height == 0
    latest = NOW + timedelta(days=8, hours=12)
    assert would_replay(PRODUCT, harbour.workspace, "calls", latest=latest).rows == 1
    found = replay(PRODUCT, harbour.workspace, "calls", actor="me", latest=latest)
    assert (found.rows, harbour.aside()) == (1, [1, 3])
    assert "c7" in harbour.calls()


def test_names_that_are_not_there_are_refused_with_those_that_are() -> None:
    harbour = Harbour()
    check_names(PRODUCT, harbour.workspace, source="tides")
    check_names(PRODUCT, harbour.workspace, source="calls", rule="crew.minimum")
    with pytest.raises(NotFound, match="no source boats; it has calls, tides, ships"):
        check_names(PRODUCT, harbour.workspace, source="boats")
    with pytest.raises(
        NotFound, match=r"source calls has no rule crew\.maximum .* it has crew\.minimum, call"
    ):
        check_names(PRODUCT, harbour.workspace, source="calls", rule="crew.maximum")


def test_a_source_that_must_be_read_anew_is_read_before_its_rows_are_replayed() -> None:
    harbour = Harbour()
    changed = harbour_product(PRODUCT_FILE.replace("calls.csv", "all-calls.csv"))
    with pytest.raises(Conflict, match="`seatrial data` reads it anew"):
        replay(changed, harbour.workspace, "calls", actor="me")


def test_a_later_row_of_an_increment_is_not_overwritten_by_one_that_was_put_aside_before_it() -> None:
    product = harbour_product(
        PRODUCT_FILE.replace("{path: calls.csv}", "{path: calls.csv, incremental: basin}")
    )
    workspace = memory_workspace(MemoryClock(NOW))
    harbour = Harbour()
    sources = harbour.sources
    history = SourceHistory(make_reader=lambda: sources, workspace=workspace)
    history.land(product)
    later = frame("calls", [call(1, 2, crew=7)])
    sources.frames["calls"] = pl.concat([sources.frames["calls"], later])
    history.land(product)
    draft = drafted(
        product,
        workspace,
        source="calls",
        rule="crew.minimum",
        values={"crew": "0 - crew"},
        where="",
        why="typed with a dash",
        by="me",
    )
    declare(workspace, draft)
    found = replay(product, workspace, "calls", actor="me")
    assert (found.rows, found.replaced, found.still) == (0, 1, {"crew.minimum": 1})
    calls = stored_tables(product, workspace).frames["calls"]
    assert calls.filter(pl.col("call") == "c1")["crew"].to_list() == [7]
    assert open_rows(workspace.tables, product.name)["line"].to_list() == [3]
