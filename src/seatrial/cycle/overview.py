"""Where a product stands, gathered in one transaction."""

from dataclasses import dataclass

from seatrial.cycle.retrain import open_jobs
from seatrial.cycle.tally import recorded_totals
from seatrial.facts.finding import Incident
from seatrial.facts.job import Job
from seatrial.facts.readiness import Readiness
from seatrial.facts.release import Release
from seatrial.ports.workspace import Workspace
from seatrial.release.phases import challenger, live_release


@dataclass(frozen=True)
class Overview:
    """The present state in a few facts. `outcomes` are the counts of `tally.Totals`, empty before any."""

    product: str
    live: Release | None
    challenger: Release | None
    jobs: list[Job]
    incidents: list[Incident]
    readiness: Readiness | None
    outcomes: dict[str, int]


def overview_of(workspace: Workspace, product: str) -> Overview:
    """The present state of a product; empty for one that is not known here."""
    with workspace.metadata.begin() as transaction:
        scores = transaction.all(Readiness, product, limit=1)
        return Overview(
            product=product,
            live=live_release(transaction, product),
            challenger=challenger(transaction, product),
            jobs=open_jobs(transaction, product),
            incidents=[i for i in transaction.all(Incident, product) if i.closed_at is None],
            readiness=scores[-1] if scores else None,
            outcomes=recorded_totals(transaction, product),
        )
