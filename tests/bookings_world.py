"""Generated bookings: what is known when they are made, whether and when they are cancelled, and planted leaks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
COUNTRIES = tuple(f"country {number:02}" for number in range(20))
ROOMS = ("A", "B", "C", "D")
HONEST = ("agent", "loyalty", "rating", "visits", "lead_days", "guests")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Bookings:
    """`frame` has the honest columns, the outcome `cancelled` and the moments; the rest are its parts."""

    frame: pl.DataFrame
    cancelled: npt.NDArray[np.bool_]
    waited_days: npt.NDArray[np.float64]
    chance: np.random.Generator

    def having(self, **columns: Array | list[Any] | pl.Series) -> pl.DataFrame:
        """The frame with further columns."""
        return self.frame.with_columns(pl.Series(name, values) for name, values in columns.items())


def bookings(seed: int, rows: int = 12_000, strength: float = 1.0) -> Bookings:
    """A year of bookings of which honest columns tell much, and cancellations come at any time before arrival.

    Days have shocks of their own, and who cancels late differs by `rating`: nothing of this is a leak.
    """
    chance = np.random.default_rng(seed)
    booked = np.sort(chance.uniform(0, DAYS, rows))
    lead = chance.gamma(1.5, 40, rows) + 1
    agent, agents = chance.integers(0, 25, rows), chance.normal(0, strength, 25)
    score, visits = chance.normal(0, 1, rows), chance.poisson(chance.gamma(0.5, 1, rows))
    loyalty = chance.random(rows) < 0.1
    shocks = chance.normal(0, 0.3, DAYS)[booked.astype(int)]
    logit = agents[agent] + strength * (1.3 * score - 1.5 * loyalty - 0.4 * np.log1p(visits)) + shocks
    cancelled = chance.random(rows) < 1 / (1 + np.exp(np.median(logit) - logit + 0.5))
    progress = chance.beta(1.0, np.exp(0.4 * score) + 0.2)
    waited = np.where(cancelled, np.minimum(progress, 0.99) * lead, lead + 2)
    frame = pl.DataFrame(
        {
            "booking_id": [f"b{number:05}" for number in range(rows)],
            "booked_at": _moments(booked),
            "arrives_at": _moments(booked + lead),
            "settled_at": _moments(booked + waited),
            "cancelled": cancelled,
            "agent": [f"agent {number}" for number in agent],
            "loyalty": loyalty,
            "rating": score,
            "visits": visits,
            "lead_days": lead,
            "guests": chance.integers(1, 5, rows),
        }
    )
    return Bookings(frame, cancelled, waited, chance)


def planted(world: Bookings) -> pl.DataFrame:
    """The bookings with one column for each way in which a table of last states gives the outcome away."""
    return world.having(**_leaks(world))


def _leaks(world: Bookings) -> dict[str, Array]:
    chance, rows, stayed = world.chance, len(world.cancelled), ~world.cancelled
    came_by_car = stayed & (chance.random(rows) < 0.15)
    home = chance.random(rows) < 0.2
    country = np.where(home, COUNTRIES[0], chance.choice(COUNTRIES[1:], rows))
    told = stayed | (chance.random(rows) < 0.4)
    changes = chance.poisson(0.002 * world.waited_days)
    reserved = chance.choice(ROOMS, rows, p=(0.6, 0.2, 0.15, 0.05))
    moved = stayed & (chance.random(rows) < 0.15)
    swapped = chance.random(rows) < 0.001 * world.waited_days
    waiting = (chance.random(rows) < 0.05) * np.floor(world.waited_days * chance.random(rows))
    return {
        "status": np.where(world.cancelled, "gone", np.where(moved, "moved", "stayed")),
        "parking": came_by_car.astype(int),
        "room_key": np.where(stayed, chance.integers(0, 99, rows).astype(float), np.nan),
        "country": np.where(told, country, COUNTRIES[0]),
        "changes": changes,
        "reserved": reserved,
        "assigned": np.where(moved | swapped, "E", reserved),
        "days_waiting": waiting,
    }


def _moments(days: Array) -> pl.Series:
    return pl.Series([START + timedelta(days=float(day)) for day in days], dtype=pl.Datetime("us", "UTC"))
