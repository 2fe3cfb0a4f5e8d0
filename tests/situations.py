"""Situations of a product with one live release, for tests of what follows from them."""

from datetime import datetime, timedelta
from typing import Any, Literal

from seatrial.decide.situation import Policy, Situation, Trial
from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Incident
from seatrial.facts.release import Phase
from tests.hotel import START, hotel_release

NOW = START + timedelta(days=30)
DAY = timedelta(days=1)
LIVE = hotel_release("r0001")


def policy(**changes: Any) -> Policy:
    """Shadow of 500 outcomes, canaries of 10 % and 50 %, retrained for harm or after 60 days, weekly at most."""
    given: dict[str, Any] = {
        "shadow_outcomes": 500,
        "canary": (0.1, 0.5),
        "approve_live": False,
        "retrain_on": frozenset({"harm", "age"}),
        "max_age": 60 * DAY.total_seconds(),
        "at_most": 7 * DAY.total_seconds(),
    }
    return Policy(**(given | changes))


def trial(
    value: float | None = 1.0,
    half: float | None = 2.0,
    *,
    phase: Phase = Phase.SHADOW,
    share: float = 0.0,
    days: int = 10,
    rows_in_step: int = 600,
    scored_rows: int = 1000,
    fallback_share: float = 0.0,
) -> Trial:
    """A challenger that earned `value` more per row than the live release, give or take `half`."""
    bounded = value is not None and half is not None
    difference = Estimate(
        value=value,
        lower=value - half if bounded else None,  # type: ignore[operator]
        upper=value + half if bounded else None,  # type: ignore[operator]
        n=days,
    )
    release = hotel_release("r0002", phase=phase, share=share)
    return Trial(
        release=release,
        difference=difference,
        rows=1000,
        days=days,
        rows_in_step=rows_in_step,
        scored_rows=scored_rows,
        fallback_share=fallback_share,
    )


def incident(
    *,
    kind: Literal["harm", "fault"] = "harm",
    cost: float | None = 100.0,
    closed_at: datetime | None = None,
) -> Incident:
    """Something that began five days ago."""
    return Incident(
        id="i1",
        product="hotel",
        release="r0001",
        measure="loss",
        kind=kind,
        cause="concept drift",
        began_at=NOW - 5 * DAY,
        detected_at=NOW - DAY,
        finding="f1",
        cost_per_day=cost,
        closed_at=closed_at,
    )


def situation(**changes: Any) -> Situation:
    """A healthy product, trained ten days ago."""
    given: dict[str, Any] = {
        "now": NOW,
        "policy": policy(),
        "live": LIVE,
        "live_trained_to": NOW - 10 * DAY,
    }
    return Situation(**(given | changes))
