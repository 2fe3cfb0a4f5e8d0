"""A worker of the loop as a process of its own, on a workspace of files: SQLite, Delta tables, the file journal."""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from seatrial.cycle.reconcile import Reconciler
from seatrial.cycle.tools import FixedHistory, Tools
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.settings import Settings, read_settings
from seatrial.wiring import open_workspace
from tests.fakes.training import CountingFramework, CountingRuntime, parcels, parcels_product
from tests.parcels_loop import at_few_hours, history_of

# One retraining at once, whose release stays in shadow: two releases score every row.
MORE = """
release: {shadow: {outcomes: 100000}}
retrain: {max_age: 3d, at_most: 1 per 90d}
"""
LEASED = timedelta(minutes=11)


def product() -> Product:
    return parcels_product(more=MORE)


def tools(of: Product) -> Tools:
    history = history_of(at_few_hours(parcels(of)))
    return Tools(history=FixedHistory(history), framework=CountingFramework(), runtime=CountingRuntime())


def settings(folder: Path, offset: float) -> Settings:
    return read_settings({"workspace": str(folder), "clock_offset": repr(offset)}, {})


def offset_to(moment: datetime) -> float:
    """What the machine's clock must be moved by to stand at a moment now."""
    return (moment - datetime.now(UTC)).total_seconds()


def worker(workspace: Workspace, holder: str) -> Reconciler:
    return Reconciler(product(), workspace, tools(product()), holder=holder)


def main(folder: Path, offset: float) -> None:
    """Round after round until somebody ends it. A killed worker keeps its lease until that is over."""
    loop = worker(open_workspace(settings(folder, offset)), f"worker-{os.getpid()}")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        assert not loop.tick().busy
        time.sleep(0.005)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
