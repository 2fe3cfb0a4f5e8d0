"""Events are built again with the classes of openlineage-python: they refuse what the standard does not have."""

import importlib
import inspect
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from seatrial.data.openlineage import Event, events
from seatrial.data.profiles import stored_profile
from seatrial.data.provenance import recorded
from seatrial.facts.job import Job
from seatrial.facts.load import PENDING
from seatrial.facts.release import GateResult, Phase
from tests.asset import CAPTAIN, NAME, NOW, Asset

base = importlib.import_module("openlineage.client.generated.base")
MODULES = {
    "schema": "schema_dataset",
    "version": "dataset_version_dataset",
    "dataSource": "datasource_dataset",
    "columnLineage": "column_lineage_dataset",
    "tags": "tags_dataset",
    "dataQualityAssertions": "data_quality_assertions_dataset",
    "dataQualityMetrics": "data_quality_metrics_input_dataset",
    "outputStatistics": "output_statistics_output_dataset",
    "errorMessage": "error_message_run",
    "jobType": "job_type_job",
    "documentation": "documentation_job",
    "ownership": "ownership_job",
}


def exported(asset: Asset, jobs: tuple[Job, ...] = ()) -> list[Event]:
    with asset.metadata.begin() as transaction:
        facts = recorded(transaction, NAME)
    stored = {load.profile: stored_profile(asset.artifacts, load.profile) for load in facts.loads}
    return events(asset.product, facts, {key: value for key, value in stored.items() if value}, jobs)


@pytest.fixture(scope="module")
def asset() -> Asset:
    filled = Asset().fill()
    filled.erase()
    return filled


@pytest.fixture(scope="module")
def told(asset: Asset) -> list[Event]:
    return exported(asset)


