"""The rows of one micro-batch: whose they are, what is wrong with them, and their sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from seatrial.errors import RequestInvalid
from seatrial.product.product import Product
from seatrial.serve.frames import Sheet, sheet, undated
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.request import Fault, Request


@dataclass
class Work:
    """One request's part of a micro-batch: its good rows, their positions in the request, and the faults."""

    slot: int
    request: Request
    received_at: datetime
    rows: list[dict[str, Any]]
    positions: list[int]
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


def read(loaded: LoadedRelease, request: Request, slot: int, now: datetime) -> Work:
    """The request's rows in contract types. Raises RequestInvalid with every fault, unless `partial`."""
    received_at = request.received_at or now
    good, faults = loaded.decoder.partial(request.rows)
    product = loaded.product
    faults += [_keyless_fault(product, position) for position, row in good if row.get(product.key) is None]
    if faults and not request.partial:
        raise RequestInvalid(faults)
    keyed = [(position, row) for position, row in good if row.get(product.key) is not None]
    for _, row in keyed:
        if row.get(product.made_at) is None:
            row[product.made_at] = received_at
    return Work(slot, request, received_at, [row for _, row in keyed], [at for at, _ in keyed], faults)


def laid_out(
    loaded: LoadedRelease, works: Sequence[Work]
) -> tuple[Sheet, list[Work], dict[int, RequestInvalid]]:
    """The sheet of the works' rows in order, the works it holds, and refusals of the others by slot.

    Rows that never mature cannot be learned from or judged, so they are faults like any other.
    """
    whole = sheet(loaded, [row for work in works for row in work.rows])
    bad = set(undated(whole.frame))
    if not bad:
        return whole, list(works), {}
    kept, refused = _without(works, bad, loaded.product)
    return sheet(loaded, [row for work in kept for row in work.rows]), kept, refused


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
