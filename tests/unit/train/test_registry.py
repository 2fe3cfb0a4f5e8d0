import msgspec
import pytest

from seatrial.facts.model import Model
from seatrial.train.registry import latest_model, models, register
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.training import trained


@pytest.fixture
def model() -> Model:
    return trained(MemoryArtifacts())


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata(MemoryClock())


def test_a_registered_model_is_found_whole(model: Model, metadata: MemoryMetadata) -> None:
    with metadata.begin() as transaction:
        register(model, transaction)
    with metadata.begin() as transaction:
        assert models(transaction, model.product) == [model]
        assert latest_model(transaction, model.product) == model


def test_the_logbook_gets_the_evidence(model: Model, metadata: MemoryMetadata) -> None:
    with metadata.begin() as transaction:
        register(model, transaction)
        (entry,) = transaction.logbook(model.product)
    assert (entry.kind, entry.subject) == ("model registered", model.id)
    assert entry.body["why"] == model.why
    assert entry.body["parity"]["differing_rows"] == 0
    assert {comparison["policy"] for comparison in entry.body["comparisons"]} >= {"model", "baseline"}


def test_registering_twice_writes_once_and_keeps_the_first(model: Model, metadata: MemoryMetadata) -> None:
    again = msgspec.structs.replace(model, seconds=99.0, why="once more")
    with metadata.begin() as transaction:
        register(model, transaction)
        assert register(again, transaction) == model
        assert len(transaction.logbook(model.product)) == 1


def test_the_latest_is_the_one_registered_last(model: Model, metadata: MemoryMetadata) -> None:
    newer = msgspec.structs.replace(model, id="sha256:" + "f" * 64)
    with metadata.begin() as transaction:
        register(model, transaction)
        register(newer, transaction)
        assert [each.id for each in models(transaction, model.product)] == [model.id, newer.id]
        assert latest_model(transaction, model.product) == newer


def test_without_models_there_is_no_latest(metadata: MemoryMetadata) -> None:
    with metadata.begin() as transaction:
        assert latest_model(transaction, "late-parcels") is None
