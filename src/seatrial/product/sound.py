"""What is left of a product file when its faulty parts are left out, so that the rest is checked all the same."""

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from seatrial.product.schema import Examples, Objective, ProductFile

Path = tuple[int | str, ...]
Features = tuple[str, ...] | Literal["all"]
_FEATURES: TypeAdapter[Features] = TypeAdapter(Features)
_EXPRESSIONS = ("decision", "value", "baseline")
# What stands for a field that cannot be read; whatever is said of it is not told.
_STAND_INS = {
    "key": "-",
    "made_at": "-",
    "known_at": "-",
    "matured_at": "-",
    "outcome": {"label": "-"},
}


@dataclass(frozen=True)
class Fault:
    """A place that breaks the schema; `unknown` when there is no such field."""

    path: Path
    unknown: bool


@dataclass(frozen=True)
class Parts:
    """The parts of a product file that are compiled against the contract.

    `sources` is None when they cannot be told, `objective` holds its expressions by field. Nothing is to be said
    of what lies at or below `holes`; with `unsure`, there may be more columns than can be told.
    """

    sources: Collection[str] | None
    examples: Examples
    features: Features
    objective: Mapping[str, str]
    holes: frozenset[Path] = frozenset()
    unsure: bool = False

    def is_hole(self, path: Iterable[int | str]) -> bool:
        """Whether nothing is to be said of `path`."""
        place = tuple(path)
        return any(place[: len(hole)] == hole for hole in self.holes)


def parts_of(file: ProductFile) -> Parts:
    """All parts of a file without faults."""
    return Parts(
        sources=file.sources.keys(),
        examples=file.examples,
        features=file.model.features,
        objective=_expressions(file.objective),
    )


def sound_parts(data: Mapping[str, Any], faults: Collection[Fault]) -> Parts | None:
    """The parts without the faulty ones; None when too little is left to know any column."""
    found = _examples(data.get("examples"), [fault for fault in faults if fault.path[:1] == ("examples",)])
    if found is None:
        return None
    examples, holes = found
    sources, model, objective = (_mapping(data.get(name)) for name in ("sources", "model", "objective"))
    return Parts(
        sources=None if any(_hides_sources(fault) for fault in faults) else {str(name) for name in sources},
        examples=examples,
        features=_features(model.get("features", "all")),
        objective={
            name: " ".join(text.split())
            for name, text in {"decision": Objective.model_fields["decision"].default, **objective}.items()
            if objective and name in _EXPRESSIONS and isinstance(text, str)
        },
        holes=holes,
        unsure=any(_hides_columns(fault, data) for fault in faults),
    )


def _expressions(objective: Objective | None) -> dict[str, str]:
    return {name: getattr(objective, name) for name in _EXPRESSIONS} if objective else {}


def _examples(raw: object, faults: Iterable[Fault]) -> tuple[Examples, frozenset[Path]] | None:
    if not isinstance(raw, Mapping):
        return None
    kept, holes = deepcopy(dict(raw)), set()
    for fault in faults:
        path = fault.path[1:] if fault.unknown else _whole(fault.path[1:])
        if not path:
            return None
        _drop(kept, path)
        holes.add(("examples", *path))
    try:
        return Examples.model_validate({**_STAND_INS, **kept}), frozenset(holes)
    except ValidationError:  # the source of the examples is not known: nothing can be told of its columns
        return None


def _whole(path: Path) -> Path:
    """What is left out for a fault: one lookup or derived column, else the whole field."""
    return path[:2] if path[:1] in {("lookups",), ("derive",)} else path[:1]


def _drop(tree: Any, path: Path) -> None:
    *above, last = path
    for part in above:
        tree = tree.get(part) if isinstance(tree, dict) else None
    if isinstance(tree, dict):
        tree.pop(last, None)


def _hides_columns(fault: Fault, data: Mapping[str, Any]) -> bool:
    """Whether columns could have been declared at the fault: an unknown mapping may be a misspelled one."""
    if fault.unknown:
        above, *below = fault.path
        return above == "examples" and len(below) == 1 and isinstance(data["examples"].get(below[0]), Mapping)
    return fault.path[:2] in {("examples", "lookups"), ("examples", "derive")}


def _hides_sources(fault: Fault) -> bool:
    """Whether a source could be called otherwise than the file says."""
    return fault.path[:1] == ("sources",) and len(fault.path) <= 2


def _features(raw: object) -> Features:
    try:
        return _FEATURES.validate_python(raw)
    except ValidationError:  # told by the schema already
        return "all"


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}
