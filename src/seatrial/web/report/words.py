"""Numbers, shares and spans of time as the data report writes them."""

import re
from datetime import datetime

from markupsafe import Markup, escape

from seatrial.data.profiles import Value

UNKNOWN = "\u2013"
_ID_LENGTH = 12
_DIGEST = re.compile(r"sha256:.+|[0-9a-f]{64}")


def number(value: "Value | None") -> str:
    """A number with thousands separators, three significant digits below a thousand; a day for a moment."""
    if value is None:
        return UNKNOWN
    if isinstance(value, datetime):
        return day(value)
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}".replace("-", "\u2212")
    return f"{value:.3g}".replace("-", "\u2212")


def figure(value: "Value | None", kind: str) -> str:
    """A value of a column of that type: whole numbers whole, and of four digits, as years have, without a separator."""
    if kind != "int" or value is None or isinstance(value, datetime) or abs(value) >= 10_000:
        return number(value)
    return f"{value:.0f}".replace("-", "\u2212")


def share(value: float | None) -> str:
    """A share as a percentage: one decimal below ten per cent, and never nothing for something."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.001:
        return "<0.1\u202f%"
    percent = 100 * value
    return f"{percent:.1f}\u202f%" if 0 < percent < 10 else f"{percent:.0f}\u202f%"


def days(seconds: float | None) -> str:
    """A span in words: days from two days on, hours from two hours on, else minutes."""
    if seconds is None:
        return UNKNOWN
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:,.0f} days"
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} hours"
    return f"{max(0.0, seconds) / 60:.0f} minutes"


def day(moment: datetime | None) -> str:
    """The day as 7 Jun 2013."""
    return f"{moment.day} {moment:%b %Y}" if moment else UNKNOWN


def minute(moment: datetime | None) -> str:
    """The minute as 7 Jun 2013, 06:00, in UTC."""
    return f"{day(moment)}, {moment:%H:%M}" if moment else UNKNOWN


def short(identity: str) -> str:
    """An id; of a digest its beginning. Other ids are whole: cut, they could not be told apart."""
    if not _DIGEST.fullmatch(identity):
        return identity
    bare = identity.removeprefix("sha256:")
    return bare if len(bare) <= _ID_LENGTH else f"{bare[:_ID_LENGTH]}\u2026"


def prose(text: str) -> Markup:
    """A sentence as HTML; what stands between backticks is code."""
    parts = text.split("`")
    joined = Markup()
    for place, part in enumerate(parts):
        joined += Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
    return joined
