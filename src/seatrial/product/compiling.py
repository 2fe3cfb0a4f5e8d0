"""Compiling a product file's expressions and names against its contract, keeping every problem met."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

from seatrial.contract.model import Contract
from seatrial.contract.types import POLARS
from seatrial.errors import ExpressionInvalid
from seatrial.product.expressions import Expression, ResultType, columns_read, compile_expression
from seatrial.product.features import NEVER_FEATURES, Feature
from seatrial.product.schema import Lookup
from seatrial.product.sound import Parts
from seatrial.product.yaml_lines import line_of

RESERVED = frozenset({"score", "threshold", "decision", "known_at", "matured_at"})


@dataclass(frozen=True)
class Compiled:
    """What Product holds beside its file; of `derive` and `objective`, and as `matured_at`, what could be compiled."""

    columns: dict[str, str]
    features: tuple[Feature, ...]
    lookup_names: dict[str, dict[str, str]]
    derive: dict[str, Expression]
    matured_at: Expression | None
    objective: dict[str, Expression]


@dataclass
class Compiler:
    """Compiles the parts of a file against its contract, and keeps every problem it meets in `problems`.

    `doubtful` are columns that somebody meant to be there: what follows from their absence is not told again.
    """

    parts: Parts
    contract: Contract
    node: yaml.Node | None
    problems: list[str] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)

    def compile(self) -> Compiled | None:
        """What was compiled; None when the contract has no table for the examples."""
        self._check_sources()
        if self.contract.table(self.parts.examples.source) is None:
            return None
        known = self._request_types()
        outcomes = self._outcome_types()
        names = self._lookups(known)
        derive = self._derived(known)
        self._names_are_free([*known, *outcomes])
        matured = self._expression(
            ["examples", "matured_at"], self.parts.examples.matured_at, known, "timestamp"
        )
        return Compiled(
            columns=known,
            features=self._features(known),
            lookup_names=names,
            derive=derive,
            matured_at=matured,
            objective=self._objective(known, outcomes),
        )

    def _problem(self, path: Sequence[int | str], message: str) -> None:
        if not self.parts.is_hole(path):
            self.problems.append(f"line {line_of(self.node, path)}: {'.'.join(map(str, path))}: {message}")

    def _is_doubtful(self, *names: str) -> bool:
        return self.parts.unsure or self.doubtful.issuperset(names)

    def _check_sources(self) -> None:
        sources, examples = self.parts.sources, self.parts.examples
        if sources is None:
            return
        for name in sources:
            if self.contract.table(name) is None:
                self._problem(["sources", name], f"the contract has no table {name}")
        if examples.source not in sources:
            self._problem(["examples", "from"], f"no source is called {examples.source}")
        for name, lookup in examples.lookups.items():
            if (lookup.source or name) not in sources:
                self._problem(["examples", "lookups", name], f"no source is called {lookup.source or name}")

    def _request_types(self) -> dict[str, str]:
        examples = self.parts.examples
        table = self.contract.table(examples.source)
        assert table is not None
        self._expect_column("key", examples.key, ("string", "int"))
        self._expect_column("made_at", examples.made_at, ("timestamp",))
        self._expect_column("known_at", examples.known_at, ("timestamp",))
        later = {examples.outcome.label, *examples.outcome.also, examples.known_at}
        return {column.name: column.type for column in table.columns if column.name not in later}

    def _expect_column(self, field_name: str, column_name: str, types: tuple[str, ...]) -> str | None:
        table = self.contract.table(self.parts.examples.source)
        column = table.column(column_name) if table else None
        path = ["examples", *field_name.split(".")]
        if column is None:
            self._problem(
                path, f"the contract's table {self.parts.examples.source} has no column {column_name}"
            )
            self.doubtful.add(column_name)
            return None
        if column.type not in types:
            self._problem(
                path, f"column {column_name} must be {' or '.join(types)}, the contract says {column.type}"
            )
        return column.type

    def _names_are_free(self, names: Sequence[str]) -> None:
        """Columns must not bear the names that expressions and examples give to something else."""
        examples = self.parts.examples
        own = "known_at" if self.parts.is_hole(["examples", "known_at"]) else examples.known_at
        taken = RESERVED - {own}
        for name in sorted(taken.intersection(names)):
            self._problem(
                ["examples"], f"a column is called {name}, which means something else here; rename it"
            )

    def _outcome_types(self) -> dict[str, str]:
        outcome = self.parts.examples.outcome
        types = {outcome.label: self._expect_column("outcome.label", outcome.label, ("bool",))}
        for name in outcome.also:
            types[name] = self._expect_column("outcome.also", name, tuple(POLARS))
        return {name: kind for name, kind in types.items() if kind is not None}

    def _lookups(self, known: dict[str, str]) -> dict[str, dict[str, str]]:
        names: dict[str, dict[str, str]] = {}
        for name, lookup in self.parts.examples.lookups.items():
            path = ["examples", "lookups", name]
            for column_name in lookup.on:
                if column_name not in known and not self._is_doubtful(column_name):
                    self._problem([*path, "on"], f"the request has no column {column_name} to look up by")
            taken = [column for column in lookup.columns if column in known]
            for column_name in taken:
                self._problem([*path, "columns"], f"{column_name} is a column of the example already")
            found = self._lookup_types(name, lookup)
            self._check_lookup_types(path, lookup, known, found)
            names[name] = {column: column for column in lookup.columns}
            known |= {column: found[column] for column in lookup.columns if column in found.keys() - taken}
        return names

    def _lookup_types(self, name: str, lookup: Lookup) -> dict[str, str]:
        """The types of the columns that a lookup reads and the contract has."""
        table = self.contract.table(lookup.source or name)
        times = [column for column in (lookup.as_of, lookup.known_at) if column is not None]
        wanted = dict.fromkeys((*lookup.on, *times, *lookup.columns))
        columns = {} if table is None else {column.name: column.type for column in table.columns}
        missing = [column for column in wanted if column not in columns]
        self.doubtful.update(missing)
        for column_name in missing if table else ():
            self._problem(
                ["examples", "lookups", name],
                f"the contract's table {lookup.source or name} has no column {column_name}",
            )
        return {column: columns[column] for column in wanted if column in columns}

    def _check_lookup_types(
        self, path: list[str], lookup: Lookup, known: dict[str, str], found: dict[str, str]
    ) -> None:
        """A date tells of a day but not when on it, so it may be the time told of, never the time known."""
        for field_name, column_name, types in (
            ("as_of", lookup.as_of, ("timestamp", "date")),
            ("known_at", lookup.known_at, ("timestamp",)),
        ):
            kind = found.get(str(column_name))
            if kind is not None and kind not in types:
                expected = " or ".join(types)
                message = f"column {column_name} must be {expected}, the contract says {kind}"
                self._problem([*path, field_name], message)
        for column_name in lookup.on:
            asked, given = known.get(column_name), found.get(column_name)
            if asked is not None and given is not None and asked != given:
                message = (
                    f"{column_name} is {asked} in the request and {given} in the lookup; make them the same"
                )
                self._problem([*path, "on"], message)

    def _derived(self, known: dict[str, str]) -> dict[str, Expression]:
        derived: dict[str, Expression] = {}
        for name, text in self.parts.examples.derive.items():
            if name in known:
                self._problem(["examples", "derive", name], f"{name} is a column of the example already")
                continue
            expression = self._expression(["examples", "derive", name], text, known, "scalar")
            if expression is None:
                self.doubtful.add(name)
            else:
                derived[name] = expression
                known[name] = expression.type
        return derived

    def _features(self, known: dict[str, str]) -> tuple[Feature, ...]:
        chosen = self.parts.features
        if chosen == "all":
            return tuple(Feature(name, kind) for name, kind in known.items() if self._is_feature(name, kind))
        for name in chosen:
            if name not in known and not self._is_doubtful(name):
                self._problem(["model", "features"], f"no column {name} is known at the decision")
            elif (kind := known.get(name)) in NEVER_FEATURES:
                advice = f"{name} is {NEVER_FEATURES[kind]}; derive a number from it (examples.derive)"
                self._problem(["model", "features"], advice)
        return tuple(Feature(name, known[name]) for name in chosen if name in known)

    def _is_feature(self, name: str, kind: str) -> bool:
        """By default: what the contract calls a feature, lookups and derived columns; dates and the like never."""
        table = self.contract.table(self.parts.examples.source)
        column = table.column(name) if table else None
        return kind not in NEVER_FEATURES and (column is None or column.role == "feature")

    def _objective(self, known: dict[str, str], outcomes: dict[str, str]) -> dict[str, Expression]:
        scored = {**known, "score": "float", "threshold": "float"}
        settled = {**known, **outcomes, "decision": "bool"}
        rules: dict[str, tuple[dict[str, str], ResultType]] = {
            "decision": (scored, "bool"),
            "baseline": (known, "bool"),
            "value": (settled, "number"),
        }
        compiled = {
            name: self._expression(["objective", name], self.parts.objective[name], columns, expected)
            for name, (columns, expected) in rules.items()
            if name in self.parts.objective
        }
        return {name: expression for name, expression in compiled.items() if expression is not None}

    def _expression(
        self, path: list[str], text: str, columns: dict[str, str], expected: ResultType
    ) -> Expression | None:
        try:
            unknown = columns_read(text, name=path[-1]) - columns.keys()
            if unknown and self._is_doubtful(*unknown):
                return None
            return compile_expression(text, columns, expected, name=path[-1])
        except ExpressionInvalid as error:
            self._problem(path, str(error).removeprefix(f"{path[-1]}: "))
            return None
