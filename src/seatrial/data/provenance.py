"""Everything a product's facts say about what was made from what, as one graph."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
import polars as pl

from seatrial.data.recording import RECHECK, REPLAY
from seatrial.facts.erasure import PENDING as UNFINISHED
from seatrial.facts.erasure import Erasure
from seatrial.facts.load import PENDING, Load
from seatrial.facts.model import Model
from seatrial.facts.quarantine import Correction
from seatrial.facts.release import Release
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import table_name
from seatrial.ports.metadata import Transaction
from seatrial.ports.tables import Tables

SOURCE, LOAD, CORRECTION, ERASURE = "source", "load", "correction", "erasure"
SNAPSHOT, MODEL, RELEASE = "snapshot", "model", "release"
PREDICTION, PREDICTIONS = "prediction", "predictions"

# Loads of what was here already: nothing came from the source.
_AGAIN = {RECHECK: "checked again under another contract: ", REPLAY: "replayed from quarantine: "}
# Of a prediction, what tells where it came from: no feature, and neither key nor score.
_TOLD = ("prediction_id", "release", "model_digest", "served", "fallback", "made_at", "contract_version")


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A thing with a past or a future. `concern` says what a person should know before relying on it, or ""."""

    kind: str
    id: str
    at: datetime | None
    words: str
    concern: str = ""

    @property
    def key(self) -> str:
        """What tells it apart from nodes of every kind."""
        return node_key(self.kind, self.id)


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """`to` was made from, or changed by, `origin`; both are keys of nodes."""

    origin: str
    to: str
    words: str


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """All nodes by key, and all edges, in the order in which the facts were stored."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one product that tell of origins."""

    loads: tuple[Load, ...]
    corrections: tuple[Correction, ...]
    erasures: tuple[Erasure, ...]
    snapshots: tuple[Snapshot, ...]
    models: tuple[Model, ...]
    releases: tuple[Release, ...]


def node_key(kind: str, id: str) -> str:
    """The key of the node of a kind with an id."""
    return f"{kind}:{id}"


def recorded(transaction: Transaction, product: str) -> Recorded:
    """The product's facts that tell of origins, each kind in the order in which it was stored."""
    return Recorded(
        loads=tuple(transaction.all(Load, product)),
        corrections=tuple(transaction.all(Correction, product)),
        erasures=tuple(transaction.all(Erasure, product)),
        snapshots=tuple(transaction.all(Snapshot, product)),
        models=tuple(transaction.all(Model, product)),
        releases=tuple(transaction.all(Release, product)),
    )


def provenance(facts: Recorded, tables: Tables, product: str, *, prediction: str = "") -> Provenance:
    """The graph of the product's facts, with one node per release for all its predictions.

    With `prediction`, the answer of that id has a node of its own, if the predictions table holds it.
    """
    nodes = [*_nodes(facts), *_answered(tables, product)]
    edges = [*_edges(facts), *_corrected(facts)]
    edges += [
        Edge(origin=node_key(RELEASE, node.id), to=node.key, words="answered")
        for node in nodes
        if node.kind == PREDICTIONS
    ]
    for node, edge in _single(tables, product, prediction):
        nodes.append(node)
        edges.append(edge)
    known = {node.key: node for node in nodes}
    # What an erasure or a retention took away leaves edges without an end.
    held = tuple(edge for edge in edges if edge.origin in known and edge.to in known)
    return Provenance(nodes=known, edges=held)


def erased_of(facts: Recorded, snapshot: str) -> int:
    """How many examples of a snapshot were erased; 0 for one that is whole or not known."""
    found = next((one for one in facts.snapshots if one.id == snapshot), None)
    return found.erased if found else 0


def _nodes(facts: Recorded) -> Iterator[Node]:
    yield from _sources(facts)
    places = _places(facts)
    yield from (_load(load, several=len(places.get(load.source, ())) > 1) for load in facts.loads)
    yield from (_correction(correction) for correction in facts.corrections)
    yield from (_erasure(erasure) for erasure in facts.erasures)
    yield from (_snapshot(snapshot) for snapshot in facts.snapshots)
    yield from (_model(facts, model) for model in facts.models)
    yield from (_release(facts, release) for release in facts.releases)


def _sources(facts: Recorded) -> Iterator[Node]:
    """Each source by its kind; where all its loads came from one place, by that too."""
    kinds = {read.name: read.kind for snapshot in facts.snapshots for read in snapshot.sources}
    kinds |= {load.source: load.kind for load in facts.loads if load.kind not in _AGAIN}
    places = _places(facts)
    for name, kind in kinds.items():
        words = ", ".join([kind, *places.get(name, ())]) if len(places.get(name, ())) == 1 else kind
        yield Node(kind=SOURCE, id=name, at=None, words=words)


def _places(facts: Recorded) -> dict[str, set[str]]:
    """Where the deliveries of each source came from."""
    found: dict[str, set[str]] = {}
    for load in facts.loads:
        if load.kind not in _AGAIN and load.origin:
            found.setdefault(load.source, set()).add(load.origin)
    return found


def _load(load: Load, *, several: bool) -> Node:
    """A load; where `several` places delivered its source, with its own."""
    aside = f", {load.quarantined:,} put aside" if load.quarantined else ""
    place = f", from {load.origin}" if several and load.origin and load.kind not in _AGAIN else ""
    return Node(
        kind=LOAD,
        id=load.id,
        at=load.read_at,
        words=f"{_AGAIN.get(load.kind, '')}{load.added:,} rows added, {load.removed:,} removed{aside}; "
        f"{load.rows:,} then{place}",
        concern="not committed yet" if load.state == PENDING else "",
    )


