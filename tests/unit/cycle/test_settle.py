"""Outcomes that come twice, late, out of order or for nobody; and settlement by a worker that starts anew."""

from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.cycle.books import statement_of
from seatrial.cycle.drain import drain
from seatrial.cycle.overview import overview_of
from seatrial.cycle.settle import Settlement
from seatrial.errors import LeaseLost
from seatrial.facts.job import Progress
from seatrial.facts.records import PREDICTIONS, decode_predictions, encode_record, only_rows
from tests.parcels_loop import DAY, LAUNCH, World, by_key

MINUTE = 60_000_000  # microseconds


class Books:
    """A live product, its settlement, and shorter words for what happens to it."""

    def __init__(self) -> None:
        self.world = World()
        self.world.launch()
        self.rows = self.world.sent_on(0)
        self.settlement = self.start()

    def start(self) -> Settlement:
        return Settlement(self.world.workspace, self.world.product)

    def at(self, days: float) -> None:
        self.world.clock.advance_to(LAUNCH + days * DAY)

    def take_in(self) -> None:
        self.world.writer.seal()
        self.settlement.take_in(drain(self.world.workspace, self.world.product))

    def settle(self) -> int:
        return self.settlement.settle(self.world.clock.now())[1].height

    def answered(self) -> None:
        """All requests of the first day."""
        self.at(1)
        self.world.answer(self.rows)
        self.world.writer.seal()
        [segment] = self.world.journal.sealed()
        [self.made] = map(decode_predictions, segment.records)
        self.take_in()

    def reported(self, rows: pl.DataFrame, **changes: object) -> None:
        self.world.report(rows, **changes)
        self.take_in()


def test_nothing_is_settled_before_it_matured_and_everything_after() -> None:
    books = Books()
    books.answered()
    books.reported(books.rows)
    assert books.settle() == 0
    books.at(1.5)
    early = books.rows.filter(pl.col("matured_at") <= books.world.clock.now()).height
    assert 0 < early < books.rows.height
    assert (books.settle(), books.settlement.pending) == (early, books.rows.height - early)
    books.at(2)
    assert (books.settle(), books.settlement.pending) == (books.rows.height - early, 0)
    assert books.settle() == 0


def test_the_ledger_holds_each_prediction_once_with_its_outcome() -> None:
    books = Books()
    books.answered()
    books.reported(books.rows)
    books.at(2)
    books.settle()
    late = dict(books.rows.select("parcel_id", "late").iter_rows())
    assert {key: row["label"] for key, row in by_key(books.world.ledger()).items()} == late
    assert books.world.stored("ledger").height == books.rows.height
    totals = books.settlement.totals
    assert (totals.settled, totals.joined, totals.without_outcome) == (
        books.rows.height,
        books.rows.height,
        0,
    )
    assert (totals.duplicates, totals.corrected, totals.unknown) == (0, 0, 0)


def test_outcomes_that_come_before_their_prediction_find_it() -> None:
    books = Books()
    books.at(1)
    books.reported(books.rows)
    assert books.settlement.totals.unknown == books.rows.height
    books.world.answer(books.rows)
    books.take_in()
    assert books.settlement.totals.unknown == 0
    books.at(2)
    books.settle()
    assert books.settlement.totals.joined == books.rows.height


def test_an_outcome_that_is_reported_twice_counts_once() -> None:
    books = Books()
    books.answered()
    books.reported(books.rows)
    books.reported(books.rows[:4])
    books.at(2)
    books.settle()
    assert (books.settlement.totals.joined, books.settlement.totals.duplicates) == (books.rows.height, 4)
    assert books.settlement.totals.corrected == 0
    books.reported(books.rows[:3])
    assert books.settlement.totals.duplicates == 7
    assert books.world.stored("ledger").height == books.rows.height


def test_outcomes_of_nobody_are_counted_and_book_nothing() -> None:
    books = Books()
    books.answered()
    books.reported(books.world.sent_on(3)[:5])
    books.at(2)
    books.settle()
    assert (books.settlement.totals.unknown, books.settlement.totals.joined) == (5, 0)
    assert books.settlement.totals.without_outcome == books.rows.height
    assert books.world.ledger()["value"].null_count() == books.rows.height


def test_a_first_outcome_after_settlement_gets_a_batch_of_its_own_that_readers_prefer() -> None:
    books = Books()
    books.answered()
    books.reported(books.rows[1:])
    books.at(2)
    books.settle()
    [key] = books.rows["parcel_id"][:1]
    assert by_key(books.world.ledger())[key]["label"] is None
    books.at(3)
    books.reported(books.rows[:1])
    stored = books.world.stored("ledger")
    assert stored.height == books.rows.height + 1
    assert stored.filter(pl.col("key") == key)["batch"].sort().to_list() == [1, 2]
    assert stored.filter(pl.col("batch") == 2)["awaited"].to_list() == [True]
    standing = by_key(books.world.ledger())[key]
    assert standing["label"] == books.rows["late"][0]
    assert standing["value"] is not None
    totals = books.settlement.totals
    assert (totals.late, totals.corrected, totals.duplicates) == (1, 0, 0)
    assert (totals.joined, totals.without_outcome) == (books.rows.height, 0)
    assert books.settlement.settle(books.world.clock.now())[0] == 3


