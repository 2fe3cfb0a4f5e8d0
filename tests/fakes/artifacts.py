"""Artifacts in a dictionary."""

import hashlib
import re
from collections.abc import Iterator

from seatrial.errors import IntegrityBroken, NotFound


class MemoryArtifacts:
    """Bytes by digest. A test may change `bodies` to break one."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def put(self, body: bytes) -> str:
        digest = _digest(body)
        self.bodies[digest] = bytes(body)
        return digest

    def get(self, digest: str) -> bytes:
        if digest not in self.bodies:
            raise NotFound(f"artifact {digest}: not in the store")
        if _digest(body := self.bodies[digest]) != digest:
            raise IntegrityBroken(f"artifact {digest}: its bytes do not match")
        return body

    def has(self, digest: str) -> bool:
        return digest in self.bodies

    def delete(self, digest: str) -> None:
        if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            raise NotFound(f"artifact {digest}: no digest")
        self.bodies.pop(digest, None)

    def digests(self) -> Iterator[str]:
        yield from list(self.bodies)


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()
