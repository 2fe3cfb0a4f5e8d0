"""Sources that the loop reads by itself."""

from datetime import timedelta

from seatrial.cycle.refresh import refresh
from seatrial.cycle.retrain import Workshop
from seatrial.cycle.tools import SourceHistory, Tools
from seatrial.facts.finding import Incident
from seatrial.facts.lookups import CURRENT, LookupTables
from tests.fakes.clock import MemoryClock
from tests.fakes.sources import MemorySources
from tests.fakes.training import CountingFramework, CountingRuntime
from tests.fakes.workspace import memory_workspace
from tests.harbour import PRODUCT_FILE, START, call, frame, harbour_product, tide

PRODUCT = harbour_product(
    PRODUCT_FILE.replace("tides: {path: tides.csv}", "tides: {path: tides.csv, every: 10m}")
)


class Port:
    """The harbour's loop as far as its sources go."""

    def __init__(self) -> None:
        self.clock = MemoryClock(START)
        self.workspace = memory_workspace(self.clock)
        self.sources = MemorySources(
            {
                "calls": frame("calls", [call(0, 1)]),
                "tides": frame("tides", [tide(0, 4.0)]),
                "ships": frame("ships", [{"ship": "Argo", "length": 20.0}]),
            }
        )
        latest = START + timedelta(days=99)
        history = SourceHistory(lambda: self.sources, self.workspace, latest=lambda: latest)
        history.read(PRODUCT)
        tools = Tools(history=history, framework=CountingFramework(), runtime=CountingRuntime())
        self.workshop = Workshop(PRODUCT, self.workspace, tools)

    def published(self) -> int:
        with self.workspace.metadata.begin() as transaction:
            found = transaction.get(LookupTables, "harbour", CURRENT)
        return found.lookups["tides"].rows if found else 0

    def incidents(self) -> list[tuple[str, bool]]:
        with self.workspace.metadata.begin() as transaction:
            return [(one.id, one.closed_at is None) for one in transaction.all(Incident, "harbour")]


def test_a_source_is_read_as_often_as_it_is_declared_and_its_lookup_published() -> None:
    port = Port()
    assert refresh(port.workshop) == ("tides",)
    port.sources.frames["tides"] = frame("tides", [tide(0, 4.0), tide(1, 5.0)])
    port.clock.advance(minutes=9)
    assert refresh(port.workshop) == ()
    assert port.published() == 1
    port.clock.advance(minutes=1)
    assert refresh(port.workshop) == ("tides",)
    assert port.published() == 2


def test_a_source_that_is_away_opens_an_incident_which_closes_when_it_is_back() -> None:
    port = Port()
    tides = port.sources.frames.pop("tides")
    assert refresh(port.workshop) == ()
    assert port.incidents() == [("source-tides", True)]
    assert refresh(port.workshop) == (), "not tried again before it is due"
    port.sources.frames["tides"] = tides
    port.clock.advance(minutes=10)
    assert refresh(port.workshop) == ("tides",)
    assert port.incidents() == [("source-tides", False)]
