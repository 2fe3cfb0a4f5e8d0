"""What reading a document finds: facts with the place where they are said, notes, and problems."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seatrial.contract.model import Severity
from seatrial.contract.odcs.extras import Fragment


class Fact(NamedTuple):
    """One rule that a part of the document states.

    `kind` is required, unique, values, pattern (of `column`), minimum_rows, unique_together, set_rule, row_rule,
    foreign_key or freshness; `value` the rule in our own words.
    """

    kind: str
    column: str | None
    value: Any

    @property
    def identity(self) -> object:
        """What stays when the rule is changed: its name, or the columns it is about."""
        if self.kind in ("set_rule", "row_rule"):
            return self.value.name
        if self.kind == "foreign_key":
            return self.value.columns
        return self.value.column if self.kind == "freshness" else self.column


@dataclass
class Slot:
    """A part of a list in the document and what it states; no facts when it is only kept."""

    part: Fragment
    table: int
    column: int | None
    section: str
    facts: tuple[Fact, ...] = ()


@dataclass
class Findings:
    """Collected while reading. `notes` tell what is kept and not checked; `problems` why it cannot be used."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)

    def one_of(self, path: str, value: object, allowed: tuple[str, ...], otherwise: str) -> Any:
        """The value when it is allowed; else a problem, and `otherwise`."""
        if value is None:
            return otherwise
        if value not in allowed:
            self.problems.append(f"{path}: expected one of {', '.join(allowed)}, got {value!r}")
            return otherwise
        return value

    def number(self, path: str, value: object, otherwise: float | None) -> float | None:
        """The value when it is a number; else a problem, and `otherwise`."""
        if value is None:
            return otherwise
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.problems.append(f"{path}: expected a number, got {value!r}")
            return otherwise
        return float(value)


def severity_of(value: object) -> Severity:
    """The standard leaves the words free: info and warning let a row pass, whatever else is said does not."""
    return "warning" if str(value).lower() in ("info", "warning") else "error"
