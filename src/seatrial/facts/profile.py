"""How the values of a table are distributed: counts that can be added up, column by column."""

import msgspec


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One column's counts. Profiles of parts of a table add up to the profile of the whole.

    Numbers (and times, in seconds since 1970): `total` is their sum, `bins` counts them by logarithmic bin (see
    `contract.profile`). Texts and truth values: `top` counts the most frequent ones, `others` the rest.
    """

    name: str
    type: str
    rows: int
    missing: int
    minimum: float | None = None
    maximum: float | None = None
    total: float | None = None
    bins: dict[int, int] = {}
    top: dict[str, int] = {}
    others: int = 0


class TableProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile of every column of a table, in its order."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """The profile of a column, or None."""
        return next((column for column in self.columns if column.name == name), None)
