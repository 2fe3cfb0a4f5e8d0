"""A real server of one product without lookups, whose scorer is given, with little patience."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from seatrial.adapters.clock.system import SystemClock
from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.facts.release import Release
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.runtime import Scorer
from seatrial.product.product import Product
from seatrial.serve.serving import Limits, Serving
from seatrial.web.scoring.app import ScoringApp
from seatrial.web.scoring.rsgi import RsgiApp
from tests.fakes.artifacts import MemoryArtifacts
from tests.hotel import NamedRuntime, SettableSource, hotel_release
from tests.scoring_server import Server

FOLDER = "ONE_PRODUCT_SERVER_FOLDER"
# How long the server waits for headers and bodies, in seconds.
PATIENCE = 1.0


def one_product_app(product: Product, scorer: Scorer) -> RsgiApp:
    """The application that granian serves, in a process that `one_product` started."""
    folder, artifacts = Path(os.environ[FOLDER]), MemoryArtifacts()
    writer = FileJournalWriter(folder / "journal", "server", segment_bytes=50_000)
    serving = Serving(
        product.name,
        SettableSource(_stored(artifacts, product)),
        artifacts,
        NamedRuntime(given=scorer),
        writer,
        SystemClock(),
        tick=writer.tick,
        limits=Limits(refresh_seconds=0.5, tick_seconds=0.5),
    )
    return RsgiApp(ScoringApp([serving], body_seconds=PATIENCE))


class OneProductServer(Server):
    """A running server of the application that `target` names."""

    def __init__(self, folder: Path, port: int, target: str) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        patience = ["--http1-header-read-timeout", str(int(1000 * PATIENCE))]
        command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--factory", "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, *patience, "--no-log", target],
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, FOLDER: str(folder)},
            start_new_session=True,
        )


@contextmanager
def one_product(folder: Path, target: str) -> Iterator[OneProductServer]:
    """A ready server, killed at the end if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = OneProductServer(folder, port, target)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.end(signal.SIGKILL)


def _stored(artifacts: Artifacts, product: Product) -> Release:
    """A live release whose parts are all in the artifacts."""
    product_file, contract = (artifacts.put(text.encode()) for text in product.texts)
    release = hotel_release()
    bundle = msgspec.structs.replace(
        release.bundle,
        product=product.name,
        model_artifact=artifacts.put(b"given"),
        product_file=product_file,
        contract=contract,
    )
    return msgspec.structs.replace(release, product=product.name, bundle=bundle)
