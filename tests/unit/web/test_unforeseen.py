"""What is logged of errors that nobody foresaw."""

from collections.abc import Callable

import pytest

from seatrial.web.scoring.unforeseen import Unforeseen


def here(kind: type[Exception]) -> None:
    raise kind("here")


def there(kind: type[Exception]) -> None:
    raise kind("there")


def raised(kind: type[Exception], place: Callable[[type[Exception]], None] = here) -> Exception:
    try:
        place(kind)
    except kind as error:
        return error
    raise AssertionError


def test_the_first_of_a_kind_has_its_traceback_and_each_further_one_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unforeseen = Unforeseen()
    for number in range(4):
        unforeseen.log(raised(KeyError), f"q{number}")
    first, *others = caplog.records
    assert (first.getMessage(), first.exc_info is not None) == ("request q0 failed", True)
    assert [one.exc_info for one in others] == [None] * 3
    assert others[-1].getMessage() == "request q3 failed as q0 did: KeyError, 4 times now"


def test_an_error_of_another_kind_or_place_has_its_own_traceback(caplog: pytest.LogCaptureFixture) -> None:
    unforeseen = Unforeseen()
    for error in (
        raised(KeyError),
        raised(KeyError, there),
        raised(OSError),
        KeyError("never raised"),
    ):
        unforeseen.log(error, "q")
    assert [one.exc_info is not None for one in caplog.records] == [True] * 4
