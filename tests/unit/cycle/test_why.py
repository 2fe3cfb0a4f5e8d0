"""Why a row is, or is not, in the training data: one answer for each way that a row can take."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, Contract
from seatrial.contract.odcs import write_contract
from seatrial.cycle.tools import SourceHistory
from seatrial.cycle.why import why
from seatrial.data.erasure import commitment_of
from seatrial.data.snapshot import examples_as_of, save_snapshot
from seatrial.errors import NotFound
from seatrial.facts.erasure import DONE, Erasure
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from tests.asset import trained
from tests.fakes.clock import MemoryClock
from tests.fakes.sources import MemorySources
from tests.fakes.workspace import memory_workspace
from tests.harbour import PRODUCT_FILE, TABLES, call, frame, harbour_product, tide

PRODUCT = harbour_product()
NOW = datetime(2025, 1, 20, tzinfo=UTC)
DAY = 24.0


class Harbour:
    """A workspace with ten days of calls; the call of the last hours and one without outcome among them."""

    def __init__(self) -> None:
        self.clock = MemoryClock(NOW)
        self.workspace: Workspace = memory_workspace(self.clock)
        rows = [call(number, number * DAY / 2) for number in range(20)]
        late = NOW - timedelta(hours=2)
        rows += [
            call(50, 18.5 * DAY, berthed_at=late),
            call(51, DAY, late=None, berthed_at=None),
            call(52, 2 * DAY, crew=0),
        ]
        rows += [call(53, 3 * DAY, berthed_at=NOW + timedelta(hours=5))]
        ships = frame("ships", [{"ship": "Argo", "length": 20.0}])
        self.sources = MemorySources(
            {"calls": frame("calls", rows), "tides": frame("tides", [tide(0, 4.0)]), "ships": ships}
        )
        self.land()

    @property
    def calls(self) -> pl.DataFrame:
        return self.sources.frames["calls"]

    def deliver(self, calls: pl.DataFrame) -> None:
        self.clock.advance(hours=1)
        self.sources.frames["calls"] = calls
        self.land()

    def land(self) -> None:
        self.history.land(PRODUCT)

    @property
    def history(self) -> SourceHistory:
        return SourceHistory(make_reader=lambda: self.sources, workspace=self.workspace)

    def snapshot(self) -> Snapshot:
        history, now = self.history.read(PRODUCT), self.clock.now()
        rows = examples_as_of(PRODUCT, history.examples, now)
        made = save_snapshot(PRODUCT, rows, history.tables, self.workspace, as_of=now, at=now)
        self.put(made)
        return made

    def put(self, *facts: Any) -> None:
        with self.workspace.metadata.begin() as transaction:
            for fact in facts:
                transaction.put(fact)

    def why(self, *keys: object, snapshot: str = "") -> list[tuple[str, str]]:
        answers = why(PRODUCT, self.workspace, keys, snapshot=snapshot)
        return [(answer.reason, answer.words) for answer in answers]


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def test_nothing_can_be_said_before_anything_was_read() -> None:
    with pytest.raises(NotFound, match="nothing was read of source calls yet"):
        why(PRODUCT, memory_workspace(), ["c1"])


def test_a_row_is_in_no_snapshot_before_one_was_made(harbour: Harbour) -> None:
    reason, words = harbour.why("c1")[0]
    assert reason == "not taken in yet"
    assert "load calls-0001 of 2025-01-20 00:00 delivered it, and no snapshot was made yet" in words


@pytest.mark.parametrize(
    ("key", "reason", "words"),
    [
        ("c1", "in the snapshot", "it is an example of snapshot 1"),
        ("c50", "not matured", "until 2025-01-21 12:00; the snapshot holds what had by 2025-01-20 00:00"),
        ("c51", "no outcome yet", "its outcome is not known yet"),
        ("c52", "put aside", "(crew.minimum: expected at least 1, received 0)"),
        ("c53", "outcome known later", "became known on 2025-01-20 05:00, after 2025-01-20 00:00"),
        ("c99", "never delivered", "no delivery of calls held it"),
    ],
)
def test_each_way_a_row_can_take_has_its_answer(harbour: Harbour, key: str, reason: str, words: str) -> None:
    snapshot = harbour.snapshot()
    found = harbour.why(key)[0]
    assert found[0] == reason
    assert words in found[1]
    assert harbour.why(key, snapshot=snapshot.id[:15]) == [found]


def test_what_came_after_the_snapshot_is_told_with_its_load(harbour: Harbour) -> None:
    harbour.snapshot()
    harbour.deliver(pl.concat([harbour.calls, frame("calls", [call(60, DAY)])]))
    reason, words = harbour.why("c60")[0]
    assert reason == "delivered later"
    assert "load calls-0002 of 2025-01-20 01:00 delivered it, after the snapshot was made" in words


def test_what_is_delivered_no_more_is_told_with_the_load_that_lacked_it(harbour: Harbour) -> None:
    harbour.deliver(harbour.calls.filter(pl.col("call") != "c3"))
    harbour.snapshot()
    assert harbour.why("c3")[0] == (
        "removed",
        "it was delivered, and since load calls-0002 of 2025-01-20 01:00 it is delivered no more",
    )


def _erasure(column: str, value: str) -> Erasure:
    return Erasure(
        id="e1",
        product=PRODUCT.name,
        column=column,
        columns={"calls": (column,)},
        salt="salt",
        commitment=commitment_of("salt", value),
        state=DONE,
        rows={},
        snapshots=(),
        models=(),
        why="asked for",
        by="me",
        at=NOW,
    )


def test_an_erased_row_is_known_by_its_commitment_alone(harbour: Harbour) -> None:
    harbour.snapshot()
    harbour.put(_erasure("call", "c77"))
    assert harbour.why("c77", "c78")[0] == ("erased", "it was erased on 2025-01-20 00:00 (e1): asked for")
    assert harbour.why("c78")[0][0] == "never delivered"


def test_what_was_erased_by_another_column_is_not_known_any_more(harbour: Harbour) -> None:
    harbour.put(_erasure("ship", "Bounty"))
    reason, words = harbour.why("c77")[0]
    assert reason == "not known"
    assert "it may have been there: e1 of 2025-01-20 00:00 erased rows by their ship" in words
    assert harbour.why("Bounty")[0][0] == "not known"
    assert harbour.why("c3")[0][0] == "not taken in yet"


def test_what_may_have_been_too_old_is_not_known_any_more(harbour: Harbour) -> None:
    kept = harbour_product(PRODUCT_FILE + "governance: {retention: 10d}\n")
    answer = why(kept, harbour.workspace, ["c77"])[0]
    assert (answer.reason, answer.words.split(": ")[-1]) == (
        "not known",
        "rows from before 2025-01-10 00:00 are not kept",
    )


def test_a_row_is_followed_through_all_tables_that_the_source_had(harbour: Harbour) -> None:
    calls, tides, ships = TABLES
    more = msgspec.structs.replace(calls, columns=(*calls.columns, ColumnContract(name="x", type="string")))
    wider = Contract(id="harbour", version="1.1.0", tables=(more, tides, ships))
    other = Contract(id="harbour", version="2.0.0", tables=TABLES)
    first, then = (parse_product(PRODUCT_FILE, write_contract(one)) for one in (wider, other))
    workspace = memory_workspace(harbour.clock)
    rows = harbour.calls.with_columns(x=pl.lit("x"))

    def land(of: Product, calls: pl.DataFrame) -> None:
        harbour.clock.advance(hours=1)
        reader = MemorySources({**harbour.sources.frames, "calls": calls})
        SourceHistory(make_reader=lambda: reader, workspace=workspace).land(of)

    land(first, rows)
    land(first, rows.filter(pl.col("call") != "c1"))
    land(then, harbour.calls.filter(~pl.col("call").is_in(["c1", "c2"])))
    land(then, harbour.calls.filter(~pl.col("call").is_in(["c1", "c2", "c3"])))
    told = why(then, workspace, ["c1", "c2", "c3", "c4", "c99"])
    assert [one.reason for one in told] == [*["removed"] * 3, "not taken in yet", "never delivered"]
    assert [one.words.split("load ")[1][:10] for one in told[:3]] == [
        "calls-0002",
        "calls-0003",
        "calls-0004",
    ]
    assert len(workspace.tables.names("harbour.source.calls")) == 2


def test_a_row_that_was_put_aside_and_came_again_in_order_is_told_with_its_past(harbour: Harbour) -> None:
    harbour.deliver(
        harbour.calls.with_columns(pl.when(pl.col("call") == "c52").then(9).otherwise("crew").alias("crew"))
    )
    harbour.snapshot()
    answer = why(PRODUCT, harbour.workspace, ["c52"])[0]
    assert answer.reason == "in the snapshot"
    assert [(one.rule, one.load, one.open) for one in answer.aside] == [("crew.minimum", "calls-0001", False)]


def test_what_a_model_used_a_row_for_is_told(harbour: Harbour) -> None:
    snapshot = harbour.snapshot()
    harbour.put(msgspec.structs.replace(trained(snapshot), product=PRODUCT.name))
    answers = {one.key: one for one in why(PRODUCT, harbour.workspace, [f"c{n}" for n in range(20)])}
    uses = [answers[f"c{number}"].use for number in range(20)]
    assert uses == sorted(uses, key=["training", "embargo", "validation"].index)
    assert set(uses) == {"training", "embargo", "validation"}
    assert f"model {'c4' * 6} was fitted on it; its threshold" in answers["c0"].words


def test_keys_are_found_however_they_are_written_and_no_key_is_nothing(harbour: Harbour) -> None:
    odd = 'c"8\\é'
    harbour.deliver(pl.concat([harbour.calls, frame("calls", [call(0, 1, call=odd, crew=0)])]))
    harbour.snapshot()
    assert [reason for reason, _ in harbour.why(odd, None)] == ["put aside", "never delivered"]
    assert harbour.why(None) == [("never delivered", "it has no key")]
    assert harbour.why() == []


def test_a_load_is_no_snapshot(harbour: Harbour) -> None:
    harbour.snapshot()
    with pytest.raises(NotFound, match="calls-0001 is a load of source calls; expected a snapshot"):
        why(PRODUCT, harbour.workspace, ["c1"], snapshot="calls-0001")
