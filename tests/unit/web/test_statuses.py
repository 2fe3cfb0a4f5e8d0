"""Every error has a status."""

from collections.abc import Iterator

from seatrial import errors
from seatrial.web.scoring.statuses import STATUS, status_of


def classes(kind: type[errors.SeatrialError]) -> Iterator[type[errors.SeatrialError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from classes(child)


def test_every_error_that_can_be_raised_has_a_status() -> None:
    named = {kind for kind in classes(errors.SeatrialError) if not kind.__name__.startswith("_")}
    assert len(named) > 10
    assert named == set(STATUS)


def test_what_can_be_retried_never_blames_the_caller_for_good() -> None:
    assert {status for kind, status in STATUS.items() if kind.retryable} <= {409, 429, 502, 503, 504}
    assert not {status for kind, status in STATUS.items() if not kind.retryable} & {503, 504}


def test_other_errors_are_500() -> None:
    assert status_of(ValueError("x")) == 500
