"""What the rules of a column expect, in the same words for tables and requests."""

from seatrial.contract.model import ColumnContract, TypeName

TYPE_WORDS: dict[TypeName, str] = {
    "string": "a text",
    "float": "a finite number",
    "int": "a whole number of 64 bits",
    "bool": "true or false",
    "timestamp": "a time as in 2024-05-01T12:30:00Z, with its zone",
}


def range_words(column: ColumnContract) -> dict[str, str]:
    """Rule name to expectation, for the rules that the column has and that its severity governs."""
    words = {
        "minimum": (column.minimum, f"at least {_plain(column.minimum)}"),
        "maximum": (column.maximum, f"at most {_plain(column.maximum)}"),
        "pattern": (column.pattern, f"text that matches {column.pattern}"),
        "values": (column.values, f"one of {', '.join(column.values or ())}"),
        "max_length": (column.max_length, f"at most {column.max_length} characters"),
    }
    return {rule: expected for rule, (value, expected) in words.items() if value is not None}


def column_words(column: ColumnContract) -> str:
    """All that a request must hold in the column."""
    ranges = range_words(column).values() if column.severity == "error" else ()
    words = [TYPE_WORDS[column.type], *ranges]
    return f"{', '.join(words)}{'' if column.required else '; or null'}"


def _plain(bound: float | None) -> str:
    """A bound as people write it: 70, not 70.0."""
    return "" if bound is None else f"{bound:.15g}"
