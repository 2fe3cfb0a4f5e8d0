"""Artifacts in a dictionary."""

import hashlib

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


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()
