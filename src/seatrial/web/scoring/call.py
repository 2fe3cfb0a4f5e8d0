"""What a door gets of an HTTP request, and what it gives back; no server's own types."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

JSON = "application/json"
Reading = Callable[[], Awaitable[bytes]]


Fields = tuple[tuple[str, str], ...]


class Headers(Protocol):
    """Request headers by lower-case name; of several with one name, any."""

    def get(self, name: str, /) -> str | None:
        """The value, or None; None also for a value that is no visible ASCII."""
        ...

    def __contains__(self, name: object, /) -> bool:
        """Whether the header was sent."""
        ...


class Call:
    """One HTTP request: `path` is decoded and has no query, `query` is what follows the question mark.

    `await call.body()` reads the body once; it raises Refusal when it is too large (413), comes too slowly (408), or
    breaks off (499).
    """

    __slots__ = ("_read", "headers", "method", "path", "query")

    def __init__(self, method: str, path: str, query: str, headers: Headers, read: Reading) -> None:
        self.method, self.path, self.query, self.headers = method, path, query, headers
        self._read = read

    async def body(self) -> bytes:
        """The whole body, as it was sent."""
        return await self._read()

    @property
    def content_type(self) -> str:
        """The media type in small letters, without parameters; empty when none was sent."""
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Fields = ()


class Door(Protocol):
    """A protocol that is spoken under some first segments of the path."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The first segments of the paths that are its own."""
        ...

    async def reply(self, call: Call) -> Reply:
        """The answer. Raises Refusal or SeatrialError, which `refused` puts into words."""
        ...

    def refused(self, call: Call, status: int, body: dict[str, object]) -> bytes:
        """The body of an error in the protocol's form: `body` has error, code, details, request_id."""
        ...


class Guard(Protocol):
    """Who may do what."""

    def check(self, call: Call, scope: str) -> None:
        """Return if the caller may act under a scope (predict, outcomes, operate, admin).

        Raises Refusal: 401 without a token that holds, 403 beyond its scopes or from a foreign page; NotReady before
        the tokens were read for the first time.
        """
        ...

    def charge(self, call: Call, rows: int) -> Fields:
        """Header fields that tell what is left of the caller's quota, after rows were taken from it.

        Raises Refusal (429) beyond the quota.
        """
        ...

    async def run(self) -> None:
        """Keep what it knows of callers fresh, until cancelled."""
        ...
