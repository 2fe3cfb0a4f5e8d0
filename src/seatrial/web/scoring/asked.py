"""What the body of a prediction's request asks for, in JSON and in Arrow.

The usual body is read once, by the decoder that the contract was compiled to. What does not fit is read again, as
Python objects, for the engine to name every fault.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.request import SentRows
from seatrial.web.scoring.arrow import arrow_columns, rows_of
from seatrial.web.scoring.messages import PredictBody
from seatrial.web.scoring.refusals import malformed

_body = msgspec.json.Decoder(PredictBody)


class Asked(NamedTuple):
    """Rows, as Python objects or already read, and how they are to be answered."""

    rows: Sequence[Any]
    sent: SentRows | None
    partial: bool
    idempotency_key: str | None


def asked_in_json(live: LoadedRelease, body: bytes) -> Asked:
    """What a body in JSON asks for. Raises Refusal (400) for one that cannot be read at all."""
    sent = live.decoder.physical_json(body)
    if sent is not None:
        rows = SentRows(live.decoder, sent.rows, partial(_rows, body))
        return Asked((), rows, sent.partial, sent.idempotency_key)
    asked = _plain(body)
    return Asked(asked.rows, None, asked.partial, asked.idempotency_key)


def asked_in_arrow(live: LoadedRelease, body: bytes, query: str, *, limit: int) -> Asked:
    """What an Arrow stream asks for; `partial=true` stands in the query. Raises Refusal: 400, 413 beyond the limit."""
    columns, count = arrow_columns(body, live.product.request, limit=limit)
    wants_partial = "partial" in query and parse_qs(query).get("partial") == ["true"]
    again = partial(rows_of, columns)
    physical = live.decoder.physical_columns(columns, count)
    if physical is None:
        return Asked(again(), None, wants_partial, None)
    return Asked((), SentRows(live.decoder, physical, again), wants_partial, None)


def _rows(body: bytes) -> Sequence[Any]:
    return _plain(body).rows


def _plain(body: bytes) -> PredictBody:
    try:
        return _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(str(error)) from error
