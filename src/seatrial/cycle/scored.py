"""Which batch scoring runs are done: what remembers the pending predictions looks anew for theirs."""

from seatrial.facts.scoring_run import DONE, ScoringRun
from seatrial.ports.metadata import Metadata


def finished_runs(metadata: Metadata, product: str) -> frozenset[str]:
    """The finished runs whose predictions were recorded in the table, past the journal."""
    with metadata.begin() as transaction:
        runs = transaction.all(ScoringRun, product)
    return frozenset(run.run for run in runs if run.recorded and run.state == DONE)
