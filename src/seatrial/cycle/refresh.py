"""Sources that the loop reads by itself, each as often as its product file says; lookups follow at once."""

from datetime import datetime, timedelta

import msgspec

from seatrial.cycle.aside import NOT_READ, open_fault
from seatrial.cycle.retrain import Workshop, publish_lookups
from seatrial.errors import LeaseLost, SeatrialError
from seatrial.facts.finding import Incident
from seatrial.facts.job import Progress


def refresh(workshop: Workshop) -> tuple[str, ...]:
    """The sources that were due and read now, their lookups published; a failure opens an incident.

    It is tried again when the source is due the next time, and the incident closes when that succeeds.
    """
    return tuple(name for name in _due(workshop) if _read(workshop, name))


def _due(workshop: Workshop) -> list[str]:
    now, product = workshop.now, workshop.product
    with workshop.workspace.metadata.begin() as transaction:
        tried = {
            name: transaction.get(Progress, product.name, _progress(name)) for name in product.file.sources
        }
    return [
        name
        for name, source in product.file.sources.items()
        if source.every is not None and _is_over(tried[name], now - timedelta(seconds=source.every))
    ]


def _is_over(tried: Progress | None, since: datetime) -> bool:
    return tried is None or tried.at <= since


def _read(workshop: Workshop, name: str) -> bool:
    product = workshop.product
    _note(workshop, name)
    try:
        publish_lookups(workshop, workshop.tools.history.refresh(product, [name]))
    except LeaseLost:
        raise
    except SeatrialError as error:
        _tell(workshop, name, str(error))
        return False
    _recovered(workshop, name)
    return True


def _note(workshop: Workshop, name: str) -> None:
    """Remember when the source was tried: one that fails must not be tried at every round."""
    with workshop.workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        at = workshop.now
        transaction.put(
            Progress(id=_progress(name), product=workshop.product.name, position=int(at.timestamp()), at=at)
        )


def _tell(workshop: Workshop, name: str, reason: str) -> None:
    cause = f"source {name} cannot be read or breaks its contract: {reason}"
    with workshop.workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        open_fault(workshop.workspace, transaction, workshop.product.name, _incident(name), NOT_READ, cause)


def _recovered(workshop: Workshop, name: str) -> None:
    product = workshop.product.name
    with workshop.workspace.metadata.begin() as transaction:
        found = transaction.get(Incident, product, _incident(name))
        if found is not None and found.closed_at is None:
            workshop.guard(transaction)
            transaction.put(msgspec.structs.replace(found, closed_at=workshop.now, closed_by="read again"))
            body = {"by": "read again"}
            transaction.log(product=product, kind="incident closed", subject=found.id, body=body)


def _progress(name: str) -> str:
    return f"refresh:{name}"


def _incident(name: str) -> str:
    return f"source-{name}"
