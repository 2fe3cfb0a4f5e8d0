"""A scoring server whose releases tell themselves apart: by score, by threshold, and by when they come and go."""

import os
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.adapters.clock.system import SystemClock
from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.facts.release import Phase, Release
from seatrial.ports.runtime import Inputs, Limits
from seatrial.serve.ports import RouteTable
from seatrial.serve.serving import Limits as ServingLimits
from seatrial.serve.serving import Serving
from seatrial.web.scoring.app import build
from seatrial.web.scoring.rsgi import RsgiApp
from tests.fakes.artifacts import MemoryArtifacts
from tests.hotel import stored_release
from tests.scoring_server import FOLDER


def score_of(number: int) -> float:
    """What the model of release `r<number>` says to everything."""
    return 0.1 + number / 1000


def acts(number: int) -> bool:
    """What release `r<number>` decides: with the threshold of its neighbours it would decide otherwise."""
    return number % 2 == 0


class TellingScorer:
    """Always says the same, and writes down when it is loaded and closed."""

    isolated = False

    def __init__(self, score: float, name: str, diary: Path) -> None:
        self.score_, self.name, self.diary = score, name, diary
        self._tell("opened")

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        return np.full(inputs["price"].shape[0], self.score_)

    def close(self) -> None:
        self._tell("closed")

    def _tell(self, what: str) -> None:
        with self.diary.open("a") as diary:
            diary.write(f"{os.getpid()} {self.name} {what}\n")


class TellingRuntime:
    """Loads a scorer that says what the package says."""

    def __init__(self, diary: Path) -> None:
        self._diary, self._loads = diary, count()

    def load(self, package: bytes, limits: Limits | None = None) -> TellingScorer:
        return TellingScorer(float(package), f"{package.decode()}/{next(self._loads)}", self._diary)


class NumberedReleases:
    """Routes from a file with the number of the live release, and perhaps that of a canary of a half."""

    def __init__(self, file: Path, artifacts: MemoryArtifacts) -> None:
        self.file, self.artifacts = file, artifacts

    def current(self) -> RouteTable | None:
        live, *others = map(self._release, self.file.read_text().split())
        canary = [msgspec.structs.replace(one, phase=Phase.CANARY, share=0.5) for one in others]
        return RouteTable(live=live, challenger=canary[0] if canary else None)

    def _release(self, name: str) -> Release:
        number = int(name.removeprefix("r"))
        release = stored_release(self.artifacts, name)
        package = self.artifacts.put(repr(score_of(number)).encode())
        threshold = 0.05 if acts(number) else 0.95
        bundle = msgspec.structs.replace(release.bundle, model_artifact=package, threshold=threshold)
        return msgspec.structs.replace(release, bundle=bundle)


def app() -> RsgiApp:
    """The application that granian serves."""
    folder = Path(os.environ[FOLDER])
    artifacts = MemoryArtifacts()
    writer = FileJournalWriter(folder / "journal", "server", segment_bytes=50_000)
    serving = Serving(
        "hotel",
        NumberedReleases(folder / "live", artifacts),
        artifacts,
        TellingRuntime(folder / "diary"),
        writer,
        SystemClock(),
        tick=writer.tick,
        limits=ServingLimits(refresh_seconds=0.05, tick_seconds=0.1),
    )
    return RsgiApp(build(serving))
