"""Laws of micro-batches: what a row is answered does not depend on its company."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.facts.prediction import Prediction
from seatrial.facts.release import Phase
from seatrial.serve.engine import Engine
from seatrial.serve.request import Answers, Request
from seatrial.serve.routing import Routes
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import START, loaded, row

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
    engine = Engine(ROUTES, MemoryJournal().writer(), MemoryClock(START))
    results = engine.predict_many([Request(rows=group, partial=True) for group in groups])
    found: list[Prediction] = []
    for result in results:
        assert isinstance(result, Answers)
        found += result.predictions
    return [(p.key, p.score, p.decision, p.served, p.release, p.features, p.matured_at) for p in found]


@settings(max_examples=30)
@given(st.lists(st.lists(rows, max_size=4), max_size=5))
def test_rows_are_answered_the_same_alone_and_together(groups: list[list[dict[str, Any]]]) -> None:
    together = answered(groups)
    assert together == [answer for group in groups for one in group for answer in answered([[one]])]
