"""What is sent, how often and how soon: the calls driven by hand, on a clock of their own."""

import contextlib
from collections.abc import Callable, Iterable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.client.attempts import DEADLINE, Asked, Manner, exchange
from seatrial.client.retries import RETRIES, Budget, Retries
from seatrial.client.steps import Broke, Reply, Send, Wait
from seatrial.errors import (
    DeadlineExceeded,
    JournalUnavailable,
    NotFound,
    NotReady,
    Overloaded,
    QuotaExceeded,
    SeatrialError,
    ServerFailed,
)

GOOD = Reply(200, {}, b"{}")
OVERLOADED = Reply(503, {"retry-after": "2"}, b'{"error":"full","code":"overloaded"}')
CUT = Broke(ConnectionResetError("cut"))
ASKED = Asked("POST", "/x", {"idempotency-key": "k"}, b"body")


class World:
    """A clock that waiting and answers move, and what was done."""

    def __init__(self, answers: Iterable[Reply | Broke], *, seconds: float = 0.0) -> None:
        self.answers, self.seconds = iter(answers), seconds
        self.now = 1000.0
        self.sent: list[Send] = []
        self.waits: list[float] = []

    def run(
        self,
        retries: Retries = RETRIES,
        *,
        left: float = 60.0,
        budget: Budget | None = None,
        chance: Callable[[], float] = lambda: 0.5,
    ) -> Reply:
        manner = Manner(retries, budget or Budget(retries), lambda: self.now, chance)
        steps = exchange(ASKED, manner, self.now + left)
        got: Reply | Broke | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                return cast(Reply, done.value)
            if isinstance(step, Wait):
                self.waits.append(step.seconds)
                self.now += step.seconds
                got = None
            else:
                self.sent.append(step)
                self.now += self.seconds
                got = next(self.answers)


def test_an_answer_is_given_back_after_one_attempt() -> None:
    world = World([GOOD])
    assert world.run() is GOOD
    assert len(world.sent) == 1
    assert not world.waits


def test_a_broken_connection_is_tried_again_with_the_same_headers_and_body() -> None:
    world = World([CUT, CUT, GOOD])
    world.run()
    assert len(world.sent) == 3
    assert {one.headers["idempotency-key"] for one in world.sent} == {"k"}
    assert {one.body for one in world.sent} == {b"body"}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again(status: int) -> None:
    world = World([Reply(status, {}, b""), GOOD])
    assert world.run() is GOOD


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500, 501])
def test_a_status_that_will_not_pass_is_an_error_at_once(status: int) -> None:
    world = World([Reply(status, {}, b"")])
    with pytest.raises(SeatrialError):
        world.run()
    assert len(world.sent) == 1


def test_what_is_tried_at_most_so_often_ends_with_its_last_error() -> None:
    world = World([OVERLOADED] * 9)
    with pytest.raises(Overloaded, match="full") as raised:
        world.run(Retries(at_most=2))
    assert raised.value.retry_after == 2
    assert len(world.sent) == 3


def test_retry_after_is_waited_for_and_a_random_time_on_top() -> None:
    world = World([OVERLOADED, GOOD])
    world.run(Retries(first=0.1))
    assert world.waits == [pytest.approx(2.05)]


def test_pauses_double_up_to_the_longest_and_are_drawn_from_nothing_on() -> None:
    world = World([CUT] * 4 + [GOOD])
    world.run(Retries(at_most=4, first=1, longest=3), chance=lambda: 0.9)
    assert world.waits == pytest.approx([0.9, 1.8, 2.7, 2.7])
    world = World([CUT, GOOD])
    world.run(chance=lambda: 0.0)
    assert world.waits == [0.0]


def test_a_pause_that_ends_after_the_deadline_is_not_begun() -> None:
    world = World([OVERLOADED, GOOD])
    with pytest.raises(Overloaded):
        world.run(left=1.5)
    assert not world.waits


def test_the_server_is_told_what_is_left_of_the_deadline() -> None:
    world = World([CUT, GOOD], seconds=0.4)
    world.run(Retries(first=0.2), left=2.0)
    assert [one.headers[DEADLINE] for one in world.sent] == ["2000", "1500"]


def test_an_attempt_that_uses_up_the_deadline_is_a_deadline_exceeded() -> None:
    world = World([Broke(TimeoutError("read"), late=True)], seconds=1.999)
    with pytest.raises(DeadlineExceeded, match="POST /x"):
        world.run(left=2)


def test_no_attempt_is_made_after_the_deadline() -> None:
    world = World([GOOD])
    with pytest.raises(DeadlineExceeded):
        world.run(left=0)
    assert not world.sent


def test_a_client_whose_budget_is_half_empty_tries_nothing_again_until_successes_refill_it() -> None:
    retries = Retries(at_most=100, tokens=4, ratio=0.5)
    budget = Budget(retries)
    world = World([CUT] * 100)
    with pytest.raises(ServerFailed):
        world.run(retries, budget=budget)
    assert len(world.sent) == 2  # 4 tokens: the second failure leaves 2, which is half
    for _ in range(3):
        World([GOOD]).run(retries, budget=budget)
    assert World([CUT, GOOD]).run(retries, budget=budget) is GOOD


def test_refusals_of_bad_requests_do_not_use_up_the_budget() -> None:
    budget = Budget(Retries())
    for _ in range(50):
        with pytest.raises(NotFound):
            World([Reply(404, {}, b"")]).run(budget=budget)
    assert budget.allows


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "not_ready", NotReady),
        (503, "journal_unavailable", JournalUnavailable),
        (503, "overloaded", Overloaded),
        (429, "quota_exceeded", QuotaExceeded),
        (504, "deadline_exceeded", DeadlineExceeded),
    ],
)
def test_the_error_is_the_class_of_the_code(status: int, code: str, kind: type[SeatrialError]) -> None:
    reply = Reply(status, {}, b'{"error":"told","code":"%b","request_id":"q7"}' % code.encode())
    with pytest.raises(kind, match="told") as raised:
        World([reply]).run(Retries(at_most=0))
    assert raised.value.__notes__ == ["request id q7"]


answers = st.lists(
    st.sampled_from(
        [GOOD, OVERLOADED, CUT, Reply(400, {}, b""), Reply(502, {}, b"<html>"), Reply(200, {}, b"x")]
    ),
    min_size=60,
    max_size=60,
)


@given(
    answers=answers,
    at_most=st.integers(0, 8),
    tokens=st.floats(1, 12),
    left=st.floats(0.01, 20),
    seconds=st.floats(0, 3),
    chance=st.floats(0, 0.999),
)
def test_no_call_is_sent_more_often_than_allowed_or_begun_after_its_deadline(
    answers: list[Reply | Broke], at_most: int, tokens: float, left: float, seconds: float, chance: float
) -> None:
    retries = Retries(at_most=at_most, tokens=tokens)
    budget = Budget(retries)
    world = World(answers, seconds=seconds)
    total, calls = 0, 10
    for _ in range(calls):
        begun, sent, ends = world.now, len(world.sent), world.now + left
        with contextlib.suppress(SeatrialError):
            world.run(retries, left=left, budget=budget, chance=lambda: chance)
        now_sent = world.sent[sent:]
        assert 1 <= len(now_sent) <= at_most + 1
        assert all(one.ends_at == pytest.approx(ends) for one in now_sent)
        assert (
            world.now <= begun + left + seconds + 1e-6
        )  # no further than the step that the deadline fell in
        total += len(now_sent)
    # Every repetition needs more than half of the tokens, and each success brings back a tenth of one.
    assert total - calls <= tokens / 2 + 0.1 * total
