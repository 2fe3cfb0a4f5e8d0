"""The console's pages and its JSON: what stands, what it earned, and the two acts a person may ask for."""

from collections.abc import Callable
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from seatrial.errors import Conflict, GateClosed, LeaseLost, NotFound, RequestInvalid, SeatrialError
from seatrial.web.console.console import Console
from seatrial.web.console.pages import Pages
from seatrial.web.console.picture import picture, summaries
from seatrial.web.hosts import is_same_host

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A form of a few words; more is not read.
FORM_BYTES = 4096

Act = Callable[[str, dict[str, str]], object]


def build(console: Console) -> Starlette:
    """The application: the pages `/` and `/products/{product}` with its acts, both as JSON below /api/, and /livez."""
    doors = _Doors(console, Pages())
    routes = [
        Route("/", doors.index),
        Route("/products/{product}", doors.page),
        Route("/products/{product}/rollback", doors.roll_back, methods=["POST"]),
        Route("/products/{product}/approve", doors.approve, methods=["POST"]),
        Route("/api/products", doors.api_index),
        Route("/api/products/{product}", doors.api_page),
        Route("/livez", _livez),
    ]
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=list(console.hosts), www_redirect=False)
    return Starlette(
        routes=routes,
        middleware=[trusted],
        exception_handlers={SeatrialError: doors.refused, HTTPException: doors.refused},
    )


class _Doors:
    """The handlers. Those that read are plain functions, so that Starlette runs them in threads."""

    def __init__(self, console: Console, pages: Pages) -> None:
        self._console = console
        self._pages = pages

    def index(self, _: Request) -> Response:
        return _html(self._pages.index(summaries(self._console)))

    def page(self, request: Request) -> Response:
        shown = picture(self._console, request.path_params["product"])
        acts = {"rollback": self._console.roll_back is not None, "approve": self._console.approve is not None}
        return _html(self._pages.product(shown, acts))

    def api_index(self, _: Request) -> Response:
        return _json(summaries(self._console))

    def api_page(self, request: Request) -> Response:
        return _json(picture(self._console, request.path_params["product"]))

    async def roll_back(self, request: Request) -> Response:
        return await self._act(request, self._rolled_back)

    async def approve(self, request: Request) -> Response:
        return await self._act(request, self._approved)

    async def _act(self, request: Request, act: Act) -> Response:
        product = request.path_params["product"]
        _check_origin(request)
        form = _form(await _body(request))
        _check_confirmation(product, form)
        await run_in_threadpool(act, product, form)
        return RedirectResponse(f"/products/{product}", status_code=303, headers=HEADERS)

    def _rolled_back(self, product: str, form: dict[str, str]) -> object:
        if self._console.roll_back is None:
            raise NotFound("this console does not roll back; use `seatrial release rollback`")
        return self._console.roll_back(product, form.get("why") or "asked for on the console")

    def _approved(self, product: str, form: dict[str, str]) -> object:
        if self._console.approve is None or not form.get("release"):
            raise NotFound("nothing here can be approved; use `seatrial release approve`")
        return self._console.approve(product, form["release"])

    async def refused(self, request: Request, error: Exception) -> Response:
        """The error as a page, or as JSON below /api/."""
        status = _status(error)
        message = error.detail if isinstance(error, HTTPException) else str(error)
        if request.url.path.startswith("/api/"):
            return _json({"error": getattr(error, "code", "error"), "message": message}, status)
        page = await run_in_threadpool(self._pages.refusal, status, message)
        return _html(page, status)


async def _livez(_: Request) -> Response:
    return PlainTextResponse("ok\n", headers=HEADERS)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise _fault("form", f"at most {FORM_BYTES} bytes", "more")
    return body


def _form(body: bytes) -> dict[str, str]:
    """The first value of each field. Starlette's own form reading needs a library for uploads, which none here is."""
    return {name: values[0].strip() for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _check_origin(request: Request) -> None:
    """Without tokens on loopback, only a page of this very console may post: its origin must be this host."""
    source = request.headers.get("origin") or request.headers.get("referer", "")
    host = request.headers.get("host", "")
    if not is_same_host(source, host):
        sentence = f"This request came from {source or 'no page'}; only a page of {host} may ask for it."
        raise HTTPException(403, sentence)


def _check_confirmation(product: str, form: dict[str, str]) -> None:
    typed = form.get("product", "")
    if typed != product:
        raise _fault("product", f"the product's name {product}, typed as confirmation", repr(typed))


def _fault(field: str, expected: str, received: str) -> RequestInvalid:
    return RequestInvalid([{"row": 0, "field": field, "expected": expected, "received": received}])


def _status(error: Exception) -> int:
    """The status of an error, as the data plane has it for the same one."""
    if isinstance(error, HTTPException):
        return error.status_code
    kinds: dict[type[Exception], int] = {
        RequestInvalid: 400,
        NotFound: 404,
        Conflict: 409,
        LeaseLost: 409,
        GateClosed: 409,
    }
    return kinds.get(type(error), 503 if getattr(error, "retryable", False) else 500)


def _html(page: str, status: int = 200) -> Response:
    return HTMLResponse(page, status, headers=HEADERS)


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, headers=HEADERS, media_type="application/json")
