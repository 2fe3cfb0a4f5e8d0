"""Outcomes: row by row, journaled before they are acknowledged."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from seatrial.contract.model import ColumnContract
from seatrial.errors import JournalUnavailable
from seatrial.facts.prediction import Outcome
from seatrial.facts.records import OUTCOMES, decode_outcome
from seatrial.serve.outcomes import OutcomeIntake
from seatrial.serve.request import Receipt
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import START, hotel_product


def taken(*rows: Any) -> tuple[Receipt, list[Outcome]]:
    journal = MemoryJournal()
    writer = journal.writer()
    receipt = OutcomeIntake(hotel_product(), writer, MemoryClock(START)).accept(rows)
    writer.seal()
    found = [
        decode_outcome(record)
        for segment in journal.sealed()
        if segment.kind == OUTCOMES
        for record in segment.records
    ]
    return receipt, found


def test_an_outcome_by_prediction_is_recorded_with_its_values() -> None:
    given = {"prediction_id": "p1", "is_canceled": True, "refund": 20.0, "revision": 2}
    receipt, [outcome] = taken(given | {"known_at": "2024-12-31T01:00:00+01:00"})
    assert (receipt.accepted, receipt.refused) == (1, ())
    assert (outcome.prediction_id, outcome.key, outcome.revision) == ("p1", None, 2)
    assert outcome.values == {"is_canceled": True, "refund": 20.0}
    assert outcome.known_at == datetime(2024, 12, 31, tzinfo=UTC)
    assert outcome.received_at == START


def test_an_outcome_by_key_is_known_now_and_a_first_report_unless_it_says_otherwise() -> None:
    _, [outcome] = taken({"key": 7, "is_canceled": False})
    assert (outcome.key, outcome.known_at, outcome.revision) == ("7", START, 0)
    assert outcome.values == {"is_canceled": False, "refund": None}


def test_good_outcomes_are_taken_and_every_fault_of_the_others_is_named() -> None:
    receipt, recorded = taken(
        {"key": "a", "is_canceled": "yes", "refund": "much", "revision": -1},
        {"key": "b", "is_canceled": True},
        {"is_canceled": True},
        {"key": "c"},
        {"key": "d", "is_canceled": True, "weather": 1},
        17,
    )
    assert (receipt.accepted, [outcome.key for outcome in recorded]) == (1, ["b"])
    named = [(int(str(fault["row"])), str(fault["field"])) for fault in receipt.refused]
    assert sorted(named) == sorted(
        [
            (0, "is_canceled"),
            (0, "refund"),
            (0, "revision"),
            (2, "prediction_id"),
            (3, "is_canceled"),
            (4, "weather"),
            (5, ""),
        ]
    )
    assert [row for row, _ in named] == sorted(row for row, _ in named)


def test_outcomes_that_cannot_be_journaled_are_not_acknowledged() -> None:
    writer = MemoryJournal().writer()
    writer.fails = True
    intake = OutcomeIntake(hotel_product(), writer, MemoryClock(START))
    with pytest.raises(JournalUnavailable):
        intake.accept([{"key": "b", "is_canceled": True}])


def test_refusals_show_no_value_of_a_classified_column_nor_a_classified_key() -> None:
    secret = ColumnContract(name="guest", type="string", classification="pii")
    product = hotel_product(secret)
    columns = [
        msgspec.structs.replace(one, classification="pii") if one.name == product.key else one
        for one in product.request.columns
    ]
    table = msgspec.structs.replace(product.request, columns=tuple(columns))
    contract = msgspec.structs.replace(product.contract, tables=(table, *product.contract.tables[1:]))
    writer = MemoryJournal().writer()
    intake = OutcomeIntake(dataclasses.replace(product, contract=contract), writer, MemoryClock(START))
    receipt = intake.accept(["Ada", {"key": ["Ada"], "is_canceled": True}, {"key": "b", "is_canceled": "no"}])
    assert receipt.accepted == 0
    assert [fault["received"] for fault in receipt.refused] == ["***", "***", '"no"']
