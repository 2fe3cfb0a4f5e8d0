"""Laws of micro-batches: what a row is answered does not depend on its company."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.facts.prediction import Variant
from seatrial.facts.release import Phase
from seatrial.serve.engine import Engine
from seatrial.serve.request import Answers, Request
from seatrial.serve.routing import Routes
from seatrial.serve.sheets import PlainSheet, TableSheet
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import START, journaled, loaded, row

ROUTES = Routes.of(loaded(), loaded("r0002", phase=Phase.CANARY, share=0.4))
rows = st.builds(
    row,
    st.integers(0, 500),
    price=st.floats(0, 5000),
    nights=st.none() | st.integers(0, 30),
    city=st.none() | st.sampled_from(["Rome", "Oslo"]),
    deposit=st.none() | st.sampled_from(["none", "full", "half"]),
    arrival_at=st.none() | st.just("2025-01-03T00:00:00Z"),
)


def answered(groups: list[list[dict[str, Any]]]) -> list[tuple[object, ...]]:
    """What matters of every answer, in order, when the groups are requests of one batch."""
    journal = MemoryJournal()
    writer = journal.writer()
    engine = Engine(ROUTES, writer, MemoryClock(START))
    results = engine.predict_many([Request(rows=group, partial=True) for group in groups])
    writer.seal()
    found = {p.prediction_id: p for p in journaled(journal) if p.served != Variant.SHADOW}
    given = [one for result in results if isinstance(result, Answers) for one in result.predictions]
    assert len(given) == len(found)
    told = [found[one.prediction_id] for one in given]
    return [(p.key, p.score, p.decision, p.served, p.release, p.features, p.matured_at) for p in told]


@settings(max_examples=30)
@given(st.lists(st.lists(rows, max_size=4), max_size=5))
def test_rows_are_answered_the_same_alone_and_together(groups: list[list[dict[str, Any]]]) -> None:
    together = answered(groups)
    assert together == [answer for group in groups for one in group for answer in answered([[one]])]


@settings(max_examples=30)
@given(st.lists(rows, min_size=1, max_size=6))
def test_plain_columns_and_tables_say_the_same(given_rows: list[dict[str, Any]]) -> None:
    live = loaded()
    good, _ = live.decoder.physical(given_rows)
    sound = [row for _, row in good if row[live.decoder.names.index("booked_at")] is not None]
    columns = {name: [row[at] for row in sound] for at, name in enumerate(live.decoder.names)}
    assert live.plan is not None
    plain, table = PlainSheet(live, live.plan, columns, len(sound)), TableSheet(live, columns, len(sound))
    scores = [at / 10 for at in range(len(sound))]
    assert plain.features == table.features
    assert (plain.matured_at, plain.baselines) == (table.matured_at, table.baselines)
    assert plain.decide(scores, 0.2) == table.decide(scores, 0.2)
    assert {*plain.inputs} == {*table.inputs}
    for name in plain.inputs:
        np.testing.assert_array_equal(plain.inputs[name], table.inputs[name])
        assert plain.inputs[name].dtype == table.inputs[name].dtype
    np.testing.assert_array_equal(
        plain.inputs.matrix(["price", "nights"]), table.inputs.matrix(["price", "nights"])
    )
