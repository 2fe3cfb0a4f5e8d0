"""What a page of the console posts, read with suspicion."""

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from seatrial.errors import RequestInvalid
from seatrial.web.hosts import is_same_host

# A form of a few words; more is not read.
FORM_BYTES = 4096


async def read_form(request: Request) -> dict[str, str]:
    """The first value of each field. Starlette's own form reading needs a library for uploads, which none here is."""
    body = await _body(request)
    return {name: values[0].strip() for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def check_origin(request: Request) -> None:
    """Return if a page of this very console posts: its origin must be this host. Raises HTTPException 403."""
    source = request.headers.get("origin") or request.headers.get("referer", "")
    host = request.headers.get("host", "")
    if not is_same_host(source, host):
        sentence = f"This request came from {source or 'no page'}; only a page of {host} may ask for it."
        raise HTTPException(403, sentence)


def check_confirmation(product: str, form: dict[str, str]) -> None:
    """Return if the product's name was typed. Raises RequestInvalid."""
    typed = form.get("product", "")
    if typed != product:
        raise _fault("product", f"the product's name {product}, typed as confirmation", repr(typed))


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise _fault("form", f"at most {FORM_BYTES} bytes", "more")
    return body


def _fault(field: str, expected: str, received: str) -> RequestInvalid:
    return RequestInvalid([{"row": 0, "field": field, "expected": expected, "received": received}])
