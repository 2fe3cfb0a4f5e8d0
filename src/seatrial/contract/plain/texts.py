"""Texts: what Python and Polars say the same of."""

import re

from seatrial.contract.plain.parts import Code, Names, Unplain, needs, null_of

# What Polars makes of a LIKE with gaps: characters, some of them escaped, any one and any many.
_LIKE = re.compile(r"\(\?s\)(\^?)((?:[^\\.*+?()|\[\]{}^$]|\\[^a-zA-Z0-9<>]|\.\*|\.)*)(\$?)")
_SHORT, _LONG = re.compile(r"-?[0-9]{1,9}"), re.compile(r"-?[0-9]{1,18}")
_FLOAT = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?")
_BLANKS = " \t\n\r\x0b\x0c"


def upper(text: str) -> str:
    """In capitals. Raises Unplain for letters that not everybody writes alike."""
    if not text.isascii():
        raise Unplain("letters outside ASCII")
    return text.upper()


def lower(text: str) -> str:
    """In small letters. Raises Unplain for letters that not everybody writes alike."""
    if not text.isascii():
        raise Unplain("letters outside ASCII")
    return text.lower()


def stripped(text: str) -> str:
    """Without blanks around it. Raises Unplain for blanks that not everybody counts."""
    if not text.isascii():
        raise Unplain("blanks outside ASCII")
    return text.strip(_BLANKS)


def read_short(text: str) -> int:
    """The number that a text says. Raises Unplain unless it plainly is one."""
    return int(_plainly(text, _SHORT))


def read_long(text: str) -> int:
    """The same for longer numbers."""
    return int(_plainly(text, _LONG))


def read_float(text: str) -> float:
    """The same for numbers with a point."""
    return float(_plainly(text, _FLOAT))


def _plainly(text: str, form: re.Pattern[str]) -> str:
    if form.fullmatch(text) is None:
        raise Unplain("a text that may be no number")
    return text


def in_capitals(code: Code, _: Names) -> Code:
    """UPPER."""
    return _function("upper", "String", code)


def in_small_letters(code: Code, _: Names) -> Code:
    """LOWER."""
    return _function("lower", "String", code)


def without_blanks(code: Code, blanks: Code, _: Names) -> Code:
    """TRIM, of what counts as blank."""
    needs(blanks.kind == "Null")
    return _function("stripped", "String", code)


def length(code: Code, _: Names) -> Code:
    """LENGTH in characters."""
    return _function("len", "UInt32", code)


def _function(name: str, kind: str, code: Code) -> Code:
    needs(code.kind == "String")
    return Code(kind, f"{name}({code.value})", code.null)


def starts_with(code: Code, part: Code, names: Names) -> Code:
    """Whether it begins with a literal."""
    return Code("Boolean", f"{code.value}.startswith({_text(code, part, names)})", code.null)


def ends_with(code: Code, part: Code, names: Names) -> Code:
    """Whether it ends with a literal."""
    return Code("Boolean", f"{code.value}.endswith({_text(code, part, names)})", code.null)


def contains(code: Code, part: Code, names: Names) -> Code:
    """Whether it holds a literal."""
    return Code("Boolean", f"({_text(code, part, names)} in {code.value})", code.null)


def _text(code: Code, literal: Code, names: Names) -> str:
    needs(code.kind == literal.kind == "String" and isinstance(literal.literal, str))
    return names.constant(literal.literal)


def sliced(code: Code, start: Code, length: Code, names: Names) -> Code:
    """Characters from a place on; both are literals and none is negative."""
    needs(code.kind == "String" and start.kind == length.kind == "dynamic")
    needs(start.literal >= 0 and length.literal >= 0)
    end = names.constant(start.literal + length.literal)
    return Code("String", f"{code.value}[{names.constant(start.literal)}:{end}]", code.null)


def joined(left: Code, right: Code) -> Code:
    """One text after the other."""
    needs(left.kind == right.kind == "String")
    return Code("String", f"({left.value} + {right.value})", null_of([left, right]))


def like(code: Code, pattern: Code, names: Names) -> Code:
    """Whether a text is LIKE a literal with gaps."""
    needs(code.kind == pattern.kind == "String" and isinstance(pattern.literal, str))
    found = _LIKE.fullmatch(pattern.literal)
    needs(found is not None)
    assert found is not None
    start, middle, end = found.groups()
    many = middle.count(".*")
    # Python tries every way to fill gaps, which takes long where there are several.
    needs(many == 0 or (many == 1 and bool(start)))
    source = (r"\A" if start else "") + middle + (r"\Z" if end else "")
    search = names.constant(re.compile(source, re.DOTALL).search)
    return Code("Boolean", f"({search}({code.value}) is not None)", code.null)
