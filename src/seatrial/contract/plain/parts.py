"""Pieces of generated Python: a value, when it is null, and its type."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# What Polars calls the types that are dealt with. "dynamic" is a literal whole number without a type of its own,
# "decimal" a literal such as 1.5, "moment" a timestamp in UTC, "wall" one without a zone.
WHOLE: dict[str, tuple[int, int]] = {
    "Int8": (-(2**7), 2**7 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt32": (0, 2**32 - 1),
}


class Unplain(Exception):
    """Rows that the function cannot compute as Polars would: the caller asks Polars."""


class Unsupported(Exception):
    """An expression that is left to Polars."""


@dataclass(frozen=True, slots=True)
class Code:
    """Source of an expression. `value` is evaluated after `null` was, and only where that is false.

    `null` is the condition under which it is null; None: never. `whole` is the source that gives the value or None,
    where that is shorter. `literal` holds the value of a literal. `sure` says that a number is never NaN.
    """

    kind: str
    value: str
    null: str | None = None
    whole: str | None = None
    literal: Any = None
    sure: bool = False

    @property
    def either(self) -> str:
        """Source that gives the value or None."""
        if self.whole is not None:
            return self.whole
        return self.value if self.null is None else f"(None if {self.null} else {self.value})"

    @property
    def is_literal(self) -> bool:
        """Whether it is the same for every row."""
        return self.literal is not None


@dataclass(slots=True)
class Names:
    """The names that a function's source may use: its columns, its constants, and what it keeps for a moment.

    `cases` counts the CASEs met so far that may give a literal. `strict` says that something may be refused for
    what a text says, and `branches` counts what is not computed for every row.
    """

    columns: Mapping[str, str]
    constants: dict[str, Any]
    reads: dict[str, str] = field(default_factory=dict)
    cases: int = 0
    strict: bool = False
    branches: int = 0
    _mentions: int = 0
    _kept: int = 0

    def column(self, name: str) -> str:
        """The variable that holds the column's value in a row."""
        if name not in self.columns:
            raise Unsupported
        self._mentions += 1
        return self.reads.setdefault(name, f"c{len(self.reads)}")

    @property
    def refuses_alike(self) -> bool:
        """Whether it refuses what Polars refuses, which looks at every part of every row."""
        return not self.strict or (self._mentions == 1 and self.branches == 0)

    def constant(self, value: Any) -> str:
        """The name of a constant."""
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def kept(self) -> str:
        """A new variable."""
        self._kept += 1
        return f"t{self._kept}"

    def twice(self, source: str) -> tuple[str, str]:
        """Source for the first use of a value and for every later one."""
        if source.isidentifier():
            return source, source
        name = self.kept()
        return f"({name} := {source})", name

    def nullable(self, kind: str, source: str, *, sure: bool = False) -> Code:
        """A piece whose source gives the value or None."""
        name = self.kept()
        return Code(kind, name, f"({name} := {source}) is None", source, sure=sure)


def null_of(parts: Sequence[Code]) -> str | None:
    """The condition under which any of the parts is null."""
    conditions = dict.fromkeys(part.null for part in parts if part.null is not None)
    return " or ".join(f"({one})" if " or " in one else one for one in conditions) or None


def needs(condition: bool) -> None:
    """Raises Unsupported where it is false."""
    if not condition:
        raise Unsupported


def only(tree: Any) -> tuple[str, Any]:
    """The one name of a serialised node, and what stands under it."""
    needs(isinstance(tree, dict) and len(tree) == 1)
    ((name, inner),) = tree.items()
    return name, inner


def reader(readers: Mapping[str, Callable[..., Code]], name: str) -> Callable[..., Code]:
    """What deals with a node of that name. Raises Unsupported where nothing does."""
    needs(name in readers)
    return readers[name]
