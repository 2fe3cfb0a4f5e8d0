"""One difference between two versions of a contract, and the words for it."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from seatrial.contract.model import Severity

Kind = Literal["compatible", "breaking", "silent widening"]
COMPATIBLE: Kind = "compatible"
BREAKING: Kind = "breaking"
WIDENING: Kind = "silent widening"
REFUSED = "rows that were accepted are put aside now"
THROUGH = "rows that were put aside come through now, and nobody who reads them is told"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: `place` (table, table.column or a rule of it), `what` changed, and `why` it matters."""

    kind: Kind
    place: str
    what: str
    why: str


def change(kind: Kind, place: str, what: str, why: str) -> Change:
    """A difference, in short."""
    return Change(kind=kind, place=place, what=what, why=why)


def share(place: str, old: float | None, new: float | None) -> Iterator[Change]:
    """What it means when the share at which something is refused changes; none is no limit."""
    if old == new:
        return
    what = f"{'none' if old is None else f'{old:g}'} → {'none' if new is None else f'{new:g}'}"
    if new is not None and (old is None or new < old):
        yield change(BREAKING, place, what, "deliveries that were accepted are refused now")
    else:
        yield change(WIDENING, place, what, "worse deliveries pass, and nobody is told")


def severity(place: str, old: Severity, new: Severity, *, ruled: bool = True) -> Iterator[Change]:
    """What it means when a rule starts or stops putting rows aside; `ruled`: both versions have one."""
    if old == new:
        return
    what = f"severity {old} → {new}"
    if not ruled:
        yield change(COMPATIBLE, place, what, "it governs no rule that both versions have")
    elif new == "warning":
        yield change(WIDENING, place, what, THROUGH)
    else:
        yield change(BREAKING, place, what, REFUSED)
