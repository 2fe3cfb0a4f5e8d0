"""Texts that match a pattern, for examples: short ones first."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

# The reader that `re` itself compiles with; the module has no public name since Python 3.11.
_parser: Any = importlib.import_module("re._parser")
_EXTRA = (0, 1, 2, 4, 8)
_BRANCHES = (0, 1, 2)
# Taken from a set in this order: what reads well in an example.
_PREFERRED = "abcxyzABCXYZ1203456789" + "".join(map(chr, range(32, 127))) + "é日\n"


def pattern_texts(pattern: str) -> Iterator[str]:
    """A few candidates for a pattern that must match in full; each may still not match, for its look-arounds."""
    tree = _parser.parse(pattern)
    for extra in _EXTRA:
        for branch in _BRANCHES:
            yield "".join(_text(tree, extra, branch))


def _text(tree: Any, extra: int, branch: int) -> Iterator[str]:
    for operation, argument in tree:
        yield from _piece(str(operation), argument, extra, branch)


def _piece(operation: str, argument: Any, extra: int, branch: int) -> Iterator[str]:
    if operation == "LITERAL":
        yield chr(argument)
    elif operation in ("NOT_LITERAL", "ANY", "IN", "CATEGORY"):
        yield _character(operation, argument)
    elif operation == "BRANCH":
        yield from _text(argument[1][branch % len(argument[1])], extra, branch)
    elif operation in ("SUBPATTERN", "ATOMIC_GROUP"):
        yield from _text(argument[-1] if operation == "SUBPATTERN" else argument, extra, branch)
    elif operation.endswith("REPEAT"):
        fewest, most, inner = argument
        for _ in range(min(int(most), fewest + extra)):
            yield from _text(inner, extra, branch)


def _character(operation: str, argument: Any) -> str:
    """The first preferred character that the set holds."""
    if operation == "NOT_LITERAL":
        return next(one for one in _PREFERRED if ord(one) != argument)
    members = [(operation, argument)] if operation != "IN" else [(str(kind), what) for kind, what in argument]
    negated = members[0][0] == "NEGATE"
    fitting = (one for one in _PREFERRED if any(_holds(*member, one) for member in members) != negated)
    return next(fitting, chr(members[-1][1]) if members[-1][0] == "LITERAL" else "a")


def _holds(kind: str, what: Any, character: str) -> bool:
    if kind == "LITERAL":
        return ord(character) == int(what)
    if kind == "RANGE":
        return bool(what[0] <= ord(character) <= what[1])
    if kind == "CATEGORY":
        return _CATEGORIES[str(what)].match(character) is not None
    return kind == "ANY" and character != "\n"


_CATEGORIES = {
    "CATEGORY_DIGIT": re.compile(r"\d"),
    "CATEGORY_NOT_DIGIT": re.compile(r"\D"),
    "CATEGORY_WORD": re.compile(r"\w"),
    "CATEGORY_NOT_WORD": re.compile(r"\W"),
    "CATEGORY_SPACE": re.compile(r"\s"),
    "CATEGORY_NOT_SPACE": re.compile(r"\S"),
}
