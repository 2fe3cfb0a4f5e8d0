"""An erasure as a process of its own, on a workspace of files, which kills itself at a chosen place."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from seatrial.adapters.artifacts.store import StoredArtifacts
from seatrial.adapters.clock.simulated import SimulatedClock
from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.adapters.metadata.store import open_metadata
from seatrial.adapters.tables import delta
from seatrial.cycle import erase as erasing
from seatrial.ports.workspace import Workspace
from tests.forgetting import product
from tests.harbour import START


def workspace(folder: Path) -> Workspace:
    """A month after the ships were announced."""
    from seatrial.adapters.artifacts.store import open_artifacts

    clock = SimulatedClock(START + timedelta(days=30))
    folder.mkdir(parents=True, exist_ok=True)
    return Workspace(
        clock=clock,
        metadata=open_metadata(f"sqlite:///{folder / 'metadata.db'}", clock),
        tables=delta.DeltaTables(folder / "tables"),
        artifacts=open_artifacts(folder / "artifacts"),
        journal=FileJournalReader(folder / "journal"),
    )


# place -> what is replaced by a function that ends the process at its n-th call, before or after its work.
PLACES: dict[str, tuple[Any, str]] = {
    "planned": (erasing._Erasing, "planned"),
    "rewritten": (delta.DeltaTables, "rewrite"),
    "traces": (delta, "remove_traces"),
    "remaining": (erasing, "record_remaining"),
    "artifacts": (erasing, "erase_from_artifacts"),
    "deleted": (StoredArtifacts, "delete"),
    "forgotten": (FileJournalReader, "forget"),
}


def mortal(place: str, calls: int, *, after: bool) -> None:
    """From now on this process dies at the given call of the place."""
    owner, name = PLACES[place]
    work: Callable[..., Any] = getattr(owner, name)
    done = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        done += 1
        if done < calls:
            return work(*args, **kwargs)
        if after:
            work(*args, **kwargs)
        return os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


def main(folder: Path, column: str, value: str, place: str) -> None:
    """Erase; `place` is none, or `<place>:<call>:<before|after>`."""
    if place != "none":
        name, calls, when = place.split(":")
        mortal(name, int(calls), after=when == "after")
    erasing.erase(workspace(folder), product(), column=column, value=value, why="asked", by="ann")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
