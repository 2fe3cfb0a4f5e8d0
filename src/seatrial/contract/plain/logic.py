"""Yes, no and unknown: AND, OR, NOT, CASE, COALESCE and the like."""

from seatrial.contract.plain import times
from seatrial.contract.plain.numbers import alike, is_number
from seatrial.contract.plain.parts import WHOLE, Code, Names, needs


def both(left: Code, right: Code, names: Names) -> Code:
    """AND: no where one says no, else unknown where one is."""
    needs(left.kind == right.kind == "Boolean")
    if left.null is None and right.null is None:
        names.branches += 1
        return Code("Boolean", f"({left.value} and {right.value})")
    return _joined(left, right, names, "False", "True", "{} is False")


def any_of(left: Code, right: Code, names: Names) -> Code:
    """OR: yes where one says yes, else unknown where one is."""
    needs(left.kind == right.kind == "Boolean")
    if left.null is None and right.null is None:
        names.branches += 1
        return Code("Boolean", f"({left.value} or {right.value})")
    return _joined(left, right, names, "True", "False", "{}")


def _joined(left: Code, right: Code, names: Names, decided: str, otherwise: str, test: str) -> Code:
    names.branches += 1
    one, one_again = names.twice(left.either)
    other, other_again = names.twice(right.either)
    decides = f"{test.format(one)} or {test.format(other)}"
    unknown = " or ".join(
        f"{again} is None"
        for side, again in ((left, one_again), (right, other_again))
        if side.null is not None
    )
    return names.nullable("Boolean", f"({decided} if {decides} else None if {unknown} else {otherwise})")


def negated(code: Code) -> Code:
    """NOT."""
    needs(code.kind == "Boolean")
    return Code("Boolean", f"(not {code.value})", code.null)


def is_null(code: Code) -> Code:
    """IS NULL."""
    return Code("Boolean", f"({code.either} is None)")


def is_not_null(code: Code) -> Code:
    """IS NOT NULL."""
    return Code("Boolean", f"({code.either} is not None)")


def chosen(condition: Code, then: Code, otherwise: Code, names: Names) -> Code:
    """CASE WHEN: unknown counts as no."""
    needs(condition.kind == "Boolean")
    names.branches += 1
    names.cases += then.is_literal or otherwise.is_literal
    then, otherwise = same_kind([then, otherwise], names)
    source = f"({then.either} if {condition.either} else {otherwise.either})"
    if then.null is None and otherwise.null is None:
        return Code(then.kind, source)
    return names.nullable(then.kind, source)


def first_known(parts: list[Code], names: Names) -> Code:
    """COALESCE."""
    names.branches += 1
    *parts, last = same_kind(parts, names)
    for one in reversed(parts):
        if one.null is None:
            last = one
            continue
        first, again = names.twice(one.either)
        source = f"({again} if {first} is not None else {last.either})"
        last = Code(one.kind, source) if last.null is None else names.nullable(one.kind, source)
    return last


def same_kind(parts: list[Code], names: Names) -> list[Code]:
    """The pieces as what Polars makes of them when one of them is chosen; NULL fits everything."""
    known = [part for part in parts if part.kind != "Null"]
    needs(bool(known))
    kinds = {part.kind for part in known}
    if len(kinds) == 1 and kinds != {"dynamic"}:
        converted = known
    elif kinds == {"moment", "Date"}:
        converted = [times.as_moment(part, "moment") for part in known]
    elif kinds == {"dynamic"}:
        converted = [_small(part, names) for part in known]
    else:
        needs(all(map(is_number, known)))
        converted = alike(known, names)
    found = iter(converted)
    return [
        Code(converted[0].kind, "None", "True", "None") if part.kind == "Null" else next(found)
        for part in parts
    ]


def _small(code: Code, names: Names) -> Code:
    low, high = WHOLE["Int32"]
    needs(low <= code.literal <= high)
    return Code("Int32", names.constant(code.literal), literal=code.literal)