def facets_of(event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from event["run"]["facets"].items()
    yield from event["job"]["facets"].items()
    for dataset in (*event["inputs"], *event["outputs"]):
        for group in ("facets", "inputFacets", "outputFacets"):
            yield from dataset.get(group, {}).items()


def facet_class(name: str) -> Any:
    module = importlib.import_module(f"openlineage.client.generated.{MODULES[name]}")
    classes = [
        cls for _, cls in inspect.getmembers(module, inspect.isclass) if cls.__name__.endswith("Facet")
    ]
    return next(cls for cls in classes if cls.__module__ == module.__name__)


def built(kind: Any, value: Any) -> Any:
    """The value as an instance of a class of the client; raises TypeError for a field that it does not have."""
    if hasattr(kind, "__attrs_attrs__"):
        hints = get_type_hints(kind)
        given = {name: item for name, item in value.items() if not name.startswith("_")}
        return kind(
            **{name: built(hints[name], item) if name in hints else item for name, item in given.items()}
        )
    inner = [arg for arg in get_args(kind) if arg is not type(None)]
    if isinstance(value, list):
        element = get_args(inner[0])[0] if inner and get_args(inner[0]) else inner[0]
        return [built(element, item) for item in value]
    if isinstance(value, dict):
        element = (get_args(inner[0]) if inner and get_args(inner[0]) else inner)[-1]
        return {key: built(element, item) for key, item in value.items()}
    return value


def of_job(told: list[Event], name: str, kind: str = "COMPLETE") -> list[Event]:
    return [
        event for event in told if event["job"]["name"] == f"{NAME}.{name}" and event["eventType"] == kind
    ]


def test_the_clients_classes_take_every_event(told: list[Event]) -> None:
    for event in told:
        run = base.Run(event["run"]["runId"])
        job = base.Job(event["job"]["namespace"], event["job"]["name"])
        inputs = [base.InputDataset(one["namespace"], one["name"]) for one in event["inputs"]]
        base.RunEvent(
            eventTime=event["eventTime"],
            producer=event["producer"],
            run=run,
            job=job,
            eventType=base.EventType[event["eventType"]],
            inputs=inputs,
        )
        assert event["schemaURL"] == base.RunEvent._get_schema()


def test_every_facet_is_one_of_the_standard_in_its_present_version_or_named_as_ours(
    told: list[Event],
) -> None:
    seen = set()
    for event in told:
        for name, body in facets_of(event):
            assert body["_producer"].startswith("https://")
            if name.startswith("seatrial_"):
                assert body["_schemaURL"].startswith(body["_producer"])
                continue
            kind = facet_class(name)
            assert body["_schemaURL"] == kind._get_schema()
            built(kind, body)
            seen.add(name)
    assert seen >= MODULES.keys() - {"errorMessage"}


def test_a_facet_with_a_field_that_the_standard_lacks_would_be_noticed() -> None:
    with pytest.raises(TypeError, match="rowsCounted"):
        built(facet_class("outputStatistics"), {"rowCount": 1, "rowsCounted": 2})


def test_every_run_starts_before_it_ends_and_is_told_once(asset: Asset, told: list[Event]) -> None:
    states: dict[str, list[str]] = {}
    for event in told:
        states.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert set(map(tuple, states.values())) == {("START", "COMPLETE")}
    times = [datetime.fromisoformat(event["eventTime"]) for event in told]
    assert times == sorted(times)
    assert exported(asset) == told


def test_columns_of_examples_are_traced_to_the_columns_of_the_sources(told: list[Event]) -> None:
    made = of_job(told, "snapshot")[0]["outputs"][0]
    fields = made["facets"]["columnLineage"]["fields"]
    seen = [
        (one["name"], one["field"], one["transformations"][0]["subtype"])
        for one in fields["visib"]["inputFields"]
    ]
    assert seen == [
        ("flight-delays.source.weather", "visib", "IDENTITY"),
        ("flight-delays.source.weather", "origin", "JOIN"),
    ]
    derived = fields["far_and_foggy"]["inputFields"]
    assert [(one["field"], one["transformations"][0]["subtype"]) for one in derived] == [
        ("distance", "TRANSFORMATION"),
        ("visib", "TRANSFORMATION"),
    ]
    assert derived[0]["transformations"][0]["description"] == "long_haul AND visib < 3"


def test_what_one_run_writes_is_what_the_next_one_reads(told: list[Event]) -> None:
    def versions(datasets: list[dict[str, Any]]) -> set[tuple[str, str]]:
        return {(one["name"], one["facets"]["version"]["datasetVersion"]) for one in datasets}

    loaded = {
        pair for event in told if ".load." in event["job"]["name"] for pair in versions(event["outputs"])
    }
    for event in of_job(told, "snapshot"):
        assert versions(event["inputs"]) <= loaded
    snapshots = {pair for event in of_job(told, "snapshot") for pair in versions(event["outputs"])}
    training, release = of_job(told, "train")[0], of_job(told, "release")[0]
    assert versions(training["inputs"]) <= snapshots
    assert versions(release["inputs"]) == versions(training["outputs"])


def test_rules_and_counts_of_a_load_are_told(told: list[Event]) -> None:
    last = of_job(told, "load.flights")[-1]["inputs"][0]
    assert (last["namespace"], last["name"]) == ("s3://lake", "flights/*.parquet")
    rule = last["inputFacets"]["dataQualityAssertions"]["assertions"][0]
    assert rule["success"] is False
    assert (rule["column"], rule["severity"], rule["actual"]) == ("distance", "error", "41 of 441 rows fail")
    metrics = last["inputFacets"]["dataQualityMetrics"]["columnMetrics"]["distance"]
    assert metrics["count"] == 3600
    assert metrics["min"] <= metrics["quantiles"]["0.5"] <= metrics["max"]


def test_a_model_of_erased_rows_is_flagged(told: list[Event]) -> None:
    made = of_job(told, "train")[0]["outputs"][0]
    assert made["facets"]["seatrial_model"]["trainedOnErasedRows"] is True


def test_no_event_holds_a_value_of_a_sensitive_column(told: list[Event]) -> None:
    text = msgspec.json.encode(told).decode()
    assert CAPTAIN not in text
    assert re.search(
        '"key":"classification","value":"restricted","source":"CONTRACT","field":"captain"', text
    )


def test_what_failed_is_told_as_failed_and_what_goes_on_has_no_end() -> None:
    asset = Asset().fill(weeks=5)
    load = msgspec.structs.replace(asset.loads["flights"][-1], state=PENDING)
    job = Job(
        id="retrain-1",
        product=NAME,
        kind="retrain",
        state="failed",
        created_at=NOW,
        error="no matured example",
    )
    with asset.metadata.begin() as transaction:
        transaction.put(load)
        facts = recorded(transaction, NAME)
        closed = msgspec.structs.replace(
            facts.releases[0],
            id="r0002",
            phase=Phase.CANDIDATE,
            gates=(GateResult(gate="parity", passed=False, evidence="3 rows differ"),),
        )
        transaction.put(closed)
    told = exported(asset, (job,))
    failed = {event["job"]["name"]: event for event in told if event["eventType"] == "FAIL"}
    assert failed.keys() == {f"{NAME}.retrain", f"{NAME}.release"}
    messages = [event["run"]["facets"]["errorMessage"]["message"] for event in failed.values()]
    assert sorted(messages) == ["no matured example", "parity: 3 rows differ"]
    assert len(of_job(told, "load.flights", "START")) == 5
    assert len(of_job(told, "load.flights")) == 4
