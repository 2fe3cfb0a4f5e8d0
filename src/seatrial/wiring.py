"""The only place that chooses adapters. They are imported where used: a server worker loads only what it needs."""

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.ports.clock import Clock
from seatrial.ports.workspace import Workspace
from seatrial.settings import Settings, read_settings

if TYPE_CHECKING:
    from seatrial.adapters.lookups.store import LmdbLookups
    from seatrial.adapters.outputs.files import FileOutput
    from seatrial.adapters.sources.batches import FileBatches
    from seatrial.adapters.sources.scanning import Scannable
    from seatrial.cycle.reconcile import Reconciler
    from seatrial.cycle.tools import History, Tools
    from seatrial.ports.artifacts import Artifacts
    from seatrial.product.product import Product
    from seatrial.product.schema import Source
    from seatrial.prototype.ports import ModelInspector
    from seatrial.rehearse.replay import Scratch
    from seatrial.serve.serving import Serving


def _silent(_: str) -> None:
    """Stands for a listener that is not there."""


def workspace_clock(settings: Settings) -> Clock:
    """The machine's clock, moved by the settings' offset."""
    from seatrial.adapters.clock.system import SystemClock

    return SystemClock(timedelta(seconds=settings.clock_offset))


def open_workspace(
    settings: Settings, clock: Clock | None = None, *, product: str = "", durable: bool = True
) -> Workspace:
    """The workspace of the settings, made if it is not there, with the journal of one product.

    `durable=False` is for scratch workspaces.
    """
    from seatrial.adapters.artifacts.store import open_artifacts
    from seatrial.adapters.journal.reader import FileJournalReader
    from seatrial.adapters.metadata.store import open_metadata
    from seatrial.adapters.tables.delta import DeltaTables

    folder = settings.workspace
    folder.mkdir(parents=True, exist_ok=True)
    clock = clock or workspace_clock(settings)
    return Workspace(
        clock=clock,
        metadata=open_metadata(settings.metadata_url, clock, durable=durable),
        tables=DeltaTables(settings.tables_url),
        artifacts=open_artifacts(settings.artifacts_url),
        journal=FileJournalReader(_journal_folder(settings, product)),
    )


def _journal_folder(settings: Settings, product: str) -> Path:
    """Each product has a journal of its own, so that no loop drains what belongs to another."""
    return settings.workspace / "journal" / product


def journal_writer(settings: Settings, name: str, *, product: str = "", segment_seconds: float = 1.0) -> Any:
    """This process's end of the journal; its `tick` seals segments that have been open for `segment_seconds`."""
    from seatrial.adapters.journal.writer import FileJournalWriter

    return FileJournalWriter(_journal_folder(settings, product), name, segment_seconds=segment_seconds)


def source_reader() -> Any:
    """Reads every kind of source; a new one for each reading."""
    from seatrial.adapters.sources.reader import Sources

    return Sources()


@contextmanager
def scannable_files(name: str, source: "Source", folder: Path) -> "Iterator[Scannable]":
    """The files of a source of kind `path`, as one table that is read a batch at a time.

    Raises SourceFailed when they cannot be read.
    """
    from seatrial.adapters.sources.asked import asked
    from seatrial.adapters.sources.scanning import scannable

    with scannable(asked(name, source, folder, None, time.sleep)) as files:
        yield files


def scoring_inputs(name: str, sources: "Sequence[Source]", folder: Path) -> "FileBatches":
    """The files of sources of kind `path`, to be scored in batches."""
    from seatrial.adapters.sources.asked import asked
    from seatrial.adapters.sources.batches import FileBatches

    return FileBatches([asked(name, source, folder, None, time.sleep) for source in sources])


def scoring_output(target: Path, kind: str | None, refused: Path | None = None) -> "FileOutput":
    """Where answers of batch scoring go on this machine's disk: one file, or a folder of parts."""
    from seatrial.adapters.outputs.files import open_output

    return open_output(target, kind, refused)


