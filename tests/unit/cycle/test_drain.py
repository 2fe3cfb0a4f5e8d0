"""Journal segments reach the tables exactly once, whatever is repeated."""

import msgspec
import polars as pl

from seatrial.cycle.drain import drain, outcomes_schema, predictions_schema
from tests.parcels_loop import World


def served(world: World) -> None:
    world.launch()
    world.serve_day(0)


def test_what_was_answered_and_reported_is_in_the_tables_and_the_journal_is_empty() -> None:
    world = World()
    served(world)
    rows = world.sent_on(0)
    drained = drain(world.workspace, world.product)
    assert (drained.segments, drained.cut_bytes) == (2, 0)
    assert sorted(world.stored("predictions")["key"]) == sorted(rows["parcel_id"])
    assert sorted(world.stored("outcomes")["key"]) == sorted(rows["parcel_id"])
    assert world.journal.sealed() == []
    assert drained.predictions.height == drained.outcomes.height == rows.height


def test_a_crash_before_the_discard_repeats_nothing() -> None:
    world = World()
    served(world)
    world.journal.keeps_all = True
    drain(world.workspace, world.product)
    before = {name: world.stored(name) for name in ("predictions", "outcomes")}
    again = drain(world.workspace, world.product)
    assert (again.predictions.height, again.outcomes.height, again.segments) == (0, 0, 2)
    assert all(world.stored(name).equals(frame) for name, frame in before.items())
    world.serve_day(1)
    more = drain(world.workspace, world.product)
    assert more.predictions.height == world.sent_on(1).height
    assert world.stored("predictions").height == world.sent_on(0).height + world.sent_on(1).height


def test_an_empty_journal_drains_to_nothing_in_the_right_columns() -> None:
    world = World()
    drained = drain(world.workspace, world.product)
    assert drained.segments == 0
    assert drained.predictions.schema == pl.Schema(predictions_schema(world.product))
    assert drained.outcomes.schema == pl.Schema(outcomes_schema(world.product))
    assert world.stored("predictions").width == 0


def test_every_column_known_at_the_decision_is_stored_under_its_name() -> None:
    world = World()
    served(world)
    stored = drain(world.workspace, world.product).predictions
    rows = world.sent_on(0).select(
        pl.col("parcel_id").alias("key"),
        *(pl.col(name).alias(f"feature_{name}") for name in ("size", "heavy")),
    )
    joined = stored.select("key", "feature_size", "feature_heavy").sort("key")
    assert joined.equals(rows.sort("key"))


def test_bytes_cut_from_damaged_segments_are_counted() -> None:
    world = World()
    served(world)
    for name, segment in list(world.journal.segments.items()):
        world.journal.segments[name] = msgspec.structs.replace(segment, cut_bytes=7)
    assert drain(world.workspace, world.product).cut_bytes == 14
