"""Results of whole runs, kept with their logbook entry."""

import msgspec

from seatrial.facts.rehearsal import RehearsalReport
from seatrial.ports.workspace import Workspace


def keep_rehearsal(workspace: Workspace, report: RehearsalReport) -> None:
    """Store a rehearsal's report under the workspace's time; its policies' values stand in the logbook."""
    report = msgspec.structs.replace(report, at=workspace.clock.now())
    with workspace.metadata.begin() as transaction:
        transaction.put(report)
        values = {line.policy: line.value.value for line in report.policies}
        transaction.log(
            product=report.product, kind="rehearsal finished", subject=report.id, body={"value": values}
        )
