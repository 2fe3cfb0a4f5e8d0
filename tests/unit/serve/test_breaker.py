"""The breaker, by itself."""

from seatrial.serve.breaker import Breaker


class Timer:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(Timer(), limit=2)
    for _ in range(5):
        assert not breaker.failed()
        breaker.succeeded()
    assert breaker.closed


def test_failures_in_a_row_open_it_for_its_pause() -> None:
    clock = Timer()
    breaker = Breaker(clock, limit=2, seconds=10)
    assert [breaker.failed(), breaker.failed()] == [False, True]
    assert not breaker.closed
    clock.now += 10
    assert breaker.closed


def test_a_failing_trial_opens_it_again_at_once() -> None:
    clock = Timer()
    breaker = Breaker(clock, limit=2, seconds=10)
    breaker.failed()
    breaker.failed()
    clock.now += 10
    assert breaker.failed()
    assert not breaker.closed
    assert breaker.opens == 2
