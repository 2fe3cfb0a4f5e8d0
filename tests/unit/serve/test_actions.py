"""Actions: row by row, journaled before they are acknowledged."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from seatrial.errors import JournalUnavailable
from seatrial.facts.action import Action
from seatrial.facts.records import ACTIONS, decode_action
from seatrial.product.product import Product
from seatrial.serve.actions import ActionIntake
from seatrial.serve.request import Receipt
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.training import START, parcels_product

PRODUCT = parcels_product()


def taken(*rows: Any, product: Product = PRODUCT) -> tuple[Receipt, list[Action]]:
    journal = MemoryJournal()
    writer = journal.writer()
    receipt = ActionIntake(product, writer, MemoryClock(START)).accept(rows)
    writer.seal()
    found = [
        decode_action(record)
        for segment in journal.sealed()
        if segment.kind == ACTIONS
        for record in segment.records
    ]
    return receipt, found


def test_an_action_by_prediction_is_recorded_with_who_did_it_and_when() -> None:
    given = {"prediction_id": "p1", "done": False, "by": "ann", "revision": 2}
    receipt, [action] = taken(given | {"at": "2024-12-31T01:00:00+01:00"})
    assert (receipt.accepted, receipt.refused) == (1, ())
    assert action == Action(
        prediction_id="p1",
        key=None,
        done=False,
        by="ann",
        at=datetime(2024, 12, 31, tzinfo=UTC),
        received_at=START,
        revision=2,
    )


def test_an_action_by_key_was_done_now_by_nobody_in_particular_unless_it_says_otherwise() -> None:
    _, [action] = taken({"key": 7, "done": True})
    assert (action.key, action.done, action.by, action.at, action.revision) == ("7", True, None, START, 0)


def test_good_actions_are_taken_and_every_fault_of_the_others_is_named() -> None:
    receipt, recorded = taken(
        {"key": "a", "done": "yes", "at": "yesterday", "revision": -1},
        {"key": "b", "done": True},
        {"done": True},
        {"key": "c"},
        {"key": "d", "done": True, "weather": 1},
        17,
        {"key": "e", "done": 1},
        {"key": "f", "done": None},
        {"key": ["g"], "done": True, "by": 7},
    )
    assert (receipt.accepted, [action.key for action in recorded]) == (1, ["b"])
    named = [(int(str(fault["row"])), str(fault["field"])) for fault in receipt.refused]
    assert sorted(named) == sorted(
        [
            (0, "done"),
            (0, "at"),
            (0, "revision"),
            (2, "prediction_id"),
            (3, "done"),
            (4, "weather"),
            (5, ""),
            (6, "done"),
            (7, "done"),
            (8, "key"),
            (8, "by"),
        ]
    )
    assert [row for row, _ in named] == sorted(row for row, _ in named)


def test_actions_that_cannot_be_journaled_are_not_acknowledged() -> None:
    writer = MemoryJournal().writer()
    writer.fails = True
    with pytest.raises(JournalUnavailable):
        ActionIntake(PRODUCT, writer, MemoryClock(START)).accept([{"key": "b", "done": True}])


def test_nothing_good_writes_nothing() -> None:
    writer = MemoryJournal().writer()
    writer.fails = True
    assert ActionIntake(PRODUCT, writer, MemoryClock(START)).accept([]).accepted == 0
    assert ActionIntake(PRODUCT, writer, MemoryClock(START)).accept([{"key": "b"}]).accepted == 0


def test_refusals_show_no_classified_key() -> None:
    columns = [
        msgspec.structs.replace(one, classification="pii") if one.name == PRODUCT.key else one
        for one in PRODUCT.request.columns
    ]
    table = msgspec.structs.replace(PRODUCT.request, columns=tuple(columns))
    contract = msgspec.structs.replace(PRODUCT.contract, tables=(table, *PRODUCT.contract.tables[1:]))
    product = dataclasses.replace(PRODUCT, contract=contract)
    receipt, recorded = taken(
        "Ada", {"key": ["Ada"], "done": True}, {"key": "b", "done": "no"}, product=product
    )
    assert recorded == []
    assert [fault["received"] for fault in receipt.refused] == ["***", "***", '"no"']