def test_what_corrects_a_late_outcome_has_no_batch() -> None:
    books = Books()
    books.answered()
    books.at(2)
    books.settle()
    books.reported(books.rows[:3])
    books.at(3)
    books.reported(books.rows[:3].with_columns(~pl.col("late")), revision=1)
    stored = books.world.stored("ledger").filter(pl.col("settled_at") == books.world.clock.now())
    assert (stored.height, stored["batch"].null_count(), stored["awaited"].any()) == (3, 3, False)
    totals = books.settlement.totals
    assert (totals.late, totals.corrected, totals.duplicates) == (3, 3, 0)


def test_a_report_by_id_and_a_later_one_by_key_are_weighed_against_each_other() -> None:
    books = Books()
    books.answered()
    first = books.world.stored("predictions").filter(pl.col("key") == books.rows["parcel_id"][0])
    named = {"prediction_id": first["prediction_id"][0], "late": bool(books.rows["late"][0]), "weight": 1.0}
    books.world.intake.accept([{**named, "known_at": books.world.clock.now(), "revision": 5}])
    books.take_in()
    books.at(2)
    books.settle()
    books.reported(books.rows[:1].with_columns(~pl.col("late")))
    assert by_key(books.world.ledger())[first["key"][0]]["label"] == named["late"]


def test_a_later_revision_corrects_what_was_booked() -> None:
    books = Books()
    books.answered()
    books.reported(books.rows)
    books.at(2)
    books.settle()
    books.at(3)
    turned = books.rows[:2].with_columns(~pl.col("late"))
    books.reported(turned, revision=1)
    labels = {key: row["label"] for key, row in by_key(books.world.ledger()).items()}
    assert [labels[key] for key in turned["parcel_id"]] == turned["late"].to_list()
    assert (books.settlement.totals.corrected, books.settlement.totals.duplicates) == (2, 0)


def test_a_worker_that_starts_anew_has_the_same_pending_and_books_the_same() -> None:
    books = Books()
    books.answered()
    books.reported(books.rows[::2])
    books.at(1.5)
    books.settle()
    books.reported(books.rows[1::2])
    first, books.settlement = books.settlement, books.start()
    assert books.settlement.pending == first.pending > 0
    assert sorted(books.settlement._outcomes["key"]) == sorted(first._outcomes["key"])
    books.at(2)
    books.settle()
    assert books.world.ledger()["label"].null_count() == 0
    assert books.world.stored("ledger")["batch"].unique().sort().to_list() == [1, 2, 3]


def test_late_outcomes_that_a_killed_worker_stored_but_did_not_book_are_booked_by_the_next() -> None:
    books = Books()
    books.answered()
    books.at(2)
    books.settle()
    books.world.report(books.rows)
    books.world.writer.seal()
    drain(books.world.workspace, books.world.product)
    books.settlement = books.start()
    assert books.world.ledger()["label"].null_count() == 0
    rows = books.world.stored("ledger").height
    books.start()
    assert books.world.stored("ledger").height == rows


def test_a_second_prediction_of_a_key_gets_its_outcome_though_the_first_is_settled() -> None:
    books = Books()
    books.answered()
    books.at(2)
    books.settle()
    again = books.rows[:1].with_columns(sent_at=pl.lit(LAUNCH + 1.5 * DAY))
    books.world.answer(again)
    books.take_in()
    books.reported(books.rows[:1])
    for restarted in (False, True):
        settlement = books.start() if restarted else books.settlement
        assert settlement._outcomes["key"].to_list() == again["parcel_id"].to_list()
    books.at(3)
    books.settle()
    both = books.world.ledger().filter(pl.col("key") == again["parcel_id"][0])
    assert both["label"].to_list() == [books.rows["late"][0]] * 2


def test_a_worker_that_was_overtaken_books_nothing_more() -> None:
    books = Books()
    books.answered()
    books.at(2)
    other = books.start()
    other.settle(books.world.clock.now())
    before = books.world.stored("ledger")
    with pytest.raises(LeaseLost, match="booked already"):
        books.settle()
    assert books.world.stored("ledger").equals(before)


def test_a_prediction_that_is_drained_twice_is_pending_once() -> None:
    books = Books()
    books.at(1)
    books.world.answer(books.rows)
    books.world.writer.seal()
    drained = drain(books.world.workspace, books.world.product)
    books.settlement.take_in(drained)
    books.settlement.take_in(drained)
    assert books.settlement.pending == books.rows.height


