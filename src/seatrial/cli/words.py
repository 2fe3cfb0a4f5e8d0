"""Facts in words: the few shapes that terminal output is made of."""

import re
from collections.abc import Iterable, Sequence

from seatrial.facts.estimate import Estimate

_DIGEST = re.compile(r"sha256:.+|[0-9a-f]{64}")


def short(identity: str | None) -> str:
    """An id; of a digest its beginning. Other ids are whole: cut, they could not be told apart."""
    if identity is None:
        return ""
    return identity.removeprefix("sha256:")[:12] if _DIGEST.fullmatch(identity) else identity


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separators, or a dash."""
    return "-" if value is None else f"{value:,.{digits}f}"


def share(value: float) -> str:
    """A share in [0, 1] in per cent; never nothing for something."""
    if value == 0:
        return "0"
    return f"{value:.1%}" if value >= 0.001 else "<0.1%"


def interval(estimate: Estimate | None, digits: int = 0) -> str:
    """A number with its interval, or what is missing."""
    if estimate is None or estimate.value is None:
        return "unknown (too little data)"
    if estimate.lower is None or estimate.upper is None:
        return f"{number(estimate.value, digits)} (too little data for an interval)"
    bounds = f"{number(estimate.lower, digits)} … {number(estimate.upper, digits)}"
    return f"{number(estimate.value, digits)} [{bounds}]"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An aligned plain-text table; numbers-looking cells to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(header), *(len(row[i]) for row in cells)]) for i, header in enumerate(headers)]
    lines = [_line(headers, widths), "  ".join("─" * width for width in widths)]
    lines += [_line(row, widths) for row in cells]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [
        cell.rjust(width) if _is_number(cell) else cell.ljust(width)
        for cell, width in zip(cells, widths, strict=True)
    ]
    return "  ".join(aligned).rstrip()


def _is_number(cell: str) -> bool:
    return cell[:1] in "-0123456789" and cell[4:5] != "-"


def bullets(lines: Iterable[str]) -> str:
    """One line each, marked."""
    return "\n".join(f"  • {line}" for line in lines)
