"""The place where all of it is kept, as one handle."""

from dataclasses import dataclass

from seatrial.ports.artifacts import Artifacts
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalReader
from seatrial.ports.metadata import Metadata
from seatrial.ports.tables import Tables


@dataclass(frozen=True)
class Workspace:
    """The ports that every stage of one workspace shares."""

    clock: Clock
    metadata: Metadata
    tables: Tables
    artifacts: Artifacts
    journal: JournalReader
