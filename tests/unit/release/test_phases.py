"""How a release changes its phase, and what is written down when it does."""

from datetime import timedelta

import pytest

from seatrial.errors import Conflict, NotFound
from seatrial.facts.logbook import chain_faults
from seatrial.facts.release import GateResult, Phase, Release
from seatrial.release.phases import (
    challenger,
    live_release,
    open_candidate,
    roll_back,
    to_live,
    to_trial,
    withdraw,
)
from tests.fakes.clock import START, MemoryClock
from tests.fakes.metadata import MemoryMetadata
from tests.hotel import hotel_release

GATES = (GateResult(gate="owner declared", passed=True, evidence="business a, engineering b"),)
LATER = START + timedelta(hours=1)


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata(MemoryClock())


def opened(metadata: MemoryMetadata) -> Release:
    with metadata.begin() as transaction:
        return open_candidate(transaction, hotel_release().bundle, GATES, now=START, why="a first model")


def live(metadata: MemoryMetadata) -> Release:
    release = opened(metadata)
    with metadata.begin() as transaction:
        return to_live(transaction, release, now=LATER, why="gates passed")


def found(metadata: MemoryMetadata, id: str) -> Release:
    with metadata.begin() as transaction:
        release = transaction.get(Release, "hotel", id)
    assert release is not None
    return release


def entries(metadata: MemoryMetadata) -> list[tuple[str, str]]:
    assert chain_faults(metadata.state.logbook) == []
    return [(entry.kind, entry.subject) for entry in metadata.state.logbook]


def test_releases_are_numbered_and_keep_the_evidence_of_their_gates(metadata: MemoryMetadata) -> None:
    first, second = opened(metadata), opened(metadata)
    assert (first.id, second.id, first.phase) == ("r0001", "r0002", Phase.CANDIDATE)
    assert found(metadata, "r0001").gates == GATES
    [entry, _] = metadata.state.logbook
    assert entry.body["gates"][0]["gate"] == "owner declared"
    assert entries(metadata) == [("release candidate", "r0001"), ("release candidate", "r0002")]


def test_only_one_release_is_on_trial(metadata: MemoryMetadata) -> None:
    first, second = opened(metadata), opened(metadata)
    with metadata.begin() as transaction:
        to_trial(transaction, first, Phase.SHADOW, 0.0, now=LATER, why="gates passed")
    with pytest.raises(Conflict, match="r0001"), metadata.begin() as transaction:
        to_trial(transaction, second, Phase.SHADOW, 0.0, now=LATER, why="gates passed")
    assert found(metadata, "r0002").phase is Phase.CANDIDATE
    with metadata.begin() as transaction:
        tried = challenger(transaction, "hotel")
    assert tried == found(metadata, "r0001")
    assert len(entries(metadata)) == 3


def test_a_trial_moves_on_with_its_share_and_the_moment_of_the_change(metadata: MemoryMetadata) -> None:
    first = opened(metadata)
    with metadata.begin() as transaction:
        shadow = to_trial(transaction, first, Phase.SHADOW, 0.0, now=LATER, why="gates passed")
        later = LATER + timedelta(days=1)
        to_trial(transaction, shadow, Phase.CANARY, 0.1, now=later, why="no harm", numbers={"rows": 600})
    moved = found(metadata, "r0001")
    assert (moved.phase, moved.share, moved.changed_at, moved.why) == (Phase.CANARY, 0.1, later, "no harm")
    assert metadata.state.logbook[-1].body == {
        "why": "no harm",
        "numbers": {"share": 0.1, "rows": 600},
        "share": 0.1,
    }
    assert [kind for kind, _ in entries(metadata)] == [
        "release candidate",
        "release shadow",
        "release canary",
    ]


def test_what_goes_live_retires_its_predecessor_and_remembers_it(metadata: MemoryMetadata) -> None:
    live(metadata)
    second = live(metadata)
    assert (second.phase, second.previous, second.share, second.live_from) == (
        Phase.LIVE,
        "r0001",
        1.0,
        LATER,
    )
    assert found(metadata, "r0001").phase is Phase.RETIRED
    with metadata.begin() as transaction:
        assert live_release(transaction, "hotel") == second
    assert entries(metadata)[-2:] == [("release retired", "r0001"), ("release live", "r0002")]


def test_rolling_back_a_live_release_makes_its_predecessor_live_again(metadata: MemoryMetadata) -> None:
    live(metadata)
    second = live(metadata)
    later = LATER + timedelta(days=1)
    with metadata.begin() as transaction:
        again = roll_back(transaction, second, now=later, why="complaints", actor="ann")
    assert (again.id, again.phase, again.share, again.live_from) == ("r0001", Phase.LIVE, 1.0, later)
    gone = found(metadata, "r0002")
    assert (gone.phase, gone.share, gone.why) == (Phase.ROLLED_BACK, 0.0, "complaints")
    assert entries(metadata)[-2:] == [("release rolled back", "r0002"), ("release live", "r0001")]
    assert {entry.actor for entry in metadata.state.logbook[-2:]} == {"ann"}


def test_without_a_predecessor_a_live_release_stays(metadata: MemoryMetadata) -> None:
    first = live(metadata)
    with pytest.raises(NotFound, match="predecessor"), metadata.begin() as transaction:
        roll_back(transaction, first, now=LATER, why="complaints")
    assert found(metadata, "r0001").phase is Phase.LIVE
    assert len(entries(metadata)) == 2


def test_rolling_back_a_challenger_leaves_the_live_release_alone(metadata: MemoryMetadata) -> None:
    first, second = live(metadata), opened(metadata)
    with metadata.begin() as transaction:
        tried = to_trial(transaction, second, Phase.CANARY, 0.5, now=LATER, why="no harm")
        gone = roll_back(transaction, tried, now=LATER, why="it earns less")
    assert (gone.id, gone.phase) == ("r0002", Phase.ROLLED_BACK)
    assert found(metadata, "r0001") == first
    with metadata.begin() as transaction:
        assert challenger(transaction, "hotel") is None


def test_a_refused_candidate_is_retired_without_traffic(metadata: MemoryMetadata) -> None:
    first = opened(metadata)
    with metadata.begin() as transaction:
        refused = withdraw(transaction, first, now=LATER, why="refused by its gates")
    assert (refused.phase, refused.share, refused.live_from) == (Phase.RETIRED, 0.0, None)
    assert entries(metadata)[-1] == ("release retired", "r0001")


def test_products_do_not_see_each_other(metadata: MemoryMetadata) -> None:
    live(metadata)
    with metadata.begin() as transaction:
        assert live_release(transaction, "other") is None
        assert challenger(transaction, "other") is None
