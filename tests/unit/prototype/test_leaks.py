"""Planted leaks are found by the mechanism that made them; strong honest columns are left alone."""

import numpy as np
import polars as pl
import pytest

from seatrial.prototype.leaks import Suspicion, find_leaks
from tests.bookings_world import HONEST, Bookings, bookings, planted

MATURED = pl.col("arrives_at") + pl.duration(days=1)


def suspected(
    frame: pl.DataFrame, *, later: tuple[str, ...] = (), planned: bool = True
) -> dict[str, Suspicion]:
    found = find_leaks(
        frame,
        label="cancelled",
        made_at="booked_at",
        known_at="settled_at",
        matured_at=MATURED if planned else None,
        later=later,
        key="booking_id",
    )
    return {one.column: one for one in found}


@pytest.fixture(scope="module")
def world() -> Bookings:
    return bookings(7)


@pytest.fixture(scope="module")
def found(world: Bookings) -> dict[str, Suspicion]:
    return suspected(planted(world))


@pytest.mark.parametrize(
    ("column", "mechanism", "verdict"),
    [
        ("status", "outcome in disguise", "refused"),
        ("parking", "certain outcome", "refused"),
        ("room_key", "outcome in disguise", "refused"),
        ("country", "written until the end", "ask"),
        ("changes", "written until the end", "refused"),
        ("assigned", "written until the end", "refused"),
        ("days_waiting", "counts the wait", "refused"),
    ],
)
def test_a_planted_leak_is_found_by_what_made_it(
    found: dict[str, Suspicion], column: str, mechanism: str, verdict: str
) -> None:
    assert (found[column].mechanism, found[column].verdict) == (mechanism, verdict)


def test_of_two_siblings_only_the_one_that_was_written_again_is_suspected(
    found: dict[str, Suspicion],
) -> None:
    assert "reserved" not in found


def test_honest_columns_beside_leaks_are_left_alone(found: dict[str, Suspicion]) -> None:
    assert not found.keys() & set(HONEST)


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_strong_honest_columns_are_never_refused(strength: float) -> None:
    refused = [
        str(one)
        for seed in range(4)
        for one in suspected(bookings(seed, strength=strength).frame).values()
        if one.verdict == "refused"
    ]
    assert refused == []


def test_evidence_tells_rows_rates_and_days(found: dict[str, Suspicion]) -> None:
    assert found["parking"].evidence.startswith("1: ")
    assert "0.00% with the outcome (0 exceptions; overall " in found["parking"].evidence
    assert "equal to reserved: " in found["assigned"].evidence


def test_two_columns_that_add_up_to_an_outcome_column_are_both_refused(world: Bookings) -> None:
    chance = np.random.default_rng(1)
    registered, casual = (chance.poisson(100, world.frame.height) for _ in range(2))
    frame = world.having(registered=registered, casual=casual, riders=registered + casual)
    found = suspected(frame, later=("riders",))
    assert {one: found[one].mechanism for one in found} == dict.fromkeys(
        ("registered", "casual"), "part of an outcome"
    )
    assert "riders = casual + registered in 100.00% of rows" in found["registered"].evidence


def test_a_copy_of_an_outcome_column_is_refused(world: Bookings) -> None:
    refund = np.random.default_rng(2).gamma(2, 50, world.frame.height)
    found = suspected(world.having(refund=refund, repaid=refund), later=("refund",))
    assert "equals refund" in found["repaid"].evidence


def test_a_moment_that_is_when_the_outcome_was_known_is_refused(world: Bookings) -> None:
    found = suspected(world.having(last_update=world.frame["settled_at"]))
    assert found["last_update"].mechanism == "time of the outcome"
    assert "arrives_at" not in found


def test_a_number_that_tells_the_wait_is_refused_where_the_plan_does_not_tell_it(world: Bookings) -> None:
    frame = world.having(open_for=world.waited_days * 24)
    assert suspected(frame)["open_for"].verdict == "refused"
    assert suspected(frame, planned=False)["open_for"].verdict == "ask"


def test_a_value_of_few_days_proves_nothing(world: Bookings) -> None:
    first = world.frame["booked_at"].dt.date() < pl.date(2025, 1, 6)
    group = world.frame.select((first & pl.col("cancelled")).alias("group"))["group"]
    assert group.sum() > 50
    assert "group" not in suspected(world.having(group=group))


def test_what_follows_from_the_time_of_the_decision_is_innocent() -> None:
    world = bookings(3)
    at_night = (world.frame["booked_at"].dt.hour() < 4).to_numpy()
    clock = world.having(hour=world.frame["booked_at"].dt.truncate("1h").dt.hour(), copy=at_night)
    clock = clock.with_columns(
        booked_at=pl.col("booked_at").dt.truncate("1h"), cancelled=pl.col("cancelled") & ~pl.Series(at_night)
    )
    assert "hour" not in suspected(clock)
    assert "copy" not in suspected(clock)


def test_nearly_certain_values_are_asked_about_not_refused(world: Bookings) -> None:
    chance = np.random.default_rng(4)
    bound = world.cancelled & (chance.random(len(world.cancelled)) < 0.4)
    bound[np.flatnonzero(~world.cancelled)[::400]] = True
    one = suspected(world.having(no_refund=bound))["no_refund"]
    assert (one.mechanism, one.verdict) == ("certain outcome", "ask")


def test_the_far_end_of_an_honest_number_is_asked_about_not_refused(world: Bookings) -> None:
    warmth = np.random.default_rng(6).integers(0, 20, world.frame.height)
    cold = world.having(warmth=warmth).with_columns(cancelled=pl.col("cancelled") & (pl.col("warmth") > 2))
    one = suspected(cold)["warmth"]
    assert (one.verdict, one.mechanism) == ("ask", "certain outcome")
    assert one.evidence.startswith("at most 2: ")


def test_without_a_planned_end_a_rewritten_column_is_asked_about(world: Bookings) -> None:
    assert suspected(planted(world), planned=False)["assigned"].verdict == "ask"


def test_outcomes_known_at_once_leave_no_time_to_write(world: Bookings) -> None:
    frame = planted(world).with_columns(settled_at=pl.col("booked_at"))
    assert not {"country", "changes", "days_waiting"} & suspected(frame).keys()


def test_waits_that_are_all_alike_order_nothing(world: Bookings) -> None:
    """Rows come in the order of time: where waits are tied, a trend over the year is no growth with the wait."""
    trend = np.random.default_rng(5).random(world.frame.height) < np.linspace(0, 0.4, world.frame.height)
    frame = world.having(campaigns=trend.astype(int)).with_columns(
        settled_at=pl.col("booked_at") + pl.duration(hours=1)
    )
    assert "campaigns" not in suspected(frame)


def test_few_rows_or_one_outcome_tell_nothing(world: Bookings) -> None:
    assert suspected(planted(world).head(400)) == {}
    assert suspected(planted(world).with_columns(cancelled=pl.lit(True))) == {}
