"""The error that an answer other than 200 stands for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any

import msgspec

from seatrial import errors
from seatrial.client.steps import Reply

_BY_CODE: dict[str, type[errors.SeatrialError]] = {
    kind.code: kind
    for kind in (
        errors.NotFound,
        errors.NotReady,
        errors.DeadlineExceeded,
        errors.ModelFailed,
        errors.Unauthorized,
        errors.ServerFailed,
        errors.JournalUnavailable,
        errors.StorageFailed,
        errors.SourceFailed,
        errors.Conflict,
        errors.LeaseLost,
        errors.TrainingFailed,
        errors.IntegrityBroken,
    )
}
_BY_STATUS: dict[int, type[errors.SeatrialError]] = {
    401: errors.Unauthorized,
    403: errors.Unauthorized,
    404: errors.NotFound,
    408: errors.DeadlineExceeded,
    504: errors.DeadlineExceeded,
}
_FAULT = {"row", "field", "expected", "received"}
_LONGEST_QUOTE = 200
# A year: what asks for more would not fit a number.
_LONGEST_PAUSE = 366 * 86_400.0


class _Body(msgspec.Struct):
    """The body of an error, as the doors write it."""

    error: str
    code: str = ""
    details: list[dict[str, Any]] = []
    request_id: str | None = None


def error_of(reply: Reply) -> errors.SeatrialError:
    """The error, by the code in the body where it has one, else by its status; a note names the request id."""
    body = _body(reply)
    error = _error(reply, body)
    if body.request_id:
        error.add_note(f"request id {body.request_id}")
    return error


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that `Retry-After` asks to wait, given as seconds or as a date; None without one that can be read."""
    given = headers.get("retry-after", "").strip()
    if given.isdecimal():
        return min(float(given), _LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(given)
    except (ValueError, TypeError, OverflowError):  # the parser of dates raises all of these for what is none
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - (now or datetime.now(UTC))).total_seconds()), _LONGEST_PAUSE)


def _body(reply: Reply) -> _Body:
    try:
        return msgspec.json.decode(reply.body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        shown = reply.body[:_LONGEST_QUOTE].decode("utf-8", "replace").strip()
        return _Body(f"the server answered {reply.status}" + (f": {shown}" if shown else ""))


def _error(reply: Reply, body: _Body) -> errors.SeatrialError:
    if body.code == errors.RequestInvalid.code:
        return errors.RequestInvalid(_faults(reply, body))
    if body.code == errors.Overloaded.code:
        return errors.Overloaded(body.error, _whole_seconds(reply))
    if body.code == errors.QuotaExceeded.code or reply.status == 429:
        return errors.QuotaExceeded(body.error, _whole_seconds(reply))
    kind = _BY_CODE.get(body.code) or _BY_STATUS.get(reply.status)
    if kind is not None:
        return kind(body.error)
    if 400 <= reply.status < 500:
        return errors.RequestInvalid(_faults(reply, body))
    return errors.ServerFailed(body.error)


def _faults(reply: Reply, body: _Body) -> list[dict[str, object]]:
    """The faults of the body, or one for the request as a whole."""
    if body.details and all(detail.keys() >= _FAULT for detail in body.details):
        return [
            {name: detail[name] for name in ("row", "field", "expected", "received")}
            for detail in body.details
        ]
    refused = f"{body.code or 'an answer'} with status {reply.status}"
    return [{"row": 0, "field": "(the whole request)", "expected": body.error, "received": refused}]


def _whole_seconds(reply: Reply) -> int:
    return ceil(retry_after(reply.headers) or 1)
