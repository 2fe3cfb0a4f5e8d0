"""Journal segments reach the tables exactly once, whatever is repeated."""

import dataclasses
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.contract.types import polars_schema
from seatrial.cycle.drain import drain, outcomes_schema, predictions_schema
from seatrial.cycle.settle import Settlement
from seatrial.errors import LeaseLost
from seatrial.facts.ejection import Ejection
from seatrial.facts.finding import Incident
from seatrial.facts.records import decode_outcome, decode_predictions, encode_record, only_rows
from seatrial.facts.release import Phase, Release
from seatrial.facts.tables import ACTIONS
from seatrial.ports.journal import Segment
from seatrial.product.product import Product
from seatrial.serve.actions import ActionIntake
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


def act(world: World, *keys: str, **changes: Any) -> None:
    """Actions on these keys, reported and sealed."""
    reports = [{"key": key, "done": True, "by": "ann", **changes} for key in keys]
    assert ActionIntake(world.product, world.writer, world.clock).accept(reports).accepted == len(keys)
    world.writer.seal()


def test_actions_are_in_their_table_once_and_a_correction_beside_them() -> None:
    world = World()
    act(world, "p1", "p2")
    drained = drain(world.workspace, world.product)
    assert drained.actions.equals(world.stored("actions"))
    assert drained.actions.schema == pl.Schema(polars_schema(ACTIONS))
    act(world, "p1", done=False, revision=1)
    assert drain(world.workspace, world.product).actions.height == 1
    assert drain(world.workspace, world.product).actions.height == 0
    stored = world.stored("actions").select("key", "done", "revision").rows()
    assert sorted(stored) == [("p1", False, 1), ("p1", True, 0), ("p2", True, 0)]


def answered_again(world: World, key: str | None, *, copies: int = 1, score: float = 0.5) -> None:
    """The first prediction of the journal given again, as by a server that does not know of the first."""
    [segment] = [one for one in world.journal.sealed() if one.kind == "predictions"][:1]
    block = only_rows(decode_predictions(segment.records[0]), [0])
    again = msgspec.structs.replace(block, prediction_id=["again"], idempotency_key=[key], score=[score])
    other = world.journal.writer("other")
    other.append("predictions", [encode_record(again)] * copies)
    other.close()


def test_what_was_answered_again_under_its_idempotency_key_is_stored_once() -> None:
    world = World()
    served(world)
    answered_again(world, "k", copies=2, score=0.25)
    answered_again(world, "k", score=0.75)
    drained = drain(world.workspace, world.product)
    drain(world.workspace, world.product)
    assert drained.predictions.height == world.sent_on(0).height + 1
    stored = world.stored("predictions").filter(pl.col("prediction_id") == "again")
    assert stored["score"].to_list() == [0.25]
    world.serve_day(1)
    answered_again(world, "k")
    assert drain(world.workspace, world.product).predictions.height == world.sent_on(1).height
    assert world.stored("predictions").filter(pl.col("prediction_id") == "again").height == 1


def ejected(world: World, release: str) -> None:
    """A server puts a canary out of its traffic, and says so."""
    seen = Ejection(
        product=world.product.name,
        release=release,
        reason="errors",
        at=world.clock.now(),
        rows=100,
        failed=90,
        seconds=0.1,
        live_seconds=0.01,
    )
    world.writer.append("ejections", [encode_record(seen)])
    world.writer.seal()


def test_a_canary_that_a_server_ejected_is_rolled_back_once_and_others_stay() -> None:
    world = World()
    live = world.launch()
    canary = msgspec.structs.replace(live, id="r0002", phase=Phase.CANARY, share=0.5)
    with world.metadata.begin() as transaction:
        transaction.put(canary)
    ejected(world, "r0001")
    ejected(world, "r0009")
    assert drain(world.workspace, world.product).segments == 2
    assert [release.phase for release in world.releases()] == [Phase.LIVE, Phase.CANARY]
    ejected(world, "r0002")
    world.journal.keeps_all = True
    for _ in range(2):
        assert drain(world.workspace, world.product).aside == 0
        assert [release.phase for release in world.releases()] == [Phase.LIVE, Phase.ROLLED_BACK]
    assert len([entry for entry in world.logbook() if entry.subject == "r0002"]) == 1


def test_records_of_an_unknown_kind_are_set_aside() -> None:
    world = World()
    world.writer.append("rumours", [b"noise"])
    world.writer.seal()
    drained = drain(world.workspace, world.product)
    assert (drained.segments, drained.aside) == (0, 1)
    assert "records of rumours" in incidents(world)[0].cause


