"""Loads that one reading made: of several files, each is a load, and people ask how the reading went."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from seatrial.facts.load import Load
from seatrial.facts.snapshot import RuleResult
from seatrial.web.report.views import Point

_APART = timedelta(minutes=1)


def readings(loads: Sequence[Load]) -> list[tuple[Load, ...]]:
    """The loads of a source, oldest first, those together that follow within a minute of each other."""
    found: list[list[Load]] = []
    for load in loads:
        if found and (load.read_at - found[-1][-1].read_at) < _APART:
            found[-1].append(load)
        else:
            found.append([load])
    return [tuple(reading) for reading in found]


def result_of(rule: str, reading: Sequence[Load]) -> RuleResult | None:
    """How a rule fared in a reading: rows added up, or the last verdict of a rule about the whole table."""
    found = [one for load in reading for one in load.rules if one.rule == rule]
    if not found or found[-1].detail:
        return found[-1] if found else None
    return msgspec.structs.replace(
        found[-1], rows=sum(one.rows for one in found), failed=sum(one.failed for one in found)
    )


def trend_of(rule: str, read: Sequence[Sequence[Load]]) -> tuple[Point, ...]:
    """The share of rows that broke a rule in each reading that checked any."""
    results = [(reading[-1], result_of(rule, reading)) for reading in read]
    return tuple(
        Point(at=last.read_at, value=result.failed / result.rows, note=last.id)
        for last, result in results
        if result is not None and result.rows
    )
