"""Facts as facets of OpenLineage: plain dictionaries, as the standard's schemas ask for them.

Versions of the schemas are those that openlineage-python 1.54 writes (openlineage.io/spec/facets). What the
standard has no facet for (models, releases) is told in facets of our own, named `seatrial_...`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.contract.masking import rule_columns, sensitive
from seatrial.contract.model import TableContract
from seatrial.contract.profile import quantile
from seatrial.facts.load import Load
from seatrial.facts.model import Model
from seatrial.facts.profile import ColumnProfile, TableProfile
from seatrial.facts.release import Release
from seatrial.facts.snapshot import RuleResult, Snapshot

PRODUCER = "https://seatrial.example/"
SPEC = "https://openlineage.io/spec"
_OWN_SCHEMA = f"{PRODUCER}#facets/"
_SEVERITIES = {"error": "error", "warning": "warn"}
_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

Facet = dict[str, Any]


def facet(file: str, version: str, **body: Any) -> Facet:
    """A facet of the standard: `file` names its schema, e.g. SchemaDatasetFacet."""
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{SPEC}/facets/{version}/{file}.json#/$defs/{file}",
        **body,
    }


def own_facet(name: str, **body: Any) -> Facet:
    """A facet that the standard does not have."""
    return {"_producer": PRODUCER, "_schemaURL": f"{_OWN_SCHEMA}{name}", **body}


def schema(types: Mapping[str, str], table: TableContract | None = None) -> Facet:
    """The columns with their contract types and, where a contract tells, what they hold."""
    columns = {column.name: column for column in table.columns} if table else {}
    fields = []
    for name, type_name in types.items():
        told = columns[name].description if name in columns else ""
        fields.append({"name": name, "type": type_name} | ({"description": told} if told else {}))
    return facet("SchemaDatasetFacet", "1-2-0", fields=fields)


def tags(table: TableContract) -> Facet:
    """The roles and classifications of the columns."""
    tagged = []
    for column in table.columns:
        if column.role != "other":
            tagged.append({"key": "role", "value": column.role, "source": "CONTRACT", "field": column.name})
        if column.classification:
            value = column.classification
            tagged.append(
                {"key": "classification", "value": value, "source": "CONTRACT", "field": column.name}
            )
    return facet("TagsDatasetFacet", "1-0-0", tags=tagged)


def version(text: str) -> Facet:
    """The version of a dataset that was read or written."""
    return facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=text)


def data_source(name: str, uri: str) -> Facet:
    """Where a dataset lies."""
    return facet("DatasourceDatasetFacet", "1-0-1", name=name, uri=uri)


def output_statistics(rows: int) -> Facet:
    """How many rows a run wrote."""
    return facet("OutputStatisticsOutputDatasetFacet", "1-0-2", rowCount=rows)


def job_type(kind: str) -> Facet:
    """What kind of work a job does."""
    return facet(
        "JobTypeJobFacet", "2-0-4", processingType="BATCH", integration="SEATRIAL", jobType=kind.upper()
    )


def documentation(text: str) -> Facet:
    """What a job is for."""
    return facet("DocumentationJobFacet", "1-1-0", description=text)


def owners(named: Mapping[str, str]) -> Facet:
    """Who answers for a job: names by kind of ownership."""
    return facet(
        "OwnershipJobFacet", "1-0-1", owners=[{"name": name, "type": kind} for kind, name in named.items()]
    )


def error_message(text: str) -> Facet:
    """Why a run failed."""
    return facet("ErrorMessageRunFacet", "1-0-1", message=text, programmingLanguage="Python")


def assertions(results: Sequence[RuleResult], table: TableContract | None) -> Facet:
    """The rules that were checked and how many rows broke each; a rule about one column names it."""
    return facet(
        "DataQualityAssertionsDatasetFacet",
        "1-1-0",
        assertions=[_assertion(result, table) for result in results],
    )


def _assertion(result: RuleResult, table: TableContract | None) -> dict[str, Any]:
    columns = rule_columns(table, result.rule) if table else None
    told = {
        "assertion": result.rule.rpartition(".")[2],
        "name": result.rule,
        "success": result.failed == 0,
        "severity": _SEVERITIES.get(result.severity, result.severity),
        "expected": "0 rows fail",
        "actual": f"{result.failed} of {result.rows} rows fail",
    }
    return told | ({"column": next(iter(columns))} if columns and len(columns) == 1 else {})


def metrics(profile: TableProfile, table: TableContract | None) -> Facet:
    """The counts of every column; of sensitive ones no value, only how many are there."""
    hidden = sensitive(table) if table else frozenset()
    return facet(
        "DataQualityMetricsInputDatasetFacet",
        "1-0-3",
        rowCount=profile.rows,
        columnMetrics={column.name: _metrics(column, column.name in hidden) for column in profile.columns},
    )


def _metrics(column: ColumnProfile, hidden: bool) -> dict[str, Any]:
    counted: dict[str, Any] = {"nullCount": column.missing, "count": column.rows - column.missing}
    if hidden or column.minimum is None:
        return counted
    quantiles = {f"{q:g}": quantile(column, q) for q in _QUANTILES}
    counted |= {"min": column.minimum, "max": column.maximum, "sum": column.total}
    known = {name: value for name, value in counted.items() if value is not None}
    return known | {"quantiles": {q: value for q, value in quantiles.items() if value is not None}}


def column_lineage(fields: Mapping[str, list[dict[str, Any]]]) -> Facet:
    """Which input fields each column was made from, and how."""
    return facet(
        "ColumnLineageDatasetFacet",
        "1-2-0",
        fields={name: {"inputFields": inputs} for name, inputs in fields.items()},
    )


def transformation(subtype: str, description: str = "") -> dict[str, Any]:
    """How an input field comes into a column: IDENTITY, TRANSFORMATION or, for keys of a join, JOIN."""
    return {
        "type": "INDIRECT" if subtype == "JOIN" else "DIRECT",
        "subtype": subtype,
        "description": description,
        "masking": False,
    }


def of_load(load: Load) -> Facet:
    """The counts of a load; its position may hold values of rows, so it is left out."""
    return own_facet(
        "load",
        id=load.id,
        number=load.number,
        delivered=load.delivered,
        added=load.added,
        removed=load.removed,
        quarantined=load.quarantined,
        corrected=sum(load.corrected.values()),
        suppressed=load.suppressed,
        rows=load.rows,
        digest=load.digest,
        contractVersion=load.contract_version,
    )


def of_snapshot(snapshot: Snapshot) -> Facet:
    """The snapshot's span, contract and whether rows of it were erased."""
    return own_facet(
        "snapshot",
        id=snapshot.id,
        rows=snapshot.rows,
        firstMadeAt=snapshot.first_made_at.isoformat(),
        lastMadeAt=snapshot.last_made_at.isoformat(),
        asOf=snapshot.as_of.isoformat() if snapshot.as_of else None,
        contractVersion=snapshot.contract_version,
        productDigest=snapshot.product_digest,
        erasedRows=snapshot.erased,
    )


def of_model(model: Model, *, erased: bool) -> Facet:
    """What the model is, how it was made, and what its validation promises."""
    return own_facet(
        "model",
        id=model.id,
        estimator=model.estimator,
        features=list(model.features),
        seed=model.seed,
        trainingRows=model.training_rows,
        validationRows=model.validation_rows,
        threshold=model.threshold,
        promise={"value": model.promise.value, "lower": model.promise.lower, "upper": model.promise.upper},
        trainedOnErasedRows=erased,
        why=model.why,
    )


def of_release(release: Release) -> Facet:
    """The bundle by digest, and the gates it passed."""
    bundle = release.bundle
    return own_facet(
        "release",
        id=release.id,
        phase=release.phase.value,
        bundle={
            "id": bundle.id,
            "model": bundle.model,
            "contract": bundle.contract,
            "productFile": bundle.product_file,
            "lookups": bundle.lookups,
            "threshold": bundle.threshold,
        },
        gates=[
            {"gate": gate.gate, "passed": gate.passed, "evidence": gate.evidence} for gate in release.gates
        ],
        why=release.why,
    )
