"""Errors by the code and status of an answer."""

import inspect
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial import errors
from seatrial.client.refusals import error_of, retry_after
from seatrial.client.steps import Reply

FAULT = {"row": 3, "field": "price", "expected": "a number", "received": "null"}


def told(status: int, code: str, details: Any = (), **headers: str) -> errors.SeatrialError:
    body = {"error": "told", "code": code, "details": list(details), "request_id": "q"}
    return error_of(Reply(status, headers, json.dumps(body).encode()))


def test_faults_of_rows_are_kept_whole() -> None:
    error = told(400, "request_invalid", [FAULT])
    assert isinstance(error, errors.RequestInvalid)
    assert error.faults == (FAULT,)


@pytest.mark.parametrize("code", ["malformed", "too_large", "unsupported_media_type", "something_new"])
def test_other_refusals_of_a_request_name_the_request_as_a_whole(code: str) -> None:
    error = told(413, code)
    assert isinstance(error, errors.RequestInvalid)
    assert "told" in str(error)
    assert code in str(error)


def test_every_error_that_a_server_may_send_keeps_its_class_or_its_nature() -> None:
    from seatrial.web.scoring.statuses import STATUS

    for kind, status in STATUS.items():
        error = told(status, kind.code, [FAULT])
        assert type(error) is kind or (not kind.retryable and not error.retryable) or status >= 500


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Unauthorized),
        (403, errors.Unauthorized),
        (404, errors.NotFound),
        (429, errors.QuotaExceeded),
        (500, errors.ServerFailed),
        (502, errors.ServerFailed),
        (503, errors.ServerFailed),
        (504, errors.DeadlineExceeded),
        (302, errors.ServerFailed),
        (418, errors.RequestInvalid),
    ],
)
def test_an_answer_that_is_not_of_a_door_is_told_by_its_status(status: int, kind: type[Exception]) -> None:
    error = error_of(Reply(status, {}, b"<html>proxy</html>"))
    assert type(error) is kind
    assert "proxy" in str(error)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "9" * 400}) == 366 * 86_400
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, now) == 9
    assert retry_after({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, now) == 0
    for strange in ("", "soon", "-1", "1.5", "²", "9" * 400 + "x"):
        assert retry_after({"retry-after": strange}, now) is None


@given(status=st.integers(100, 599), body=st.binary(max_size=80), header=st.text(max_size=20))
def test_no_answer_whatever_breaks_the_reading_of_errors(status: int, body: bytes, header: str) -> None:
    assert isinstance(error_of(Reply(status, {"retry-after": header}, body)), errors.SeatrialError)


@given(
    details=st.lists(
        st.dictionaries(st.sampled_from(["row", "field", "expected", "received"]), st.integers() | st.text())
    ),
    code=st.sampled_from(
        [kind.code for _, kind in inspect.getmembers(errors, inspect.isclass) if hasattr(kind, "code")]
    ),
)
def test_strange_details_are_no_trouble(details: list[dict[str, Any]], code: str) -> None:
    assert isinstance(told(400, code, details), errors.SeatrialError)
