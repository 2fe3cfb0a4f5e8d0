"""The append-only, hash-chained record of every change and why."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

GENESIS = "0" * 64


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `hash` covers every other field, and `previous` is the hash of the entry before.

    The chain runs over all products of a workspace; `seq` counts from 1 without gaps.
    """

    seq: int
    at: datetime
    product: str
    kind: str
    subject: str
    body: dict[str, Any]
    actor: str
    previous: str
    hash: str = ""


def entry_hash(entry: LogEntry) -> str:
    """The SHA-256 (hex) over the canonical JSON of an entry without its own hash."""
    body = msgspec.to_builtins(entry)
    body.pop("hash")
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def chain_faults(entries: list[LogEntry], after: str = GENESIS, first_seq: int = 1) -> list[str]:
    """Every place where the chain does not hold, in words; empty when it holds from `after` on."""
    faults: list[str] = []
    for expected_seq, entry in enumerate(entries, start=first_seq):
        if entry.seq != expected_seq:
            faults.append(
                f"entry {entry.seq}: expected sequence number {expected_seq}; an entry is missing or moved"
            )
        if entry.previous != after:
            faults.append(f"entry {entry.seq}: does not continue the entry before it ({after[:12]}…)")
        if entry_hash(entry) != entry.hash:
            faults.append(f"entry {entry.seq}: its content was changed after it was written")
        after = entry.hash
    return faults
