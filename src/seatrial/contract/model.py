"""What a row must look like: the contract in our own words, independent of its file format."""

from typing import Literal

import msgspec

TypeName = Literal["string", "float", "int", "bool", "timestamp"]
Role = Literal["feature", "key", "made_at", "outcome", "known_at", "lookup_key", "other"]
Severity = Literal["error", "warning"]


class ColumnContract(msgspec.Struct, frozen=True, kw_only=True):
    """What one column must hold. Bounds are inclusive; `values` closes the set; `pattern` must match in full.

    `role` says what the column is for; `required` means never null. A rule of severity `warning` is counted
    and shown; one of severity `error` puts the row aside.
    """

    name: str
    type: TypeName
    role: Role = "other"
    required: bool = False
    unique: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    values: tuple[str, ...] | None = None
    max_length: int | None = None
    severity: Severity = "error"
    classification: str | None = None
    description: str = ""
    evidence: str = ""


class TableContract(msgspec.Struct, frozen=True, kw_only=True):
    """What one table must hold: its columns, keys that must be unique together, and how many rows at least.

    `stop_above` is the share of rejected rows, in (0, 1], above which the whole table is refused.
    """

    name: str
    columns: tuple[ColumnContract, ...]
    unique: tuple[tuple[str, ...], ...] = ()
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
    """The agreement over all sources of a product. `version` rises with every change."""

    id: str
    version: str
    tables: tuple[TableContract, ...]
    description: str = ""

    def table(self, name: str) -> TableContract | None:
        """The table of that name, or None."""
        return next((table for table in self.tables if table.name == name), None)
