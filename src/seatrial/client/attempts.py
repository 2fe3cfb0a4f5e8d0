"""One request until it is answered: sent, and sent again as long as deadline, count and budget allow."""

from collections.abc import Callable, Mapping
from itertools import count

import msgspec

from seatrial.client.refusals import error_of, retry_after
from seatrial.client.retries import Budget, Retries
from seatrial.client.steps import Broke, Reply, Send, Steps, Wait
from seatrial.errors import DeadlineExceeded, SeatrialError, ServerFailed

RETRIED = frozenset({429, 502, 503, 504})
DEADLINE = "x-envoy-expected-rq-timeout-ms"


class Asked(msgspec.Struct, frozen=True):
    """A request, whatever the number of its attempts; answers with a status in `taken` are taken as they are."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    taken: frozenset[int] = frozenset()


class Manner(msgspec.Struct, frozen=True):
    """How a client goes about its attempts: `clock` gives monotonic seconds, `chance` numbers in [0, 1)."""

    retries: Retries
    budget: Budget
    clock: Callable[[], float]
    chance: Callable[[], float]


def exchange(asked: Asked, manner: Manner, ends_at: float) -> Steps[Reply]:
    """The answer with a status of 200 to 299, or one that is taken, by `ends_at`.

    Whatever is asked must be safe to repeat. Raises the error that the last answer stands for, ServerFailed when
    there was none, and DeadlineExceeded when the time is over; an error that the server gave is its cause.
    """
    failed: SeatrialError | None = None
    for attempt in count():
        left = ends_at - manner.clock()
        if left <= 0:
            raise DeadlineExceeded(f"{asked.method} {asked.path}: no answer before the deadline") from failed
        got = yield Send(asked.method, asked.path, _with_deadline(asked.headers, left), asked.body, ends_at)
        assert got is not None
        if isinstance(got, Reply) and got.status not in RETRIED - asked.taken:
            return _accepted(got, asked, manner.budget)
        manner.budget.failed()
        failed = _failure(got, asked)
        pause = _pause(got, attempt, manner)
        ahead = ends_at - manner.clock() - pause
        if attempt >= manner.retries.at_most or not manner.budget.allows or ahead <= 0 or _is_late(got):
            raise failed
        yield Wait(pause)
    raise AssertionError("unreachable: the attempts are counted without end")


def _accepted(reply: Reply, asked: Asked, budget: Budget) -> Reply:
    if not 200 <= reply.status < 300 and reply.status not in asked.taken:
        raise error_of(reply)
    budget.succeeded()
    return reply


def _is_late(got: Reply | Broke) -> bool:
    return isinstance(got, Broke) and got.late


def _failure(got: Reply | Broke, asked: Asked) -> SeatrialError:
    if isinstance(got, Reply):
        return error_of(got)
    what = f"{asked.method} {asked.path}"
    why = str(got.error) or type(got.error).__name__
    error: SeatrialError
    if got.late:
        error = DeadlineExceeded(f"{what}: no answer before the deadline ({why})")
    else:
        error = ServerFailed(f"{what}: the server could not be reached or broke off ({why})")
    error.__cause__ = got.error
    return error


def _pause(got: Reply | Broke, attempt: int, manner: Manner) -> float:
    """What the server asks for, and a random time on top: many callers must not come back at one moment."""
    asked = retry_after(got.headers) if isinstance(got, Reply) else None
    return (asked or 0.0) + manner.retries.pause(attempt, manner.chance())


def _with_deadline(headers: Mapping[str, str], left: float) -> dict[str, str]:
    return {**headers, DEADLINE: str(max(1, int(left * 1000)))}
