"""Bodies that are compressed on their way: gzip and deflate, never larger than allowed once they are whole."""

import gzip
import zlib
from collections.abc import Callable

from seatrial.web.scoring.call import Call, Reply
from seatrial.web.scoring.refusals import Refusal, malformed, too_large

# Below this many bytes, compressing costs more than it saves; a header that accepts it does not demand it.
_WORTHWHILE = 1024
_AUTOMATIC = 32 + zlib.MAX_WBITS  # reads the wrapping of gzip and of zlib alike


async def plain_body(call: Call, limit: int) -> bytes:
    """The body without its content-encoding, at most `limit` bytes.

    Raises Refusal: 415 for an encoding other than gzip and deflate, 413 for more bytes than that, 400 when the
    compressed bytes are damaged.
    """
    encoding = (call.headers.get("content-encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip", "deflate"):
        raise Refusal(
            415,
            "unsupported_media_type",
            f"expected a content-encoding of gzip, deflate or identity, got {encoding}",
        )
    body = await call.body()
    return body if encoding == "identity" else _decompressed(body, encoding, limit)


def _decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """One stream and nothing after it: a body of thousands of tiny members would take forever."""
    reader = zlib.decompressobj(_AUTOMATIC)
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise malformed(f"it is not {encoding}, as the header says: {error}") from error
    if len(plain) > limit:
        raise too_large(limit)
    if not reader.eof:
        raise malformed(f"its {encoding} breaks off")
    if reader.unused_data:
        raise malformed(f"{len(reader.unused_data)} bytes follow the end of its {encoding}")
    return plain


def compressed(call: Call, reply: Reply) -> Reply:
    """The reply, compressed when the caller accepts that and it is worth it."""
    chosen = _chosen(call.headers.get("accept-encoding") or "")
    if chosen is None or len(reply.body) < _WORTHWHILE:
        return reply
    headers = (*reply.headers, ("content-encoding", chosen), ("vary", "accept-encoding"))
    return Reply(reply.status, _COMPRESS[chosen](reply.body), reply.content_type, headers)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


def _deflate(body: bytes) -> bytes:
    return zlib.compress(body, 1)


_COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "deflate": _deflate}


def _chosen(accepted: str) -> str | None:
    """The encoding with the highest weight, of several with one weight the first; None when none is wanted."""
    weights: dict[str, float] = {}
    for one in accepted.lower().split(","):
        name, _, parameter = (part.strip() for part in one.partition(";"))
        if name in _COMPRESS:
            weights[name] = _weight(parameter)
    best = max(weights, key=lambda name: weights[name], default=None)
    return best if best is not None and weights[best] > 0 else None


def _weight(parameter: str) -> float:
    name, _, value = (part.strip() for part in parameter.partition("="))
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
