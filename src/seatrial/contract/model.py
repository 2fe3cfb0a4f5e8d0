"""What a row must look like: the contract in our own words, independent of its file format."""

from typing import Literal

import msgspec

TypeName = Literal["string", "float", "int", "bool", "timestamp", "date", "time", "array", "object"]
Role = Literal[
    "feature", "key", "made_at", "outcome", "known_at", "lookup_key", "weight", "protected", "other"
]
# When a column is there: an outcome is known in training and reported later, and absent when serving.
Stage = Literal["training", "serving", "outcome"]
Severity = Literal["error", "warning"]


class ColumnContract(msgspec.Struct, frozen=True, kw_only=True):
    """What one column must hold. `pattern` must match in full, `values` closes the set.

    `minimum` and `maximum` are inclusive, their `exclusive_` forms are not; `format` is a name of ODCS (email,
    uuid, ...). `role` says what the column is for; `required` means never null. A rule of severity `warning` is
    counted and shown; one of severity `error` puts the row aside. `stop_above` maps the name of a rule to the
    share of rows, in [0, 1], above which the whole table is refused. `drift_budget` is the largest distance, in
    [0, 1], that a delivery may have from what was delivered before.
    """

    name: str
    type: TypeName
    role: Role = "other"
    stages: tuple[Stage, ...] = ()
    required: bool = False
    unique: bool = False
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    pattern: str | None = None
    format: str | None = None
    values: tuple[str, ...] | None = None
    min_length: int | None = None
    max_length: int | None = None
    severity: Severity = "error"
    stop_above: tuple[tuple[str, float], ...] = ()
    drift_budget: float | None = None
    classification: str | None = None
    description: str = ""
    evidence: str = ""


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """Rows whose `columns` are all there must find them in the columns `to` of another `table`."""

    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]
    severity: Severity = "error"


class RowRule(msgspec.Struct, frozen=True, kw_only=True):
    """An SQL expression over the columns of one row that must not be false; unknown (null) passes."""

    name: str
    expression: str
    severity: Severity = "error"
    description: str = ""


Operator = Literal[
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
]


class SetRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule about the whole table: a number that must stand in a relation to `operands`.

    `metric` is one of ODCS (rowCount, nullValues, missingValues, invalidValues, duplicateValues) or `sql`, whose
    number `query` selects. `unit` percent is of the table's rows. mustBeBetween excludes its ends, as the
    standard defines it. `arguments` are those of the standard (validValues, pattern, missingValues ...), as JSON.
    """

    name: str
    metric: Literal["rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues", "sql"]
    operator: Operator
    operands: tuple[float, ...]
    columns: tuple[str, ...] = ()
    query: str = ""
    arguments: str = ""
    unit: Literal["rows", "percent"] = "rows"
    severity: Severity = "error"
    description: str = ""


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """The newest value of `column` must not be older than `seconds` when the table is read or looked up."""

    column: str
    seconds: float
    severity: Severity = "error"


class TableContract(msgspec.Struct, frozen=True, kw_only=True):
    """What one table must hold: its columns, keys that must be unique together, and how many rows at least.

    `primary_key` names the columns that identify a row: later deliveries of the same key replace it. `stop_above`
    is the share of rejected rows, in (0, 1], above which the whole table is refused.
    """

    name: str
    columns: tuple[ColumnContract, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    row_rules: tuple[RowRule, ...] = ()
    set_rules: tuple[SetRule, ...] = ()
    freshness: tuple[Freshness, ...] = ()
    minimum_rows: int = 1
    stop_above: float = 0.1
    description: str = ""

    def column(self, name: str) -> ColumnContract | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def names(self, *roles: Role) -> tuple[str, ...]:
        """Names of the columns with one of the roles, in order."""
        return tuple(column.name for column in self.columns if column.role in roles)


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The agreement over all sources of a product. `version` rises with every change.

    `status` is its lifecycle in ODCS (draft, active, ...). `not_enforced` tells, in words, which rules of the file
    are kept and not checked here. `more` is the file it was read from, as JSON, where that says more than this: it is
    written back with what has changed since.
    """

    id: str
    version: str
    tables: tuple[TableContract, ...]
    status: str = "active"
    description: str = ""
    not_enforced: tuple[str, ...] = ()
    more: str = ""

    def table(self, name: str) -> TableContract | None:
        """The table of that name, or None."""
        return next((table for table in self.tables if table.name == name), None)
