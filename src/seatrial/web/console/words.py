"""Numbers, moments and ids as the pages write them."""

from datetime import datetime

from seatrial.facts.estimate import Estimate

UNKNOWN = "not known yet"
_ID_LENGTH = 12


def amount(value: float | None, unit: str = "", *, signed: bool = False) -> str:
    """A number with thousands separators and its unit: whole from 1,000 on, three significant digits below."""
    if value is None:
        return UNKNOWN
    sign = "+" if signed else ""
    number = f"{value:{sign},.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:{sign},.3g}"
    # A minus as wide as a plus keeps columns aligned; the narrow space keeps number and unit on one line.
    return f"{number}\u202f{unit}".replace("-", "\u2212").rstrip("\u202f")


def interval(estimate: Estimate | None, unit: str = "") -> str:
    """The interval of an estimate in words, or that there is too little data for one."""
    if estimate is None or estimate.value is None:
        return "too little data to say"
    if estimate.lower is None or estimate.upper is None:
        return "too little data for an interval"
    return f"{estimate.confidence:.0%}: {amount(estimate.lower)} to {amount(estimate.upper, unit)}"


def percent(estimate: Estimate | None) -> str:
    """A share as a percentage with one decimal."""
    if estimate is None or estimate.value is None:
        return UNKNOWN
    return f"{estimate.value:.1%}"


def short(identity: str) -> str:
    """An id cut to what tells it apart at a glance; digests lose their prefix."""
    bare = identity.rsplit(":", 1)[-1]
    return bare if len(bare) <= _ID_LENGTH else f"{bare[:_ID_LENGTH]}\u2026"


def day(moment: datetime | None) -> str:
    """The day as 7 Jun 2013."""
    return f"{moment.day} {moment:%b %Y}" if moment else UNKNOWN


def minute(moment: datetime | None) -> str:
    """The minute as 2013-06-07 06:00, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else UNKNOWN


def days_between(earlier: datetime, later: datetime) -> str:
    """How much time lies between, in words: days from two days on, hours below."""
    hours = (later - earlier).total_seconds() / 3600
    return f"{hours / 24:,.0f} days" if hours >= 48 else f"{hours:,.0f} hours"


def mark(score: float) -> str:
    """A readiness mark without a needless decimal: 0, 0.5, 1."""
    return f"{score:g}"