def answered_again(books: Books, number: int, **changes: Any) -> None:
    """One of the answers a second time under its prediction id, as a retry to another server is answered."""
    again = only_rows(books.made, [books.made.key.index(books.rows["parcel_id"][number])])
    books.world.writer.append(PREDICTIONS, [encode_record(msgspec.structs.replace(again, **changes))])
    books.take_in()


def standing_release(books: Books, number: int) -> list[str]:
    rows = books.world.stored("ledger").filter(pl.col("key") == books.rows["parcel_id"][number])
    return rows.filter(pl.col("assigned") != "shadow")["release"].to_list()


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_of_answers_under_one_id_the_first_received_is_booked(earlier: bool, restarted: bool) -> None:
    books = Books()
    books.answered()
    received = [books.made.received_at[0] + (-MINUTE if earlier else MINUTE)]
    answered_again(books, 0, release="r0002", received_at=received)
    answered_again(books, 1, received_at=received)
    if restarted:
        books.settlement = books.start()
    books.at(2)
    assert books.settle() == books.rows.height
    assert standing_release(books, 0) == ["r0002" if earlier else "r0001"]
    assert statement_of(books.world.workspace, books.world.product).matured == books.rows.height
    assert (books.settlement.totals.repeated, books.settlement.totals.settled) == (2, books.rows.height)


@pytest.mark.parametrize("restarted", [False, True])
def test_an_answer_that_comes_again_after_it_was_booked_is_left_out(restarted: bool) -> None:
    books = Books()
    books.answered()
    books.at(2)
    books.settle()
    if restarted:
        books.settlement = books.start()
    answered_again(books, 0, release="r0002")
    answered_again(books, 1)
    if restarted:
        books.settlement = books.start()
    assert (books.settlement.pending, books.settle()) == (0, 0)
    books.reported(books.rows)
    assert standing_release(books, 0) == ["r0001", "r0001"]
    assert books.settlement.totals.repeated == 2
    assert (books.settlement.totals.joined, books.settlement.totals.late) == (books.rows.height,) * 2


def test_a_shadow_of_the_first_answer_stands_though_its_release_answered_the_retry() -> None:
    books = Books()
    books.answered()
    answered_again(books, 0, release="r0002", received_at=[books.made.received_at[0] + MINUTE])
    answered_again(books, 0, release="r0002", assigned=["shadow"], served=["shadow"])
    books.at(2)
    books.settle()
    booked = books.world.ledger().filter(pl.col("key") == books.rows["parcel_id"][0])
    assert sorted(booked.select("release", "assigned").iter_rows()) == [
        ("r0001", "live"),
        ("r0002", "shadow"),
    ]


def test_totals_are_stored_once_they_change_and_the_next_worker_goes_on_from_them() -> None:
    books = Books()
    books.answered()
    books.reported(books.rows[:5])
    books.reported(books.rows[:2])
    books.at(2)
    books.settle()
    books.settlement.store(None)
    totals = books.settlement.totals
    assert (totals.joined, totals.duplicates) == (5, 2)
    seen = overview_of(books.world.workspace, books.world.product.name).outcomes
    assert seen == msgspec.structs.asdict(totals)
    effects = books.world.fate.effects
    books.settlement.store(None)
    assert books.world.fate.effects == effects
    assert books.start().totals == totals


def test_totals_of_a_worker_that_died_before_it_stored_them_are_counted_anew() -> None:
    books = Books()
    books.answered()
    books.settlement.store(None)
    books.reported(books.rows[:5])
    books.reported(books.rows[:2])
    answered_again(books, 0)
    books.at(2)
    books.settle()
    books.reported(books.rows[4:9])
    assert books.start().totals == books.settlement.totals
    assert (books.settlement.totals.late, books.settlement.totals.duplicates) == (4, 3)


def test_a_worker_that_starts_where_the_last_one_stored_values_nothing_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books = Books()
    books.answered()
    books.at(2)
    books.settle()
    books.settlement.store(None)
    read = list[str]()
    tables = books.world.tables
    whole = tables.read

    def noted(table: str, *, where: pl.Expr | None = None, columns: Any = None) -> pl.DataFrame:
        if where is None and columns is None:
            read.append(table)
        return whole(table, where=where, columns=columns)

    monkeypatch.setattr(tables, "read", noted)
    books.start()
    assert read == ["late-parcels.outcomes"]
    books.world.report(books.rows)
    books.world.writer.seal()
    drain(books.world.workspace, books.world.product)
    books.start()
    assert "late-parcels.ledger" in read


def test_a_lost_lease_stores_no_totals() -> None:
    books = Books()
    books.answered()
    lease = books.world.metadata.acquire("loop:late-parcels", "one", 600)
    books.at(2)
    assert books.world.metadata.acquire("loop:late-parcels", "two", 600) is not None
    with pytest.raises(LeaseLost, match="two"):
        books.settlement.store(lease)
    with books.world.metadata.begin() as transaction:
        assert transaction.all(Progress) == []
