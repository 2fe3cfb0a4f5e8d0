"""The tokens as a server's process holds them in memory: no database stands behind a request."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from seatrial.errors import NotReady, Unauthorized
from seatrial.facts.token import TOKEN, Token

# RFC 9110: the scheme in any case. Whatever is around the token is no part of it.
_BEARER = re.compile(rf"[Bb][Ee][Aa][Rr][Ee][Rr] +(?P<text>{TOKEN.pattern}) *")
_log = logging.getLogger(__name__)


class TokenTable:
    """The tokens that `read` last gave. Checking one takes no lock: a refresh puts a new table in place of the old."""

    def __init__(
        self, read: Callable[[], Sequence[Token]], now: Callable[[], datetime], *, seconds: float = 2.0
    ) -> None:
        """`now` tells whether a token has expired; `seconds` lie between two readings."""
        self._read, self._now, self._seconds = read, now, seconds
        self._tokens: dict[str, Token] | None = None

    @property
    def tokens(self) -> Mapping[str, Token]:
        """All tokens by id; another object after they changed. Raises NotReady before they were read at all."""
        if self._tokens is None:
            raise NotReady("the tokens could not be read yet; try again")
        return self._tokens

    def refresh(self) -> None:
        """Read the tokens. May block; when it raises, the table stays as it was."""
        fresh = {token.id: token for token in self._read()}
        if fresh != self._tokens:
            self._tokens = fresh

    async def keep_fresh(self) -> None:
        """Refresh again and again until cancelled; the last known tokens hold while the store cannot be read."""
        while True:
            await asyncio.sleep(0.0 if self._tokens is None else self._seconds)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:  # noqa: BLE001 - a store that fails must not end the timer
                _log.exception("the tokens could not be read; those of before still hold")
                await asyncio.sleep(self._seconds)

    def holder(self, authorization: str | None) -> Token:
        """The token in an `Authorization` header.

        Raises Unauthorized when there is none that holds, NotReady before the tokens were read at all.
        """
        match = _BEARER.fullmatch(authorization) if authorization else None
        if match is None:
            raise Unauthorized(_missing(authorization))
        token = self.tokens.get(match["id"])
        if token is None or not token.is_text(match["text"]):
            raise Unauthorized("this token is not known here")
        self._check_holds(token)
        return token

    def still(self, id: str) -> Token | None:
        """The token with an id, while it holds; else None."""
        token = self.tokens.get(id)
        return token if token is not None and token.holds(self._now()) else None

    def _check_holds(self, token: Token) -> None:
        if token.revoked_at is not None:
            raise Unauthorized(f"token {token.name} was revoked")
        if token.expires_at is not None and not token.holds(self._now()):
            raise Unauthorized(f"token {token.name} expired on {token.expires_at:%Y-%m-%d %H:%M} UTC")


def _missing(authorization: str | None) -> str:
    got = "none" if not authorization else "one of another form"
    return (
        f"expected the header authorization: Bearer <token>, got {got}; `seatrial token create` makes tokens"
    )
