"""What the rules of a column expect, in the same words for tables and requests."""

from seatrial.contract.model import ColumnContract, TypeName

TYPE_WORDS: dict[TypeName, str] = {
    "string": "a text",
    "float": "a finite number",
    "int": "a whole number of 64 bits",
    "bool": "true or false",
    "timestamp": "a time as in 2024-05-01T12:30:00Z, with its zone",
    "date": "a date as in 2024-05-01",
    "time": "a time of day as in 12:30:00",
    "array": "a JSON array",
    "object": "a JSON object",
}


def range_words(column: ColumnContract) -> dict[str, str]:
    """Rule name to expectation, for the rules that the column has and that its severity governs."""
    words = {
        "minimum": (column.minimum, f"at least {_plain(column.minimum)}"),
        "exclusive_minimum": (column.exclusive_minimum, f"more than {_plain(column.exclusive_minimum)}"),
        "maximum": (column.maximum, f"at most {_plain(column.maximum)}"),
        "exclusive_maximum": (column.exclusive_maximum, f"less than {_plain(column.exclusive_maximum)}"),
        "multiple_of": (column.multiple_of, f"a multiple of {_plain(column.multiple_of)}"),
        "pattern": (column.pattern, f"text that matches {column.pattern}"),
        "format": (column.format, f"text in the form of {column.format}"),
        "values": (column.values, f"one of {', '.join(column.values or ())}"),
        "min_length": (column.min_length, f"at least {column.min_length} characters"),
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
