"""Times of what somebody brings: those that say no zone, and those that are written as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from seatrial.contract.zones import in_zone, with_moments, without_zone

ASSUMED = "UTC"


@dataclass(frozen=True)
class Zoned:
    """`sources` as they are to be declared, `frames` of them with moments, and what is `missing`, in words."""

    sources: dict[str, Any]
    frames: dict[str, pl.DataFrame]
    missing: tuple[str, ...]


def assumed_zones(sources: Mapping[str, Any], frames: Mapping[str, pl.DataFrame]) -> Zoned:
    """Times that say no zone are taken for UTC, which is declared and told; texts that all are times become such."""
    read, declared, missing = dict(frames), dict(sources), []
    for name, frame in frames.items():
        if naive := without_zone(frame):
            read[name] = in_zone(frame, ASSUMED)
            declared[name] = {**_fields(sources.get(name)), "timezone": ASSUMED}
            missing.append(
                f"sources.{name}.timezone: in which time zone {', '.join(naive)} of {name} are, such as "
                f"Europe/Lisbon, for they do not say; assumed {ASSUMED} meanwhile"
            )
        read[name] = with_moments(read[name])
    return Zoned(declared, read, tuple(missing))


def _fields(source: Any) -> dict[str, Any]:
    return dict(source) if isinstance(source, Mapping) else {}
