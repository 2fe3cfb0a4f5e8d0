"""The console's pages and its JSON: what stands, what it earned, and the two acts a person may ask for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from seatrial.errors import (
    Conflict,
    GateClosed,
    LeaseLost,
    NotFound,
    RequestInvalid,
    SeatrialError,
    Unauthorized,
)
from seatrial.facts.token import Token, masked
from seatrial.web.console.answers import HEADERS, as_json, html, see
from seatrial.web.console.console import Console
from seatrial.web.console.entry import Beyond, Entry
from seatrial.web.console.forms import check_confirmation, check_origin, read_form
from seatrial.web.console.pages import Pages
from seatrial.web.console.picture import Summary, picture, summaries
from seatrial.web.console.signing import SigningDoors, page_after

Act = Callable[[str, dict[str, str], str], object]
Read = Callable[[Request], Response]
Handler = Callable[[Request], Awaitable[Response]]


def build(console: Console) -> Starlette:
    """The application: the pages `/` and `/products/{product}` with its acts, both as JSON below /api/, and /livez.

    With tokens, also /login and /logout, and nothing else but /livez without one.
    """
    pages, entry = Pages(), None if console.tokens is None else Entry(console.tokens)
    doors, signing = _Doors(console, pages, entry), SigningDoors(entry, pages, console.workspace.clock)
    routes = [
        Route("/", doors.reads(doors.index)),
        Route("/products/{product}", doors.reads(doors.page)),
        Route("/products/{product}/rollback", doors.acts(doors.rolled_back), methods=["POST"]),
        Route("/products/{product}/approve", doors.acts(doors.approved), methods=["POST"]),
        Route("/api/products", doors.reads(doors.api_index)),
        Route("/api/products/{product}", doors.reads(doors.api_page)),
        Route("/login", signing.login),
        Route("/login", signing.sign_in, methods=["POST"]),
        Route("/logout", signing.sign_out, methods=["POST"]),
        Route("/livez", _livez),
    ]
    # Without tokens, names protect; with tokens, browsers may know this machine by any name.
    hosts = list(console.hosts) if console.tokens is None else ["*"]
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    return Starlette(
        routes=routes,
        middleware=[trusted],
        exception_handlers=dict.fromkeys((SeatrialError, HTTPException, Beyond), doors.refused),
        lifespan=lambda _: _fresh_tokens(console),
    )


@contextlib.asynccontextmanager
async def _fresh_tokens(console: Console) -> AsyncIterator[None]:
    """While the application lives, its tokens are kept fresh."""
    if console.tokens is None:
        yield
        return
    chore = asyncio.create_task(console.tokens.keep_fresh())
    try:
        yield
    finally:
        chore.cancel()


class _Doors:
    """The handlers. Those that read are plain functions, which `reads` runs in threads."""

    def __init__(self, console: Console, pages: Pages, entry: Entry | None) -> None:
        self._console, self._pages, self._entry = console, pages, entry

    def reads(self, read: Read) -> Handler:
        """The handler that reads for whoever may."""

        async def handle(request: Request) -> Response:
            self._admit(request)
            return await run_in_threadpool(read, request)

        return handle

    def acts(self, act: Act) -> Handler:
        """The handler of a posted form that does something for whoever may, once the product's name is typed."""

        async def handle(request: Request) -> Response:
            caller = self._admit(request)
            product = request.path_params["product"]
            # What a browser adds by itself, a foreign page can make it send; a header with a token it cannot.
            if "authorization" not in request.headers or caller is None:
                check_origin(request)
            form = await read_form(request)
            check_confirmation(product, form)
            await run_in_threadpool(act, product, form, f"token:{caller.name}" if caller else "console")
            return see(f"/products/{product}")

        return handle

    def _admit(self, request: Request) -> Token | None:
        """The token of whoever asks; None where none is needed. Raises Unauthorized or Beyond."""
        request.state.caller = None
        if self._entry is None:
            return None
        caller = self._entry.caller(request, self._console.workspace.clock.now())
        request.state.caller = caller
        product = request.path_params.get("product")
        if product is not None and not caller.covers(product):
            raise Beyond(f"token {caller.name} is for product {caller.product}; expected one for {product}")
        return caller

    def index(self, request: Request) -> Response:
        return html(self._pages.index(self._summaries(request), _name(request)))

    def page(self, request: Request) -> Response:
        shown = picture(self._console, request.path_params["product"])
        acts = {"rollback": self._console.roll_back is not None, "approve": self._console.approve is not None}
        return html(self._pages.product(shown, acts, _name(request)))

    def api_index(self, request: Request) -> Response:
        return as_json(self._summaries(request))

    def api_page(self, request: Request) -> Response:
        return as_json(picture(self._console, request.path_params["product"]))

    def rolled_back(self, product: str, form: dict[str, str], actor: str) -> object:
        if self._console.roll_back is None:
            raise NotFound("this console does not roll back; use `seatrial release rollback`")
        return self._console.roll_back(product, form.get("why") or "asked for on the console", actor)

    def approved(self, product: str, form: dict[str, str], actor: str) -> object:
        if self._console.approve is None or not form.get("release"):
            raise NotFound("nothing here can be approved; use `seatrial release approve`")
        return self._console.approve(product, form["release"], actor)

    async def refused(self, request: Request, error: Exception) -> Response:
        """The error as a page, or as JSON below /api/; whoever only wants to look is led to the form to sign in."""
        status = _status(error)
        message = masked(error.detail if isinstance(error, HTTPException) else str(error))
        path = request.url.path
        if path.startswith("/api/") or request.headers.get("authorization"):
            response = as_json({"error": _code(error), "message": message}, status)
        elif status == 401 and request.method in ("GET", "HEAD"):
            return see(f"/login?next={quote(page_after(path))}")
        else:
            response = html(
                await run_in_threadpool(self._pages.refusal, status, message, _name(request)), status
            )
        if status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="seatrial"'
        return response

    def _summaries(self, request: Request) -> list[Summary]:
        caller: Token | None = request.state.caller
        return [one for one in summaries(self._console) if caller is None or caller.covers(one.product)]


def _name(request: Request) -> str:
    caller: Token | None = getattr(request.state, "caller", None)
    return caller.name if caller else ""


def _code(error: Exception) -> str:
    return "forbidden" if isinstance(error, Beyond) else getattr(error, "code", "error")


async def _livez(_: Request) -> Response:
    return PlainTextResponse("ok\n", headers=HEADERS)


def _status(error: Exception) -> int:
    """The status of an error, as the data plane has it for the same one."""
    if isinstance(error, HTTPException):
        return error.status_code
    kinds: dict[type[Exception], int] = {
        Unauthorized: 401,
        Beyond: 403,
        RequestInvalid: 400,
        NotFound: 404,
        Conflict: 409,
        LeaseLost: 409,
        GateClosed: 409,
    }
    return kinds.get(type(error), 503 if getattr(error, "retryable", False) else 500)
