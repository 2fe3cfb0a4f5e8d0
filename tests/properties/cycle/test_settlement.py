"""However answers, outcomes, bookings and restarts are interleaved, the books come out the same."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.cycle.drain import drain
from seatrial.cycle.settle import Settlement
from tests.parcels_loop import DAY, LAUNCH, World

ROWS = 6
things = st.lists(
    st.tuples(st.just("report"), st.integers(0, ROWS - 1))
    | st.tuples(st.sampled_from(["settle", "restart", "pass"]), st.just(0)),
    max_size=14,
)


@settings(max_examples=20)
@given(before=things, after=things)
def test_every_outcome_reaches_the_ledger_whenever_it_comes(
    before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    world = World(more="retrain: {on: []}\n", rows=300)
    world.launch()
    rows = world.sent_on(0)[:ROWS]
    settlement = Settlement(world.workspace, world.product)
    reported: set[int] = set()

    def do(what: str, number: int) -> None:
        nonlocal settlement
        world.clock.advance(DAY / 50)
        if what == "report":
            reported.add(number)
            world.report(rows[number : number + 1])
        if what == "restart":
            settlement = Settlement(world.workspace, world.product)
        if what == "pass":
            world.clock.advance(DAY / 4)
        world.writer.seal()
        settlement.take_in(drain(world.workspace, world.product))
        if what == "settle":
            settlement.settle(world.clock.now())

    for thing in before:
        do(*thing)
    world.clock.advance_to(LAUNCH + DAY)
    world.answer(rows)
    for thing in after:
        do(*thing)
    world.clock.advance_to(LAUNCH + 9 * DAY)
    do("settle", 0)

    assert settlement.pending == 0
    ledger = world.stored("ledger")
    assert ledger["batch"].null_count() == 0
    assert ledger.filter(~pl.col("awaited")).height == rows.height
    assert ledger["value"].count() == len(reported)
    truth = dict(zip(rows["parcel_id"], rows["late"], strict=True))
    known = {rows["parcel_id"][number] for number in reported}
    labels = dict(world.ledger().select("key", "label").iter_rows())
    assert labels == {key: late if key in known else None for key, late in truth.items()}
    assert settlement.totals.unknown == 0
    assert (settlement.totals.settled, settlement.totals.joined) == (rows.height, len(reported))
    # Counted as they came, the totals are those of the whole tables.
    assert Settlement(world.workspace, world.product).totals == settlement.totals
    assert settlement.unmatched() == 0
