"""The rows of one micro-batch: whose they are, what is wrong with them, and their sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.errors import RequestInvalid
from seatrial.product.product import Product
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.request import Fault, Request
from seatrial.serve.sheets import Sheet, sheet, undated

Row = tuple[Any, ...]


@dataclass(slots=True)
class Work:
    """One request's part of a micro-batch: its good rows, their positions in the request, and the faults.

    `fingerprint` tells its rows from others under one idempotency key; empty without a key. Rows are tuples in the
    order of the decoder's columns; `received_at` is in microseconds since 1970.
    """

    slot: int
    request: Request
    fingerprint: bytes
    received_at: int
    rows: Sequence[Row]
    positions: Sequence[int]
    faults: list[Fault]

    def drop(self, offsets: Sequence[int], product: Product) -> None:
        """Take rows out that never mature. Raises RequestInvalid unless the caller asked for the good ones."""
        self.faults += [_undated_fault(product, self.positions[offset]) for offset in offsets]
        if offsets and not self.request.partial:
            raise RequestInvalid(self.faults)
        dropped = set(offsets)
        kept = [offset for offset in range(len(self.rows)) if offset not in dropped]
        self.rows = [self.rows[offset] for offset in kept]
        self.positions = [self.positions[offset] for offset in kept]


def read(
    loaded: LoadedRelease, request: Request, slot: int, received_at: int, fingerprint: bytes = b""
) -> Work:
    """The request's rows in contract types. Raises RequestInvalid with every fault, unless `partial`."""
    sent = request.sent
    if sent is not None and sent.decoder is loaded.decoder:
        work = Work(slot, request, fingerprint, received_at, sent.rows, range(len(sent.rows)), [])
    else:
        good, faults = loaded.decoder.physical(request.plain)
        work = Work(
            slot, request, fingerprint, received_at, [row for _, row in good], [at for at, _ in good], faults
        )
    if not loaded.key_is_required:
        _drop_keyless(loaded, work)
    if work.faults and not request.partial:
        raise RequestInvalid([*work.faults, *_undated_faults(loaded, work)])
    return work


def laid_out(
    loaded: LoadedRelease, works: Sequence[Work]
) -> tuple[Sheet, Sequence[Work], dict[int, RequestInvalid]]:
    """The sheet of the works' rows in order, the works it holds, and refusals of the others by slot.

    Rows that never mature cannot be learned from or judged, so they are faults like any other.
    """
    whole = _sheet(loaded, works)
    bad = set(undated(whole))
    if not bad:
        return whole, works, {}
    kept, refused = _without(works, bad, loaded.product)
    return _sheet(loaded, kept), kept, refused


def _sheet(loaded: LoadedRelease, works: Sequence[Work]) -> Sheet:
    rows = works[0].rows if len(works) == 1 else [row for work in works for row in work.rows]
    names = loaded.decoder.names
    if not rows:
        return sheet(loaded, dict.fromkeys(names, ()), 0)
    columns: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    made_at = loaded.product.made_at
    if None in columns[made_at]:  # decided when they arrived
        arrivals = (work.received_at for work in works for _ in work.rows)
        columns[made_at] = [
            arrived if moment is None else moment
            for moment, arrived in zip(columns[made_at], arrivals, strict=True)
        ]
    return sheet(loaded, columns, len(rows))


def _drop_keyless(loaded: LoadedRelease, work: Work) -> None:
    """Rows without a key are faults."""
    place = loaded.key_place
    pairs = list(zip(work.positions, work.rows, strict=True))
    lost = [position for position, row in pairs if row[place] is None]
    if lost:
        work.faults += [_keyless_fault(loaded.product, position) for position in lost]
        work.positions = [position for position, row in pairs if row[place] is not None]
        work.rows = [row for _, row in pairs if row[place] is not None]


def _without(
    works: Sequence[Work], bad: set[int], product: Product
) -> tuple[list[Work], dict[int, RequestInvalid]]:
    kept: list[Work] = []
    refused: dict[int, RequestInvalid] = {}
    start = 0
    for work in works:
        offsets = [offset for offset in range(len(work.rows)) if start + offset in bad]
        start += len(work.rows)
        try:
            work.drop(offsets, product)
            kept.append(work)
        except RequestInvalid as error:
            refused[work.slot] = error
    return kept, refused


def _undated_faults(loaded: LoadedRelease, work: Work) -> list[Fault]:
    """What else is wrong with a request that is refused anyway, so that one round of mending is enough."""
    bad = undated(_sheet(loaded, [work])) if work.rows else []
    return [_undated_fault(loaded.product, work.positions[place]) for place in bad]


def _keyless_fault(product: Product, row: int) -> Fault:
    return {
        "row": row,
        "field": product.key,
        "expected": "a value that identifies the row",
        "received": "null",
    }


def _undated_fault(product: Product, row: int) -> Fault:
    reads = ", ".join(sorted(product.matured_at.reads))
    expected = f"values from which `{product.matured_at.text}` gives a moment up to the year 9999"
    return {"row": row, "field": reads, "expected": expected, "received": "values from which it gives none"}