def _correction(correction: Correction) -> Node:
    changed = ", ".join(correction.set)
    return Node(
        kind=CORRECTION,
        id=correction.id,
        at=correction.at,
        words=f"rows of {correction.source} that break {correction.rule}: {changed} set, by {correction.by}",
        concern="withdrawn" if correction.withdrawn else "",
    )


def _erasure(erasure: Erasure) -> Node:
    rows = sum(erasure.rows.values())
    return Node(
        kind=ERASURE,
        id=erasure.id,
        at=erasure.at,
        words=f"{rows:,} rows by {erasure.column}, by {erasure.by}: {erasure.why}",
        concern="not everything is erased yet" if erasure.state == UNFINISHED else "",
    )


def _snapshot(snapshot: Snapshot) -> Node:
    begin, end = snapshot.first_made_at, snapshot.last_made_at
    erased = f"{snapshot.erased:,} of its {snapshot.rows:,} examples were erased later"
    return Node(
        kind=SNAPSHOT,
        id=snapshot.id,
        at=snapshot.created_at,
        words=f"{snapshot.rows:,} examples decided {begin:%Y-%m-%d} to {end:%Y-%m-%d}, "
        f"contract {snapshot.contract_version}",
        concern=erased if snapshot.erased else "",
    )


def _model(facts: Recorded, model: Model) -> Node:
    flagged = any(model.id in erasure.models for erasure in facts.erasures)
    erased = erased_of(facts, model.snapshot)
    count = f" ({erased:,} of its snapshot)" if erased else ""
    return Node(
        kind=MODEL,
        id=model.id,
        at=model.trained_at,
        words=f"trained on {model.training_rows:,} rows, judged on {model.validation_rows:,}",
        concern=f"trained on examples that were erased later{count}" if flagged or erased else "",
    )


def _release(facts: Recorded, release: Release) -> Node:
    models = (one for one in facts.models if one.id == release.bundle.model)
    concern = next((_model(facts, model).concern for model in models), "")
    return Node(
        kind=RELEASE,
        id=release.id,
        at=release.created_at,
        words=f"{release.phase.value}, threshold {release.bundle.threshold:.3g}",
        concern=f"its model was {concern}" if concern else "",
    )


def _edges(facts: Recorded) -> Iterator[Edge]:
    yield from _loaded(facts.loads)
    for snapshot in facts.snapshots:
        yield from _read(facts, snapshot)
    for model in facts.models:
        yield _edge(SNAPSHOT, model.snapshot, MODEL, model.id, "trained")
    for release in facts.releases:
        yield _edge(MODEL, release.bundle.model, RELEASE, release.id, "released")
    for erasure in facts.erasures:
        for id in erasure.snapshots:
            yield _edge(ERASURE, erasure.id, SNAPSHOT, id, "erased rows of")
        for id in erasure.models:
            yield _edge(ERASURE, erasure.id, MODEL, id, "flagged")


def _loaded(loads: Iterable[Load]) -> Iterator[Edge]:
    """Each load comes from its source and goes on from the load before: rows are never read anew."""
    before: dict[str, Load] = {}
    for load in loads:
        if load.kind not in _AGAIN:
            yield _edge(SOURCE, load.source, LOAD, load.id, "delivered")
        if load.source in before:
            yield _edge(LOAD, before[load.source].id, LOAD, load.id, "continued by")
        before[load.source] = load


def _read(facts: Recorded, snapshot: Snapshot) -> Iterator[Edge]:
    loads = {load.id for load in facts.loads}
    for read in snapshot.sources:
        words = f"{read.kept:,} rows"
        if read.load in loads:
            yield _edge(LOAD, read.load, SNAPSHOT, snapshot.id, words)
        else:
            yield _edge(SOURCE, read.name, SNAPSHOT, snapshot.id, words)


def _edge(origin_kind: str, origin: str, kind: str, id: str, words: str) -> Edge:
    return Edge(origin=node_key(origin_kind, origin), to=node_key(kind, id), words=words)


def _corrected(facts: Recorded) -> Iterator[Edge]:
    """Which loads took in rows that a correction mended."""
    for load in facts.loads:
        for correction, rows in load.corrected.items():
            yield _edge(CORRECTION, correction, LOAD, load.id, f"mended {rows:,} rows")


def _answered(tables: Tables, product: str) -> list[Node]:
    rows = tables.read(table_name(product, "predictions"), columns=["release", "made_at"])
    if rows.is_empty():
        return []
    counted = rows.group_by("release").agg(pl.len().alias("rows"), pl.col("made_at").max()).sort("release")
    return [
        Node(kind=PREDICTIONS, id=release, at=newest, words=f"{count:,} predictions of {release}")
        for release, count, newest in counted.iter_rows()
    ]


def _single(tables: Tables, product: str, prediction: str) -> list[tuple[Node, Edge]]:
    """The prediction and what made it; beside the answer, a shadow may have made one of the same id."""
    if not prediction:
        return []
    where = pl.col("prediction_id") == prediction
    rows = tables.read(table_name(product, "predictions"), where=where, columns=list(_TOLD))
    answers = sorted(rows.iter_rows(named=True), key=lambda row: row["served"] == "shadow")
    if not answers:
        return []
    node = _prediction(answers[0])
    return [
        (node, _edge(RELEASE, row["release"], PREDICTION, prediction, f"answered as {row['served']}"))
        for row in answers
    ]


def _prediction(row: dict[str, object]) -> Node:
    made_at = row["made_at"]
    assert isinstance(made_at, datetime)  # the schema of the table says so
    fallback = row["fallback"]
    return Node(
        kind=PREDICTION,
        id=str(row["prediction_id"]),
        at=made_at,
        words=f"decided under contract {row['contract_version']}",
        concern=f"the fallback answered, not the model: {fallback}" if fallback else "",
    )
