"""Who may ask for what: tokens, of which only a digest is kept."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

PREFIX = "seatrial_"
# In fixed places, so that a token is read without a search, and found by whoever scans texts for secrets.
TOKEN = re.compile(r"seatrial_(?P<id>[0-9a-f]{12})_[0-9A-Za-z]{43}")
EVERY_PRODUCT = ""
_PER = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_QUOTA = re.compile(rf"(?P<rows>[0-9]{{1,12}})(?: rows)? per (?P<per>{'|'.join(_PER)})")


class Scope(StrEnum):
    """What a token may be for."""

    PREDICT = "predict"
    OUTCOMES = "outcomes"
    OPERATE = "operate"
    ADMIN = "admin"


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """So many rows in so many seconds."""

    rows: int
    seconds: float


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One token. `digest` is the SHA-256 (hex) of its text, which is shown once and kept nowhere.

    `product` is empty for a token that holds for every product of the workspace. `name` is what the logbook calls
    whoever acts with it. It holds until `expires_at`, and never after `revoked_at`.
    """

    id: str
    product: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: datetime
    created_by: str
    why: str = ""
    expires_at: datetime | None = None
    quota: Quota | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def covers(self, product: str) -> bool:
        """Whether it is for a product."""
        return self.product in (EVERY_PRODUCT, product)

    def allows(self, scope: str) -> bool:
        """Whether it is for a scope; admin is for every one."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def is_text(self, text: str) -> bool:
        """Whether this is the token's text, in the same time wherever the two differ."""
        return hmac.compare_digest(digest_of(text), self.digest)


def digest_of(text: str) -> str:
    """The SHA-256 (hex) of a token's text. A slow hash would add nothing: the text has 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()


def id_of(text: str) -> str | None:
    """The id in a token's text; None for a text that is no token."""
    match = TOKEN.fullmatch(text)
    return None if match is None else match["id"]


def masked(text: str) -> str:
    """The text with every token in it cut down to its id."""
    return TOKEN.sub(lambda match: f"{PREFIX}{match['id']}_***", text)


def masked_bytes(text: bytes) -> bytes:
    """As `masked`, for text as it is sent."""
    if PREFIX.encode() not in text:
        return text
    return masked(text.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def ordered(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes once each, in the order in which they are declared. Raises ValueError for an unknown one."""
    given = {Scope(scope) for scope in scopes}
    return tuple(scope for scope in Scope if scope in given)


def quota_of(text: str) -> Quota:
    """The quota in `100 per second` or `5000 rows per day`. Raises ValueError for anything else."""
    match = _QUOTA.fullmatch(text.strip())
    if match is None or not int(match["rows"]):
        raise ValueError(f"expected a quota such as '100 per second' or '5000 per day', got {text!r}")
    return Quota(rows=int(match["rows"]), seconds=_PER[match["per"]])
