"""Who may use the console: everyone on this machine, or whoever shows a token for operating or signed in with one."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from seatrial.errors import Unauthorized
from seatrial.facts.token import Scope, Token, id_of
from seatrial.web.token_table import TokenTable

COOKIE = "seatrial_session"
LASTS = timedelta(hours=12)
_SESSIONS = 1000
ResponseT = TypeVar("ResponseT", bound=Response)


class Beyond(Exception):
    """A token that holds, and is not for this."""


class Entry:
    """The tokens of the workspace, and the browsers that signed in with one of them.

    Sessions live in this process: they end with it, after 12 hours, and when their token does. A browser is given a
    number of its own, not the token.
    """

    def __init__(self, tokens: TokenTable) -> None:
        self._tokens = tokens
        # The digest of a session's number -> the token's id, and the end.
        self._sessions: dict[bytes, tuple[str, datetime]] = {}

    def caller(self, request: Request, now: datetime) -> Token:
        """The token that a request shows, or signed in with. Raises Unauthorized, Beyond, or NotReady."""
        if authorization := request.headers.get("authorization"):
            return _for_operating(self._tokens.holder(authorization))
        token = self._signed_in(request.cookies.get(COOKIE, ""), now)
        if token is None:
            raise Unauthorized("sign in with a token, or send it as the header authorization: Bearer <token>")
        return _for_operating(token)

    def sign_in(self, text: str, now: datetime) -> str:
        """The number of a new session for whoever has this token. Raises Unauthorized, Beyond, or NotReady."""
        if id_of(text) is None:
            raise Unauthorized("this is no token")
        token = _for_operating(self._tokens.holder(f"Bearer {text}"))
        self._forget_old(now)
        number = secrets.token_urlsafe(32)
        self._sessions[_digest(number)] = (token.id, now + LASTS)
        return number

    def sign_out(self, request: Request) -> None:
        """End the browser's session, if it has one."""
        self._sessions.pop(_digest(request.cookies.get(COOKIE, "")), None)

    def _signed_in(self, number: str, now: datetime) -> Token | None:
        id, until = self._sessions.get(_digest(number), ("", now))
        return self._tokens.still(id) if now < until else None

    def _forget_old(self, now: datetime) -> None:
        self._sessions = {key: pair for key, pair in self._sessions.items() if now < pair[1]}
        while len(self._sessions) >= _SESSIONS:
            del self._sessions[next(iter(self._sessions))]


def with_session(response: ResponseT, request: Request, number: str) -> ResponseT:
    """The response that gives the browser its number, which no script and no other site's page can use."""
    _set(response, request, number, int(LASTS.total_seconds()))
    return response


def without_session(response: ResponseT, request: Request) -> ResponseT:
    """The response that takes it back."""
    _set(response, request, "", 0)
    return response


def _set(response: Response, request: Request, number: str, seconds: int) -> None:
    # Behind a proxy that ends TLS, this server speaks plain HTTP; then the proxy says what the browser speaks.
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    response.set_cookie(COOKIE, number, max_age=seconds, httponly=True, samesite="strict", secure=secure)


def _for_operating(token: Token) -> Token:
    if not token.allows(Scope.OPERATE):
        raise Beyond(f"token {token.name} is for {' and '.join(token.scopes)}; expected one for operate")
    return token


def _digest(number: str) -> bytes:
    return hashlib.sha256(number.encode()).digest()
