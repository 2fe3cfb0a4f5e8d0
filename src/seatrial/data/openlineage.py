"""The history of a product as events of OpenLineage, for the catalogue that a company already has.

Every load, snapshot, training and release is a run: an event START and one of COMPLETE or FAIL. Run ids come from
our own ids, so exporting again gives the same events and no catalogue counts a run twice. No event holds a value
of a column that the contract classifies as more than internal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from seatrial.contract.model import TableContract
from seatrial.data import facets
from seatrial.data.facets import Facet
from seatrial.data.origins import DELIVERED, DERIVED, KEY, LOOKED_UP, Origin, column_origins
from seatrial.data.provenance import Recorded, erased_of
from seatrial.data.recording import RECHECK, REPLAY
from seatrial.facts.job import Job
from seatrial.facts.load import DONE, Load
from seatrial.facts.model import Model
from seatrial.facts.profile import TableProfile
from seatrial.facts.release import Phase, Release
from seatrial.facts.snapshot import RuleResult, Snapshot, SourceRead
from seatrial.facts.tables import examples_table, source_table, table_name
from seatrial.product.product import MATURED_AT, Product

NAMESPACE = "seatrial"
EVENT_SCHEMA = f"{facets.SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"

_SUBTYPES = {DELIVERED: "IDENTITY", LOOKED_UP: "IDENTITY", KEY: "JOIN", DERIVED: "TRANSFORMATION"}

Event = dict[str, Any]
Dataset = dict[str, Any]


@dataclass(frozen=True)
class _Run:
    """One run to tell of; `end` is None for one that goes on still."""

    kind: str
    id: str
    at: datetime
    inputs: list[Dataset]
    outputs: list[Dataset]
    end: str | None = "COMPLETE"
    part: str = ""
    facets: Mapping[str, Facet] = field(default_factory=dict)


def events(
    product: Product,
    facts: Recorded,
    profiles: Mapping[str, TableProfile],
    jobs: Sequence[Job] = (),
    *,
    namespace: str = NAMESPACE,
) -> list[Event]:
    """The events of all recorded runs by time, and of failed `jobs`.

    `profiles` maps the profile digests of loads to profiles. `namespace` is that of jobs and of the tables kept
    here; the places that sources were read from have their own, as the standard's naming asks.
    """
    exporter = _Exporter(product, namespace)
    made: list[list[Event]] = [exporter.load(load, profiles.get(load.profile)) for load in facts.loads]
    made += [exporter.snapshot(snapshot, facts) for snapshot in facts.snapshots]
    made += [exporter.training(model, facts) for model in facts.models]
    made += [exporter.release(release) for release in facts.releases]
    made += [exporter.failure(job) for job in jobs if job.state == "failed"]
    # Sorted by run, so that START stays before the end of a run that took no time.
    return [event for run in sorted(made, key=lambda run: str(run[0]["eventTime"])) for event in run]


class _Exporter:
    """Runs of one product, named in one namespace."""

    def __init__(self, product: Product, namespace: str) -> None:
        self.product = product
        self.namespace = namespace

    def load(self, load: Load, profile: TableProfile | None) -> list[Event]:
        """A reading of a source: what was delivered, how it kept the contract, what was stored."""
        table = self.product.contract.table(load.source)
        origin = self._origin(load, table, profile)
        stored = self._stored(load.source, load)
        if table:
            fields = {column.name: [_field(origin, _as_delivered(column.name))] for column in table.columns}
            stored["facets"] |= {
                "schema": facets.schema(_types(table), table),
                "tags": facets.tags(table),
                "columnLineage": facets.column_lineage(fields),
            }
        stored["outputFacets"] = {"outputStatistics": facets.output_statistics(load.added)}
        run = {"seatrial_load": facets.of_load(load)}
        end = "COMPLETE" if load.state == DONE else None
        return self._told(
            _Run("load", load.id, load.read_at, [origin], [stored], end=end, part=load.source, facets=run)
        )

    def snapshot(self, snapshot: Snapshot, facts: Recorded) -> list[Event]:
        """Sources joined as they were known: which state of each, and which column came from where."""
        inputs = [self._read(read, snapshot.rules, facts) for read in snapshot.sources]
        named = {one.name: dataset for one, dataset in zip(snapshot.sources, inputs, strict=True)}
        examples = self._examples(snapshot.id)
        examples["facets"] |= {
            "schema": facets.schema(self._example_types(snapshot), self.product.request),
            "columnLineage": facets.column_lineage(_column_lineage(self.product, snapshot.columns, named)),
        }
        examples["outputFacets"] = {"outputStatistics": facets.output_statistics(snapshot.rows)}
        run = {"seatrial_snapshot": facets.of_snapshot(snapshot)}
        return self._told(_Run("snapshot", snapshot.id, snapshot.created_at, inputs, [examples], facets=run))

    def training(self, model: Model, facts: Recorded) -> list[Event]:
        """A snapshot made into a model."""
        erased = bool(erased_of(facts, model.snapshot)) or any(
            model.id in one.models for one in facts.erasures
        )
        made = self._model(model.id)
        made["facets"]["seatrial_model"] = facets.of_model(model, erased=erased)
        return self._told(_Run("train", model.id, model.trained_at, [self._examples(model.snapshot)], [made]))

    def release(self, release: Release) -> list[Event]:
        """A model put in front of traffic; failed when its gates refused it."""
        made = self._dataset("releases", release.id)
        made["facets"]["seatrial_release"] = facets.of_release(release)
        refused = [gate for gate in release.gates if not gate.passed]
        closed = bool(refused) and release.phase == Phase.CANDIDATE
        told = "; ".join(f"{gate.gate}: {gate.evidence}" for gate in refused)
        run = {"errorMessage": facets.error_message(told)} if closed else {}
        end = "FAIL" if closed else "COMPLETE"
        inputs = [self._model(release.bundle.model)]
        return self._told(
            _Run("release", release.id, release.created_at, inputs, [made], end=end, facets=run)
        )

    def failure(self, job: Job) -> list[Event]:
        """Long work that was given up."""
        run = {"errorMessage": facets.error_message(job.error or "no reason was recorded")}
        at = job.finished_at or job.created_at
        return self._told(_Run(job.kind, job.id, at, [], [], end="FAIL", facets=run))

    def _told(self, run: _Run) -> list[Event]:
        """START and, unless it goes on still, the end of the run."""
        job = {
            "namespace": self.namespace,
            "name": ".".join(name for name in (self.product.name, run.kind, run.part) if name),
            "facets": self._job_facets(run.kind),
        }
        named = f"seatrial:{self.namespace}:{self.product.name}:{run.kind}:{run.id}"
        identity = str(uuid5(NAMESPACE_URL, named))
        start = _event("START", run.at, {"runId": identity, "facets": {}}, job)
        if run.end is None:
            return [start]
        end = _event(run.end, run.at, {"runId": identity, "facets": dict(run.facets)}, job)
        return [start, end | {"inputs": run.inputs, "outputs": run.outputs}]

    def _job_facets(self, kind: str) -> dict[str, Facet]:
        told = {
            "jobType": facets.job_type(kind),
            "documentation": facets.documentation(self.product.file.purpose),
        }
        owner = self.product.owner
        if owner is None:
            return told
        return told | {
            "ownership": facets.owners({"business": owner.business, "engineering": owner.engineering})
        }

    def _origin(self, load: Load, table: TableContract | None, profile: TableProfile | None) -> Dataset:
        """The place that was read, named as the standard names files and object stores."""
        if load.kind in (RECHECK, REPLAY):
            # Nothing was delivered: stored rows, or rows that had been put aside, were checked again.
            namespace, name = self.namespace, load.table
        else:
            namespace, name = self._place(load)
        dataset = _dataset(namespace, name)
        dataset["facets"]["dataSource"] = facets.data_source(load.source, load.origin or load.kind)
        dataset["inputFacets"] = {"dataQualityAssertions": facets.assertions(load.rules, table)}
        if table:
            dataset["facets"]["schema"] = facets.schema(_types(table), table)
        if profile:
            dataset["inputFacets"]["dataQualityMetrics"] = facets.metrics(profile, table)
        return dataset

    def _place(self, load: Load) -> tuple[str, str]:
        if load.kind != "path":
            # A query, a function or a resource is no place that other tools know by one name.
            return self.namespace, f"{table_name(self.product.name, load.source)}.{load.kind}"
        parts = urlsplit(load.origin)
        if parts.scheme and parts.netloc:
            return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/"
        return "file", parts.path or load.source

    def _read(self, read: SourceRead, rules: Sequence[RuleResult], facts: Recorded) -> Dataset:
        load = next((load for load in facts.loads if load.id == read.load), None)
        dataset = self._stored(read.name, load)
        dataset["facets"]["seatrial_rows"] = facets.own_facet("rows", digest=read.digest, rows=read.kept)
        checked = [result for result in rules if result.source == read.name]
        table = self.product.contract.table(read.name)
        dataset["inputFacets"] = {"dataQualityAssertions": facets.assertions(checked, table)}
        return dataset

    def _stored(self, source: str, load: Load | None) -> Dataset:
        name = load.table if load else source_table(self.product.name, source)
        dataset = _dataset(self.namespace, name)
        if load is not None:
            dataset["facets"]["version"] = facets.version(str(load.number))
        return dataset

    def _examples(self, snapshot: str) -> Dataset:
        dataset = _dataset(self.namespace, examples_table(self.product.name))
        dataset["facets"]["version"] = facets.version(snapshot)
        return dataset

    def _model(self, model: str) -> Dataset:
        return self._dataset("models", model)

    def _dataset(self, name: str, version: str) -> Dataset:
        dataset = _dataset(self.namespace, table_name(self.product.name, name))
        dataset["facets"]["version"] = facets.version(version)
        return dataset

    def _example_types(self, snapshot: Snapshot) -> dict[str, str]:
        known = _types(self.product.request) | self.product.columns | {MATURED_AT: "timestamp"}
        return {name: known.get(name, "timestamp") for name in snapshot.columns}


def _event(kind: str, at: datetime, run: dict[str, Any], job: dict[str, Any]) -> Event:
    return {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "producer": facets.PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": run,
        "job": job,
        "inputs": [],
        "outputs": [],
    }


def _dataset(namespace: str, name: str) -> Dataset:
    return {"namespace": namespace, "name": name, "facets": {}}


def _as_delivered(column: str) -> Origin:
    return Origin(source="", column=column, how=DELIVERED)


def _types(table: TableContract) -> dict[str, str]:
    return {column.name: column.type for column in table.columns}


def _column_lineage(
    product: Product, columns: Sequence[str], sources: Mapping[str, Dataset]
) -> dict[str, list[dict[str, Any]]]:
    """The input fields of every column of an example whose sources were read."""
    told = column_origins(product)
    fields = {
        name: [
            _field(sources[origin.source], origin)
            for origin in told.get(name, ())
            if origin.source in sources
        ]
        for name in columns
    }
    return {name: inputs for name, inputs in fields.items() if inputs}


def _field(dataset: Dataset, origin: Origin) -> dict[str, Any]:
    return {
        "namespace": dataset["namespace"],
        "name": dataset["name"],
        "field": origin.column,
        "transformations": [facets.transformation(_SUBTYPES[origin.how], origin.told)],
    }
