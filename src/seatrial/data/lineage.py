"""Where a thing came from and what was made from it: from a source's loads to the single prediction, and back."""

from difflib import get_close_matches
from typing import Literal

import msgspec

from seatrial.data.provenance import (
    LOAD,
    MODEL,
    PREDICTION,
    PREDICTIONS,
    RELEASE,
    SNAPSHOT,
    SOURCE,
    Edge,
    Node,
    Provenance,
    Recorded,
    node_key,
    provenance,
    recorded,
)
from seatrial.errors import NotFound
from seatrial.facts.release import Phase
from seatrial.ports.metadata import Transaction
from seatrial.ports.tables import Tables

Direction = Literal["up", "down", "both"]
SHORTEST_PREFIX = 6


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a product's graph that leads to `start`, follows from it, or both; `start` is a node's key."""

    product: str
    start: str
    direction: Direction
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def node(self, key: str) -> Node:
        """The node of a key."""
        return next(node for node in self.nodes if node.key == key)

    def origins(self, key: str) -> tuple[Edge, ...]:
        """The edges that lead to a node."""
        return tuple(edge for edge in self.edges if edge.to == key)

    def uses(self, key: str) -> tuple[Edge, ...]:
        """The edges that leave a node."""
        return tuple(edge for edge in self.edges if edge.origin == key)


def lineage(
    transaction: Transaction, tables: Tables, product: str, id: str = "", direction: Direction = "both"
) -> Lineage:
    """The lineage of what has the id: a source, load, correction, erasure, snapshot, model, release or prediction.

    Digests may be shortened to a prefix of six signs. Without an id: of the live release, else of the newest
    release, model, snapshot or load. Raises NotFound, with ids that look alike, for an id that is not known or
    a prefix of several.
    """
    facts = recorded(transaction, product)
    id = id or _newest(facts, product)
    graph = provenance(facts, tables, product, prediction=id)
    start = _found(graph, product, id)
    kept = {start}
    if direction in ("up", "both"):
        kept |= _reached(start, [(edge.to, edge.origin) for edge in graph.edges])
    if direction in ("down", "both"):
        kept |= _reached(start, [(edge.origin, edge.to) for edge in graph.edges])
    return Lineage(
        product=product,
        start=start,
        direction=direction,
        nodes=tuple(node for key, node in graph.nodes.items() if key in kept),
        edges=tuple(edge for edge in graph.edges if edge.origin in kept and edge.to in kept),
    )


def _newest(facts: Recorded, product: str) -> str:
    live = [release for release in facts.releases if release.phase == Phase.LIVE]
    for known in (live, facts.releases, facts.models, facts.snapshots, facts.loads):
        if known:
            return known[-1].id
    raise NotFound(f"nothing was read for {product} in this workspace yet; `seatrial data` makes a snapshot")


def _found(graph: Provenance, product: str, id: str) -> str:
    """The key of the node that is meant. Raises NotFound."""
    kinds = (PREDICTION, LOAD, SNAPSHOT, MODEL, RELEASE, "correction", "erasure", SOURCE)
    exact = next((node_key(kind, id) for kind in kinds if node_key(kind, id) in graph.nodes), None)
    if exact:
        return exact
    named = [node for node in graph.nodes.values() if node.kind != PREDICTIONS]
    begun = [node for node in named if len(id) >= SHORTEST_PREFIX and _bare(node.id).startswith(_bare(id))]
    if len(begun) == 1:
        return begun[0].key
    raise NotFound(_unknown(product, id, begun, named))


def _unknown(product: str, id: str, begun: list[Node], named: list[Node]) -> str:
    if begun:
        several = ", ".join(f"{node.kind} {node.id}" for node in begun)
        return f"{id} is the beginning of several ids: {several}; give more of it"
    alike = get_close_matches(_bare(id), [_bare(node.id) for node in named], n=3, cutoff=0.5)
    near = [f"{node.kind} {node.id}" for node in named if _bare(node.id) in alike]
    hint = f"nearest: {', '.join(near)}" if near else "nothing has an id like it"
    return (
        f"{product} has no source, load, correction, erasure, snapshot, model, release or prediction {id}; {hint}. "
        "Predictions of the last moments are known once the loop has drained the journal"
    )


def _bare(id: str) -> str:
    return id.removeprefix("sha256:")


def _reached(start: str, steps: list[tuple[str, str]]) -> set[str]:
    """Every key that the steps lead to from `start`, itself left out."""
    onward: dict[str, list[str]] = {}
    for origin, to in steps:
        onward.setdefault(origin, []).append(to)
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for to in onward.get(waiting.pop(), ()):
            if to not in seen:
                seen.add(to)
                waiting.append(to)
    return seen
