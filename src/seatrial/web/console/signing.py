"""The doors at which a browser signs in with a token, and out again."""

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from seatrial.errors import NotFound, Unauthorized
from seatrial.ports.clock import Clock
from seatrial.web.console.answers import html, see
from seatrial.web.console.entry import Beyond, Entry, with_session, without_session
from seatrial.web.console.forms import check_origin, read_form
from seatrial.web.console.pages import Pages

# The pages that may come after signing in: a link to this form must not lead to another site.
_AFTER = re.compile(r"/(products/[A-Za-z0-9._-]*)?")


class SigningDoors:
    """The handlers; without an `entry` nobody has to sign in."""

    def __init__(self, entry: Entry | None, pages: Pages, clock: Clock) -> None:
        self._entry, self._pages, self._clock = entry, pages, clock

    async def login(self, request: Request) -> Response:
        """The form."""
        if self._entry is None:
            return see("/")
        after = page_after(request.query_params.get("next", "/"))
        return html(await run_in_threadpool(self._pages.login, after))

    async def sign_in(self, request: Request) -> Response:
        """A session for whoever posted a token that does; else the form again, with the reason."""
        if self._entry is None:
            raise NotFound("this console asks nobody to sign in")
        check_origin(request)
        form = await read_form(request)
        after = page_after(form.get("next", "/"))
        try:
            number = self._entry.sign_in(form.get("token", ""), self._clock.now())
        except (Unauthorized, Beyond) as error:
            status = 401 if isinstance(error, Unauthorized) else 403
            return html(await run_in_threadpool(self._pages.login, after, _sentence(error)), status)
        return with_session(see(after), request, number)

    async def sign_out(self, request: Request) -> Response:
        """The form, after the session's end."""
        check_origin(request)
        if self._entry is not None:
            self._entry.sign_out(request)
        return without_session(see("/login"), request)


def page_after(path: str) -> str:
    """The page of this console that comes after signing in: the one that was asked for, or the first one."""
    return path if _AFTER.fullmatch(path) else "/"


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
