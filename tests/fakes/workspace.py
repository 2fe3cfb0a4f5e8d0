"""A workspace in memory."""

from datetime import UTC, datetime

from seatrial.ports.clock import Clock
from seatrial.ports.workspace import Workspace
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.tables import MemoryTables


def memory_workspace(clock: Clock | None = None) -> Workspace:
    """Every port as its fake; the clock stands at 2025 unless another is given."""
    clock = clock or MemoryClock(datetime(2025, 1, 1, tzinfo=UTC))
    return Workspace(
        clock=clock,
        metadata=MemoryMetadata(clock),
        tables=MemoryTables(),
        artifacts=MemoryArtifacts(),
        journal=MemoryJournal(),
    )
