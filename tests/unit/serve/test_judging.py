"""A model that fails: which rows that costs, and for how long."""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seatrial.errors import ModelFailed
from seatrial.ports.runtime import Inputs
from seatrial.serve.engine import Engine
from seatrial.serve.request import Answered, Answers, Request
from seatrial.serve.routing import Routes
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import START, FunctionScorer, loaded, row

POISON = 666.0


def engine_of(function: Callable[[Inputs], Any]) -> Engine:
    """An engine whose clock stands still: a breaker that opens stays open."""
    clock = MemoryClock(START)
    writer, live = MemoryJournal().writer(), loaded(scorer=FunctionScorer(function))
    return Engine(Routes.of(live), writer, clock, elapsed=lambda: clock.now().timestamp())


def asked(engine: Engine, *prices: float, **options: Any) -> list[Answered]:
    """The answers of one micro-batch in which every price is a request of its own."""
    requests = [Request(rows=[row(number, price=price)]) for number, price in enumerate(prices)]
    found: list[Answered] = []
    for result in engine.predict_many(requests, **options):
        assert isinstance(result, Answers)
        found.extend(result.predictions)
    return found


class Poisoned:
    """Scores prices; raises on rows of one, as often as they come."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    def __call__(self, inputs: Inputs) -> Any:
        self.calls += 1
        prices = inputs["price"][:, 0]
        if (prices == np.float32(POISON)).any():
            raise self.error
        return prices.astype(np.float64) / 1000


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no"), "model raised ValueError"),
        (ModelFailed("could not score these rows"), "model failed"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"budget_seconds": 60.0}], ids=["unbounded", "budget"])
def test_rows_that_make_the_model_raise_are_found_and_cost_no_other_row_its_score(
    error: Exception, reason: str, options: Any
) -> None:
    model = Poisoned(error)
    engine = engine_of(model)
    prices = [100.0 + number for number in range(40)]
    prices[7] = prices[31] = POISON
    answers = asked(engine, *prices, **options)
    assert [at for at, answer in enumerate(answers) if answer.fallback] == [7, 31]
    assert {answers[at].fallback for at in (7, 31)} == {reason}
    assert answers[8].score == pytest.approx(0.108)
    assert model.calls < 30
    assert engine.counters.failing == {}
    engine.close()


def test_a_model_that_raises_on_every_row_is_not_asked_for_each_of_many() -> None:
    model = Poisoned(ValueError("no"))
    answers = asked(engine_of(model), *[POISON] * 300)
    assert {answer.fallback for answer in answers} == {"model raised ValueError"}
    assert model.calls == 65


def test_what_a_model_raises_is_logged_once_for_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        asked(engine_of(Poisoned(ValueError("not this row"))), 1.0, 2.0, POISON, 4.0)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("how", "reason"),
    [("gone", "model process failed"), ("starting", "model is starting"), ("busy", "model too slow")],
)
def test_while_a_model_is_away_it_is_asked_by_every_batch_and_is_back_at_once(
    how: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    away = [True]
    calls = itertools.count()

    def score(inputs: Inputs) -> Any:
        if away[0]:
            next(calls)
            raise ModelFailed("its process died of SIGSEGV", how)
        return inputs["price"][:, 0].astype(np.float64) / 1000

    engine = engine_of(score)
    with caplog.at_level(logging.ERROR):
        reasons = [
            answer.fallback for _ in range(20) for answer in asked(engine, 1.0, 2.0, budget_seconds=60.0)
        ]
    assert reasons == [reason] * 40
    assert next(calls) == 20, "a process that is not there is not asked for rows apart"
    assert engine.counters.breaker_opens["r0001"] == 0
    assert caplog.records == [], "who starts the process again has said so, once"
    away[0] = False
    assert asked(engine, 1.0, budget_seconds=60.0)[0].fallback is None
    engine.close()


def test_who_has_no_deadline_waits_for_a_process_that_is_being_started_again() -> None:
    calls = itertools.count()

    def score(inputs: Inputs) -> Any:
        if next(calls) % 4:
            raise ModelFailed("its process died of SIGSEGV; it is being started again", "starting")
        return inputs["price"][:, 0].astype(np.float64) / 1000

    engine = engine_of(score)
    assert [asked(engine, 1.0)[0].fallback for _ in range(3)] == [None] * 3
    assert asked(engine, 1.0, budget_seconds=60.0)[0].fallback == "model is starting"
    engine.close()


def test_requests_behind_one_that_hangs_do_not_keep_the_model_away_from_those_after_it() -> None:
    released, began = threading.Event(), threading.Event()

    def score(inputs: Inputs) -> Any:
        if inputs["price"][0, 0] == np.float32(POISON):
            began.set()
            released.wait(30)
        return inputs["price"][:, 0].astype(np.float64) / 1000

    engine = engine_of(score)
    hung = asked(engine, POISON, budget_seconds=0.02)
    behind = [asked(engine, 1.0, budget_seconds=0.02)[0].fallback for _ in range(10)]
    released.set()
    assert began.is_set()
    assert [hung[0].fallback, *behind] == ["model too slow"] * 11
    assert engine.counters.breaker_opens["r0001"] == 0
    for _ in range(1000):  # the hanging call ends when its thread comes to it
        answer = asked(engine, 1.0, budget_seconds=5.0)[0]
        if answer.fallback is None:
            break
        time.sleep(0.01)
    assert answer.score == pytest.approx(0.001)
    engine.close()
