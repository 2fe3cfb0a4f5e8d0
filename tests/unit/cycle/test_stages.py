"""The stages one by one, as commands run them."""

import msgspec
import pytest

from seatrial.cycle.stages import (
    approve,
    make_snapshot,
    newest,
    release_newest,
    roll_back_challenger,
    roll_back_live,
    train_newest,
)
from seatrial.errors import Conflict, NotFound
from seatrial.facts.finding import Incident
from seatrial.facts.model import Model
from seatrial.facts.release import Phase, Release
from seatrial.facts.snapshot import Snapshot
from tests.parcels_loop import DAY, World
from tests.situations import incident


@pytest.mark.parametrize(
    ("kind", "command"), [(Snapshot, "data"), (Model, "train"), (Release, "release")], ids=str
)
def test_what_is_not_there_yet_is_said_with_the_command_that_makes_it(
    kind: type[msgspec.Struct], command: str
) -> None:
    world = World()
    with pytest.raises(NotFound, match=f"`seatrial {command}` makes one"):
        newest(world.workspace, kind, world.product.name)


def test_the_newest_fact_is_the_one_stored_last() -> None:
    world = World()
    make_snapshot(world.workshop())
    world.clock.advance(DAY)
    second = make_snapshot(world.workshop())
    assert newest(world.workspace, Snapshot, world.product.name) == second


def test_a_snapshot_of_the_same_rows_is_the_same_and_logged_once() -> None:
    world = World()
    assert make_snapshot(world.workshop()).id == make_snapshot(world.workshop()).id
    assert world.kinds() == ["snapshot saved"]


def test_the_stages_lead_to_a_live_release() -> None:
    world = World()
    snapshot = make_snapshot(world.workshop())
    model = train_newest(world.workshop(), why="first")
    release = release_newest(world.workshop(), why="first")
    assert (model.snapshot, release.bundle.model) == (snapshot.id, model.id)
    assert (release.phase, release.why) == (Phase.LIVE, "gates passed; nothing was live before")
    assert all(gate.passed for gate in release.gates)


def test_a_model_that_its_gates_refuse_never_sees_traffic() -> None:
    world = World()
    make_snapshot(world.workshop())
    model = train_newest(world.workshop(), why="first")
    with world.metadata.begin() as transaction:
        parity = msgspec.structs.replace(model.parity, differing_rows=3)
        transaction.put(msgspec.structs.replace(model, parity=parity))
    release = release_newest(world.workshop(), why="first")
    assert release.phase is Phase.RETIRED
    assert release.why.startswith("refused by its gates: package equals model")


def test_a_model_whose_snapshot_is_gone_is_not_released() -> None:
    world = World()
    make_snapshot(world.workshop())
    model = train_newest(world.workshop(), why="first")
    with world.metadata.begin() as transaction:
        transaction.put(msgspec.structs.replace(model, snapshot="sha256:gone"))
    with pytest.raises(NotFound, match="sha256:gone"):
        release_newest(world.workshop(), why="first")


def test_a_person_rolls_back_what_is_live_and_its_incidents_go_with_it() -> None:
    world = World(rows=1800, days=60)
    world.launch()
    world.live_through(range(24))
    with world.metadata.begin() as transaction:
        transaction.put(msgspec.structs.replace(incident(), product=world.product.name))
    again = roll_back_live(world.workspace, world.product.name, why="complaints", actor="ann")
    assert (again.id, again.phase) == ("r0001", Phase.LIVE)
    with world.metadata.begin() as transaction:
        [closed] = transaction.all(Incident)
    assert closed.closed_by == "rolled back to r0001"
    assert [entry.actor for entry in world.logbook()[-3:-1]] == ["ann", "ann"]


def test_there_is_nothing_to_roll_back_or_approve_where_nothing_is() -> None:
    world = World()
    with pytest.raises(NotFound, match="no live release"):
        roll_back_live(world.workspace, world.product.name, why="x", actor="ann")
    with pytest.raises(NotFound, match="r0009"):
        approve(world.workspace, world.product.name, "r0009", actor="ann")
    assert world.logbook() == []


def test_a_person_ends_a_trial_and_the_live_release_stays() -> None:
    world = World()
    world.launch()
    with pytest.raises(NotFound, match="shadow or canary"):
        roll_back_challenger(world.workspace, world.product.name, why="no", actor="ann")
    world.live_through(range(1))
    make_snapshot(world.workshop())
    train_newest(world.workshop(), why="a try")
    tried = release_newest(world.workshop(), why="a try")
    gone = roll_back_challenger(world.workspace, world.product.name, why="too slow", actor="ann")
    assert (gone.id, gone.phase) == (tried.id, Phase.ROLLED_BACK)
    assert world.releases()[0].phase is Phase.LIVE
    assert world.logbook()[-1].actor == "ann"


def test_the_first_release_waits_for_a_person_where_the_product_file_says_so() -> None:
    world = World(more="release: {approve: [live]}\n")
    make_snapshot(world.workshop())
    train_newest(world.workshop(), why="first")
    waits = release_newest(world.workshop(), why="first")
    assert waits.phase is Phase.CANDIDATE
    assert world.kinds()[-1] == "approval asked"
    assert approve(world.workspace, world.product.name, waits.id, actor="ann").phase is Phase.LIVE
    assert world.releases()[0].phase is Phase.LIVE


def test_a_model_in_front_of_traffic_is_not_released_again() -> None:
    world = World()
    world.launch()
    with pytest.raises(Conflict, match="train another one"):
        release_newest(world.workshop(), why="again")
