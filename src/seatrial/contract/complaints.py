"""What Polars complains of, without the values that it quotes: they may be anybody's."""

import re

import polars as pl

_CONVERSION = re.compile(
    r"conversion from `[^`]*` to `[^`]*` failed in column '[^']*' for \d+ out of \d+ values"
)
# These are about names and types, before any value is read.
_OF_NO_VALUE = (
    pl.exceptions.ColumnNotFoundError,
    pl.exceptions.SchemaError,
    pl.exceptions.SQLInterfaceError,
    pl.exceptions.SQLSyntaxError,
)


def complaint(error: Exception) -> str:
    """What went wrong, in words that hold types and names of columns, and no value of a row."""
    text = str(error)
    found = _CONVERSION.match(text)
    if found:
        return found[0]
    lines = text.splitlines()
    return lines[0] if lines and isinstance(error, _OF_NO_VALUE) else type(error).__name__
