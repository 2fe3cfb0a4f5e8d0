"""What the newest reading of a source changed, whether a snapshot holds it yet or not."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from seatrial.contract.masking import sensitive
from seatrial.contract.model import TableContract
from seatrial.contract.profile import distance, noise
from seatrial.data.comparison import categories_changed
from seatrial.data.delivered import ENOUGH_ROWS
from seatrial.data.profiles import TIMES, ColumnSummary, added_profile, missing_share, summarised
from seatrial.facts.load import Load
from seatrial.facts.profile import ColumnProfile, TableProfile
from seatrial.product.product import Product
from seatrial.web.report.readings import readings
from seatrial.web.report.views import Concern
from seatrial.web.report.words import day, figure, number, share

# From this distance on a column is worth a look, and from so many times as far as readings usually move it.
NOTABLE_DISTANCE, NEWS_TIMES = 0.1, 2.0
NOTABLE_MISSING = 0.05
# Readings before the newest that tell what is usual.
_USUAL = 8
_LISTED = 5
# Outcomes come in later than their rows, and keys and times differ with every row.
_OF_THEMSELVES = ("key", "made_at", "known_at", "outcome")
Profiled = Callable[[str], TableProfile | None]


def arrivals(
    product: Product, loads: Mapping[str, Sequence[Load]], profile: Profiled, told: Collection[str]
) -> Iterator[Concern]:
    """One concern per source whose newest reading differs from the state before it.

    `profile` gives a load's by its digest; columns in `told`, as `source.column`, are told of elsewhere already.
    """
    for source, made in loads.items():
        table = product.contract.table(source)
        steps = list(_steps(made, profile)) if table else []
        if table is None or not steps:
            continue
        signs = [
            f"{name}: {'; '.join(found)}"
            for name, found in _changed(table, steps)
            if f"{source}.{name}" not in told
        ]
        if signs:
            yield _concern(source, _telling(made)[-1], signs)


def _telling(loads: Sequence[Load]) -> list[tuple[Load, ...]]:
    """Readings that changed enough rows to tell something; what the last of them brought is the news still."""
    return [one for one in readings(loads) if sum(load.added + load.removed for load in one) >= ENOUGH_ROWS]


def _concern(source: str, reading: Sequence[Load], signs: Sequence[str]) -> Concern:
    load, rows = reading[-1], sum(one.added for one in reading)
    more = len(signs) - _LISTED
    rest = f" And {more} column{'s' if more > 1 else ''} more." if more > 0 else ""
    return Concern(
        level="changed",
        title=f"{source} changed with load {load.id}",
        evidence=f"{'. '.join(signs[:_LISTED])}.{rest} Compared are the state before and what came with load "
        f"{load.id} on {day(load.read_at)} ({number(rows)} rows).",
        advice=f"`seatrial data diff {source}` shows all; ask whoever delivers it whether it is real or a fault.",
        part="sources",
    )


def _steps(
    loads: Sequence[Load], profile: Profiled
) -> Iterator[tuple[TableProfile, TableProfile, TableProfile]]:
    """Per reading, oldest first: the profiles of the state before, of the state after, and of what came."""
    read = _telling(loads)[-_USUAL - 2 :]
    for earlier, later in pairwise(read):
        before, after = profile(earlier[-1].profile), profile(later[-1].profile)
        if before is not None and after is not None and before.rows and after.rows:
            yield before, after, added_profile(after, before) or after


def _changed(
    table: TableContract, steps: Sequence[tuple[TableProfile, TableProfile, TableProfile]]
) -> Iterator[tuple[str, list[str]]]:
    """Name and signs of every column that the last step changed, the one that moved farthest first."""
    hidden = sensitive(table)
    before, after, came = steps[-1]
    found: list[tuple[float, str, list[str]]] = []
    for column in table.columns:
        old, new, now = (one.column(column.name) for one in (before, after, came))
        if old is None or new is None or now is None or not _is_told(column.role, old, now):
            continue
        usual = _usual(column.name, steps[:-1])
        signs = list(_signs(old, new, now, usual=usual, hidden=column.name in hidden))
        if signs:
            found.append((distance(old, now), column.name, signs))
    for _, name, signs in sorted(found, key=lambda one: -one[0]):
        yield name, signs


def _is_told(role: str, old: ColumnProfile, now: ColumnProfile) -> bool:
    return role not in _OF_THEMSELVES and now.type not in TIMES and old.type == now.type


def _usual(
    name: str, steps: Sequence[tuple[TableProfile, TableProfile, TableProfile]]
) -> tuple[float, float]:
    """How far readings usually move the column, and by how much its missing share rises."""
    pairs = [(before.column(name), came.column(name)) for before, _, came in steps]
    known = [(old, now) for old, now in pairs if old is not None and now is not None and old.type == now.type]
    if not known:
        return 0.0, 0.0
    return (
        median(distance(old, now) for old, now in known),
        median(missing_share(now) - missing_share(old) for old, now in known),
    )


def _signs(
    old: ColumnProfile, new: ColumnProfile, now: ColumnProfile, *, usual: tuple[float, float], hidden: bool
) -> Iterator[str]:
    """What of a column differs, in words; no values of a hidden one."""
    missing, was = missing_share(now), missing_share(old)
    if missing - was >= NOTABLE_MISSING + max(0.0, usual[1]):
        yield f"{share(missing)} missing, {share(was)} before"
    far = distance(old, now)
    if far > max(NOTABLE_DISTANCE, noise(old, now), NEWS_TIMES * usual[0]):
        often = f", usually {usual[0]:.2f}" if usual[0] >= NOTABLE_DISTANCE / 10 else ""
        medians = _medians(summarised(old, hidden=hidden), summarised(now, hidden=hidden))
        yield f"distance {far:.2f}{often}{medians}"
    appeared, vanished = ((), ()) if hidden else categories_changed(old, new)
    if appeared:
        yield f"new: {', '.join(appeared[:_LISTED])}"
    if vanished:
        yield f"gone: {', '.join(vanished[:_LISTED])}"


def _medians(was: ColumnSummary, now: ColumnSummary) -> str:
    old, new = was.quantiles.get("0.5"), now.quantiles.get("0.5")
    if not isinstance(old, float) or not isinstance(new, float):
        return ""
    return f" (median {figure(old, now.type)} before, {figure(new, now.type)} now)"