def training_tools(workspace: Workspace, say: Callable[[str], None] = _silent) -> "Tools":
    """What the loop makes models with; `say` is told what was read.

    Raises MissingExtra when the training libraries are not installed.
    """
    from seatrial.adapters.frameworks.sklearn import SklearnFramework
    from seatrial.cycle.tools import SourceHistory, Tools

    return Tools(
        # The machine's own time: a workspace whose clock was moved reads data that are of its future.
        history=SourceHistory(source_reader, workspace, latest=lambda: datetime.now(UTC), say=say),
        framework=SklearnFramework(),
        runtime=model_runtime(),
    )


def model_runtime() -> Any:
    """What runs packaged models."""
    from seatrial.adapters.runtimes.packaged import PackagedRuntime

    return PackagedRuntime()


def model_inspector() -> "ModelInspector":
    """Looks into a fitted model, in a process of its own."""
    from seatrial.adapters.frameworks.inspect import SubprocessInspector

    return SubprocessInspector()


def reconciler(product: "Product", settings: Settings) -> "Reconciler":
    """The loop of one product in this process."""
    from seatrial.cycle.reconcile import Reconciler

    workspace = open_workspace(settings, product=product.name)
    holder = f"{os.uname().nodename}:{os.getpid()}"
    return Reconciler(product, workspace, training_tools(workspace), holder=holder)


@contextmanager
def scratch(product: "Product", start: datetime, history: "History") -> "Iterator[Scratch]":
    """A scratch workspace under a simulated clock that stands at `start`, with a history; removed at the end."""
    from seatrial.adapters.clock.simulated import SimulatedClock
    from seatrial.cycle.tools import FixedHistory, Tools
    from seatrial.rehearse.replay import Scratch

    clock = SimulatedClock(start)
    with tempfile.TemporaryDirectory(prefix="seatrial-rehearsal-") as folder:
        settings = read_settings({"workspace": folder}, environment={})
        workspace = open_workspace(settings, clock, product=product.name, durable=False)
        live = training_tools(workspace)
        fixed = Tools(history=FixedHistory(history), framework=live.framework, runtime=live.runtime)
        # Sealed by the replay itself, at each round of the simulated loop.
        journal = journal_writer(settings, "rehearsal", product=product.name, segment_seconds=math.inf)
        try:
            yield Scratch(workspace=workspace, clock=clock, journal=journal, tools=fixed, history=history)
        finally:
            journal.close()
            workspace.metadata.close()


def serving(settings: Settings, product: str) -> "Serving":
    """The data plane of one product in this process. It has no tables: what it records goes to the journal."""
    from seatrial.adapters.artifacts.store import open_artifacts
    from seatrial.adapters.metadata.store import open_metadata
    from seatrial.cycle.routes import RecordedRoutes
    from seatrial.serve.serving import Serving

    settings.workspace.mkdir(parents=True, exist_ok=True)
    clock, artifacts = workspace_clock(settings), open_artifacts(settings.artifacts_url)
    metadata = open_metadata(settings.metadata_url, clock)
    journal = journal_writer(settings, "server", product=product)
    return Serving(
        product,
        RecordedRoutes(metadata, product),
        artifacts,
        model_runtime(),
        journal,
        clock,
        tick=journal.tick,
        keep=lambda how: setattr(journal, "fsync", how.fsync),
        lookups=_local_lookups(settings, product, artifacts),
    )


def _local_lookups(settings: Settings, product: str, artifacts: "Artifacts") -> "LmdbLookups":
    """The published lookups on this machine's disk, shared by its server processes."""
    from seatrial.adapters.lookups.store import LmdbLookups

    return LmdbLookups(settings.workspace / "lookups" / product, artifacts)


def forget_lookups(settings: Settings, product: str) -> None:
    """Delete this machine's files of lookups; servers that run make theirs anew from what is published."""
    _local_lookups(settings, product, open_workspace(settings, product=product).artifacts).keep([])