@pytest.mark.parametrize("jump", [timedelta(days=-9000), timedelta(days=9000)])
def test_a_clock_that_jumps_between_segments_loses_and_repeats_nothing(jump: timedelta) -> None:
    world = World()
    served(world)
    for place, name in enumerate([*world.journal.segments]):
        world.journal.segments[name] = received_later(world.journal.segments[name], place * jump)
    [segment] = [one for one in world.journal.sealed() if one.kind == "predictions"]
    later = received_later(segment, jump, renamed="again-")
    world.journal.keep(msgspec.structs.replace(later, number=segment.number + 5))
    world.journal.keeps_all = True
    drained = drain(world.workspace, world.product)
    sent = world.sent_on(0).height
    assert (drained.predictions.height, drained.outcomes.height) == (2 * sent, sent)
    # In either order: the later one again after a crash, then the first.
    for _ in range(2):
        again = drain(world.workspace, world.product)
        assert (again.predictions.height, again.outcomes.height) == (0, 0)
    assert world.stored("predictions")["prediction_id"].n_unique() == 2 * sent


def received_later(segment: Segment, by: timedelta, *, renamed: str = "") -> Segment:
    """The segment as a server whose clock stood elsewhere would have written it."""
    moved = []
    for record in segment.records:
        if segment.kind == "predictions":
            block = decode_predictions(record)
            received = [moment + by // timedelta(microseconds=1) for moment in block.received_at]
            names = [f"{renamed}{name}" for name in block.prediction_id]
            fact = msgspec.structs.replace(block, received_at=received, prediction_id=names)
            moved.append(encode_record(fact))
        else:
            outcome = decode_outcome(record)
            fresh = msgspec.structs.replace(outcome, received_at=outcome.received_at + by)
            moved.append(encode_record(fresh))
    return msgspec.structs.replace(segment, records=moved)


def with_columns(product: Product, **changed: str) -> Product:
    """The product folder as it is now: other columns than when it was released; an empty type removes one."""
    columns = {name: kind for name, kind in {**product.columns, **changed}.items() if kind}
    return dataclasses.replace(product, columns=columns)


def answer_with(world: World, **features: Any) -> None:
    """One more prediction, which holds these features."""
    block = only_rows(decode_predictions(world.journal.sealed()[0].records[0]), [0])
    held = {**block.features, **{name: [value] for name, value in features.items()}}
    more = msgspec.structs.replace(block, prediction_id=["px"], features=held)
    world.writer.append("predictions", [encode_record(more)])
    world.writer.seal()


def incidents(world: World) -> list[Incident]:
    with world.metadata.begin() as transaction:
        return transaction.all(Incident, world.product.name)


def test_a_column_that_the_next_release_drops_is_stored_as_long_as_the_live_one_has_it() -> None:
    world = World()
    served(world)
    present = with_columns(world.product, heavy="")
    drained = drain(world.workspace, present)
    heavy = world.sent_on(0)["heavy"].drop_nulls().sort().to_list()
    assert world.stored("predictions")["feature_heavy"].drop_nulls().sort().to_list() == heavy
    assert drained.predictions.schema == pl.Schema(predictions_schema(present))


def test_a_column_that_is_not_released_yet_gets_no_place_before_a_record_holds_it() -> None:
    world = World()
    served(world)
    present = with_columns(world.product, colour="string", tall="float")
    answer_with(world, tall=1.5)
    drain(world.workspace, present)
    stored = world.stored("predictions")
    assert "feature_colour" not in stored.columns
    assert stored["feature_tall"].drop_nulls().to_list() == [1.5]


def test_a_column_of_a_release_that_was_replaced_meanwhile_is_stored() -> None:
    world = World()
    served(world)
    with world.metadata.begin() as transaction:
        [release] = transaction.all(Release, world.product.name)
        transaction.put(msgspec.structs.replace(release, phase=Phase.RETIRED))
    drain(world.workspace, with_columns(world.product, heavy=""))
    assert world.stored("predictions")["feature_heavy"].null_count() < world.sent_on(0).height


def test_a_changed_type_is_stored_under_the_type_that_is_there() -> None:
    world = World()
    served(world)
    drain(world.workspace, world.product)
    world.serve_day(1)
    present = with_columns(world.product, size="string")
    drained = drain(world.workspace, present)
    assert (drained.aside, drained.unfit) == (0, {})
    assert drained.predictions.schema["feature_size"] == pl.String
    stored = world.stored("predictions").filter(pl.col("key").is_in(world.sent_on(1)["parcel_id"].implode()))
    assert sorted(stored["feature_size"].drop_nulls()) == sorted(world.sent_on(1)["size"].drop_nulls())


def test_a_release_with_another_type_does_not_end_the_loop() -> None:
    world = World()
    served(world)
    drain(world.workspace, world.product)
    name = "late-parcels.predictions"
    # What an earlier release, whose contract had sizes as text and distances as whole numbers, left in the table.
    earlier = pl.col("feature_size").cast(pl.String), pl.col("feature_distance").cast(pl.Int64)
    world.tables.frames[name] = world.tables.frames[name].with_columns(*earlier)
    world.serve_day(1)
    rows = world.sent_on(1)
    drained = drain(world.workspace, world.product)
    assert (drained.aside, drained.unfit) == (0, {"feature_distance": rows.height})
    stored = world.stored("predictions").filter(pl.col("key").is_in(rows["parcel_id"].implode()))
    assert sorted(stored["feature_size"].drop_nulls()) == sorted(
        str(size) for size in rows["size"].drop_nulls()
    )
    assert stored["feature_distance"].null_count() == rows.height


def test_values_that_fit_no_type_are_missing_counted_and_told_once() -> None:
    world = World()
    served(world)
    answer_with(world, size="large", city=7)
    drained = drain(world.workspace, world.product)
    assert drained.unfit == {"feature_size": 1}
    [row] = world.stored("predictions").filter(pl.col("prediction_id") == "px").to_dicts()
    assert (row["feature_size"], row["feature_city"]) == (None, "7")
    [incident] = incidents(world)
    assert (incident.kind, incident.release, incident.closed_at) == ("fault", "r0001", None)
    assert "1 values of feature_size" in incident.cause
    world.serve_day(1)
    answer_with(world, size="huge")
    drain(world.workspace, world.product)
    assert incidents(world) == [incident]
    assert world.kinds().count("incident opened") == 1


def test_a_segment_that_does_not_decode_is_set_aside_and_the_others_are_stored() -> None:
    world = World()
    world.launch()
    world.writer.append("predictions", [b"noise"])
    world.writer.seal()
    world.serve_day(0)
    drained = drain(world.workspace, world.product)
    assert (drained.segments, drained.aside) == (2, 1)
    assert world.stored("predictions").height == world.sent_on(0).height
    [(segment, reason)] = world.journal.kept_aside.values()
    assert list(segment.records) == [b"noise"]
    [incident] = incidents(world)
    assert (incident.id, incident.kind, incident.measure) == (
        f"segment-{segment.writer}-{segment.number}",
        "fault",
        "segment set aside",
    )
    entry = world.logbook()[-1]
    assert (entry.kind, entry.subject, entry.body["reason"]) == ("segment set aside", incident.id, reason)
    assert drain(world.workspace, world.product).aside == 0
    assert world.kinds().count("segment set aside") == 1


def test_a_segment_that_the_table_refuses_is_set_aside_until_it_is_put_back() -> None:
    world = World()
    served(world)
    name = "late-parcels.predictions"
    world.tables.append(name, pl.DataFrame({"score": ["high"]}), writer="by hand", version=1)
    drained = drain(world.workspace, world.product)
    assert (drained.segments, drained.aside) == (1, 1)
    assert "column score" in incidents(world)[0].cause
    del world.tables.frames[name]
    [(segment, _)] = world.journal.kept_aside.values()
    world.journal.keep(segment)
    assert drain(world.workspace, world.product).predictions.height == world.sent_on(0).height
    assert incidents(world)[0].closed_by == "stored"


def test_who_lost_the_lease_sets_nothing_aside() -> None:
    world = World()
    world.launch()
    lease = world.metadata.acquire("loop", "one", 10.0)
    assert lease is not None
    world.metadata.release(lease)
    world.writer.append("predictions", [b"noise"])
    world.writer.seal()
    with pytest.raises(LeaseLost):
        drain(world.workspace, world.product, lease=lease)
    assert len(world.journal.sealed()) == 1
    assert incidents(world) == []


def test_a_settlement_takes_in_what_was_drained_under_changed_types() -> None:
    world = World()
    served(world)
    drain(world.workspace, world.product)
    present = with_columns(world.product, size="string", heavy="int")
    settlement = Settlement(world.workspace, present)
    world.serve_day(1)
    settlement.take_in(drain(world.workspace, present))
    assert settlement.pending == world.sent_on(0).height + world.sent_on(1).height
