from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.facts.finding import Finding, Incident
from seatrial.observe.watch import WatchState, advance, from_plain, start, to_plain
from tests.ledger_streams import FIRST, in_two_bookings, ledger_days, model, product

PRODUCT = product()
MODEL = model(loss=0.18, value=0.7, spread=0.05)
STREAM = pl.concat(
    [
        ledger_days(np.random.default_rng(3), days=12, rows=15),
        ledger_days(np.random.default_rng(4), days=28, rows=15, chance=0.1, first=FIRST + timedelta(days=12)),
    ]
).sort("matured_at", "prediction_id")
END = FIRST + timedelta(days=60)


def fed(cuts: list[int], *, stored: bool) -> tuple[WatchState, list[Finding], list[Incident]]:
    """The stream in the batches that `cuts` make, each up to its own last maturity."""
    state = start(PRODUCT, MODEL, release="r0001")
    findings: list[Finding] = []
    incidents: list[Incident] = []
    edges = [0, *sorted(set(cuts)), STREAM.height]
    for begin, end in pairwise(edges):
        batch = STREAM.slice(begin, end - begin)
        at: datetime = batch["matured_at"].max() if end < STREAM.height else END  # type: ignore[assignment]
        state, found, raised = advance(state, PRODUCT, MODEL, batch, release="r0001", at=at)
        findings, incidents = findings + found, incidents + raised
        if stored:
            state = from_plain(msgspec.json.decode(msgspec.json.encode(to_plain(state))))
    return state, findings, incidents


WHOLE = fed([], stored=False)
cuts = st.lists(st.integers(1, STREAM.height - 1), max_size=12)


def near(first: Finding, second: Finding) -> bool:
    """Equal but for the moment of the look and for the rounding of sums in another order."""
    numbers = ("value", "lower", "upper", "e_value")
    words = [msgspec.structs.replace(one, at=END, **dict.fromkeys(numbers)) for one in (first, second)]
    ours, theirs = ([getattr(one, name) for name in numbers] for one in (first, second))
    return words[0] == words[1] and ours == pytest.approx(theirs)


def test_the_stream_holds_an_incident_and_many_findings() -> None:
    assert len(WHOLE[1]) == 80
    assert len(WHOLE[2]) == 1


@given(cuts)
@settings(max_examples=25)
def test_any_split_into_batches_gives_the_same_findings(where: list[int]) -> None:
    state, findings, incidents = fed(where, stored=False)
    assert all(near(one, other) for one, other in zip(findings, WHOLE[1], strict=True))
    assert [one.id for one in incidents] == [one.id for one in WHOLE[2]]
    assert [one.began_at for one in incidents] == [one.began_at for one in WHOLE[2]]
    assert (state.seen, state.late) == (WHOLE[0].seen, 0)


@given(cuts)
@settings(max_examples=15)
def test_a_restart_in_the_middle_of_a_day_changes_nothing(where: list[int]) -> None:
    assert fed(where, stored=True) == fed(where, stored=False)


@given(st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_of_rows_in_a_batch_changes_nothing(shuffle: Random) -> None:
    order = list(range(STREAM.height))
    shuffle.shuffle(order)
    state = start(PRODUCT, MODEL, release="r0001")
    _, findings, incidents = advance(state, PRODUCT, MODEL, STREAM[order], release="r0001", at=END)
    assert all(near(one, other) for one, other in zip(findings, WHOLE[1], strict=True))
    assert [one.id for one in incidents] == [one.id for one in WHOLE[2]]


def posted_days_later(days: pl.DataFrame) -> pl.DataFrame:
    """Outcomes posted in the nights after: all of some days, a part of others in two nights, of some never."""
    number = pl.col("made_at").dt.ordinal_day()
    row = pl.int_range(pl.len()).over("block")
    night = pl.col("made_at").dt.truncate("1d") + timedelta(days=2)
    never = ((number % 6 == 0) & (row >= 5)) | ((number % 5 == 0) & (row >= 10))
    second = night + pl.duration(days=number % 11 + 1)
    return in_two_bookings(
        days,
        pl.when(never)
        .then(None)
        .when(row >= 12)
        .then(second)
        .otherwise(night + pl.duration(days=number % 3)),
    )


LATE = posted_days_later(STREAM)
MOMENTS = [FIRST + number * timedelta(hours=6) for number in range(240)]


def followed(
    looks: list[int], shuffle: Random | None = None
) -> tuple[WatchState, list[Finding], list[Incident]]:
    """The watch of a worker that looks at these moments, and catches up with what was booked between them."""
    state = start(PRODUCT, MODEL, release="r0001")
    findings: list[Finding] = []
    incidents: list[Incident] = []
    before = FIRST - timedelta(days=1)
    for look in [*sorted(set(looks)), len(MOMENTS) - 1]:
        batch = LATE.filter(pl.col("settled_at").is_between(before, MOMENTS[look], closed="right"))
        if shuffle is not None:
            order = list(range(batch.height))
            shuffle.shuffle(order)
            batch = batch[order]
        state, found, raised = advance(state, PRODUCT, MODEL, batch, release="r0001", at=MOMENTS[look])
        state = from_plain(msgspec.json.decode(msgspec.json.encode(to_plain(state))))
        findings, incidents, before = findings + found, incidents + raised, MOMENTS[look]
    return state, findings, incidents


FOLLOWED = followed(list(range(len(MOMENTS))))


def test_the_late_stream_holds_an_incident_and_days_of_every_kind() -> None:
    state, findings, incidents = FOLLOWED
    assert len(incidents) >= 1
    assert state.uncovered > 0
    assert state.late > 0
    assert len({day.rows for day in state.days}) > 1
    assert len(findings) == 80


@given(st.lists(st.integers(0, len(MOMENTS) - 1), max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=8)
def test_a_worker_that_catches_up_finds_what_one_that_saw_all_found(
    looks: list[int], shuffle: Random
) -> None:
    state, findings, incidents = followed(looks, shuffle)
    assert all(near(one, other) for one, other in zip(findings, FOLLOWED[1], strict=True))
    assert [one.id for one in incidents] == [one.id for one in FOLLOWED[2]]
    assert (state.seen, state.late, state.uncovered) == (
        FOLLOWED[0].seen,
        FOLLOWED[0].late,
        FOLLOWED[0].uncovered,
    )
