"""What could not be stored as it came, made known: segments set aside, and values that fit no column."""

from collections.abc import Collection, Mapping

import msgspec

from seatrial.facts.finding import Incident
from seatrial.facts.job import Lease
from seatrial.ports.journal import Segment
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.release.phases import live_release

SET_ASIDE = "segment set aside"
UNFIT = "values not stored"
NOT_READ = "source not read"
# These do not recover by themselves, and no new release mends them.
LASTING = frozenset({SET_ASIDE, NOT_READ})


def segment_id(segment: Segment) -> str:
    """The id of the incident about a segment."""
    return f"segment-{segment.writer}-{segment.number}"


def set_aside(
    workspace: Workspace, product: str, segment: Segment, reason: str, *, lease: Lease | None
) -> None:
    """Move a segment out of the way, told first: an open incident and a logbook entry, once per segment."""
    body = {"kind": segment.kind, "records": len(segment.records), "reason": reason}
    cause = f"{len(segment.records)} records of {segment.kind} are set aside and not lost: {reason}"
    with workspace.metadata.begin() as transaction:
        if lease is not None:
            transaction.guard(lease)
        if open_fault(workspace, transaction, product, segment_id(segment), SET_ASIDE, cause):
            transaction.log(product=product, kind=SET_ASIDE, subject=segment_id(segment), body=body)
    workspace.journal.aside(segment, reason)


def tell_unfit(workspace: Workspace, product: str, unfit: Mapping[str, int], *, lease: Lease | None) -> None:
    """An open incident per column in which values are missing since they did not fit its type."""
    with workspace.metadata.begin() as transaction:
        if lease is not None:
            transaction.guard(lease)
        for column, count in unfit.items():
            cause = (
                f"{count} values of {column} do not fit the type in which it is stored and are missing there"
            )
            open_fault(workspace, transaction, product, f"unfit-{column}", UNFIT, cause)


def tell_put_back(
    workspace: Workspace, product: str, stored: Collection[str], *, lease: Lease | None
) -> None:
    """Close the incidents of segments that were set aside, were put back, and are stored now."""
    with workspace.metadata.begin() as transaction:
        found = [i for i in transaction.all(Incident, product) if i.id in stored and i.closed_at is None]
        if found and lease is not None:
            transaction.guard(lease)
        for incident in found:
            now = workspace.clock.now()
            transaction.put(msgspec.structs.replace(incident, closed_at=now, closed_by="stored"))
            body = {"by": "stored"}
            transaction.log(product=product, kind="incident closed", subject=incident.id, body=body)


def open_fault(
    workspace: Workspace, transaction: Transaction, product: str, id: str, measure: str, cause: str
) -> bool:
    """Open an incident about the data; whether it is new, or was closed before and is open again."""
    known = transaction.get(Incident, product, id)
    if known is not None and known.closed_at is None:
        return False
    now = workspace.clock.now()
    live = live_release(transaction, product)
    incident = Incident(
        id=id,
        product=product,
        release=live.id if live else "",
        measure=measure,
        kind="fault",
        cause=f"data fault: {cause}",
        began_at=now,
        detected_at=now,
        finding=id,
    )
    transaction.put(incident)
    body = {"release": incident.release, "measure": measure, "cause": incident.cause}
    transaction.log(product=product, kind="incident opened", subject=id, body=body)
    return True
