"""A lineage as boxes and lines, from the sources on the left to the predictions on the right."""

from dataclasses import dataclass

from seatrial.data.lineage import Lineage
from seatrial.data.provenance import LOAD, MODEL, PREDICTION, PREDICTIONS, RELEASE, SNAPSHOT, SOURCE, Node
from seatrial.web.report.words import day, short

_RANKS = {SOURCE: 0, LOAD: 1, SNAPSHOT: 2, MODEL: 3, RELEASE: 4, PREDICTIONS: 5, PREDICTION: 5}
WIDTH, HEIGHT = 148, 58
_BETWEEN, _DOWN = 28, 76
# What a sign of a title takes, and what is left free beside it.
_SIGN, _BESIDE = 7.6, 22


@dataclass(frozen=True)
class Box:
    """A node at its place, with what it says in three lines; `alarm` marks one with a concern."""

    x: int
    y: int
    kind: str
    title: str
    line: str
    alarm: bool


@dataclass(frozen=True)
class Drawing:
    """Boxes of one width, and lines as SVG paths, within a width and a height."""

    boxes: tuple[Box, ...]
    box_width: int
    lines: tuple[str, ...]
    width: int
    height: int


def drawn(lineage: Lineage) -> Drawing:
    """The lineage without corrections and erasures; of each source's loads only those that a snapshot was made from."""
    used = {edge.origin for edge in lineage.edges if edge.to.startswith(f"{SNAPSHOT}:")}
    shown = [
        node for node in lineage.nodes if node.kind in _RANKS and (node.kind != LOAD or node.key in used)
    ]
    columns: dict[int, list[Node]] = {}
    for node in shown:
        columns.setdefault(_RANKS[node.kind], []).append(node)
    tallest = max((len(nodes) for nodes in columns.values()), default=1)
    wide = max([WIDTH, *(round(_SIGN * len(_title(node))) + _BESIDE for node in shown)])
    places = {
        node.key: (
            place * (wide + _BETWEEN),
            round((tallest - len(columns[rank])) * _DOWN / 2) + i * _DOWN,
        )
        for place, rank in enumerate(sorted(columns))
        for i, node in enumerate(columns[rank])
    }
    return Drawing(
        boxes=tuple(_box(node, *places[node.key]) for node in shown),
        box_width=wide,
        lines=tuple(_line(places[a], places[b], wide) for a, b in _links(lineage, set(places))),
        width=(len(columns) - 1) * (wide + _BETWEEN) + wide,
        height=(tallest - 1) * _DOWN + HEIGHT,
    )


def _links(lineage: Lineage, shown: set[str]) -> list[tuple[str, str]]:
    """Edges between what is shown; a source is joined to each of its shown loads, whichever it delivered first."""
    direct = [(edge.origin, edge.to) for edge in lineage.edges if {edge.origin, edge.to} <= shown]
    # Loads go on from each other in the facts; drawn, that would be a line within one column.
    return [(a, b) for a, b in direct if a.split(":")[0] != b.split(":")[0]]


def _line(origin: tuple[int, int], to: tuple[int, int], wide: int) -> str:
    x1, y1 = origin[0] + wide, origin[1] + HEIGHT // 2
    x2, y2 = to[0], to[1] + HEIGHT // 2
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"


def _box(node: Node, x: int, y: int) -> Box:
    line = day(node.at) if node.at else _cut(node.words)
    return Box(x=x, y=y, kind=_told(node), title=_title(node), line=line, alarm=bool(node.concern))


def _title(node: Node) -> str:
    return f"of {node.id}" if node.kind == PREDICTIONS else short(node.id)


def _told(node: Node) -> str:
    return node.words.split(" of ")[0] if node.kind == PREDICTIONS else node.kind


def _cut(text: str, length: int = 22) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
