"""The console's answers: never kept by a browser, and with nothing from elsewhere in them."""

import msgspec
from starlette.responses import HTMLResponse, RedirectResponse, Response

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def html(page: str, status: int = 200) -> Response:
    """A page."""
    return HTMLResponse(page, status, headers=HEADERS)


def as_json(body: object, status: int = 200) -> Response:
    """Facts and plain values as JSON."""
    return Response(msgspec.json.encode(body), status, headers=HEADERS, media_type="application/json")


def see(path: str) -> Response:
    """The browser looks at another of these pages next."""
    return RedirectResponse(path, status_code=303, headers=HEADERS)
