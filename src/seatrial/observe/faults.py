"""Faults of the data that reach the model: fallbacks, feeds that went missing or stale, categories never seen.

These page, since they need no outcome to be harm: a fallback is no model at all, and a feed that is wholly missing
makes the model guess. Shares are per UTC day. A share of unseen categories is shown only.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Incident, Verdict
from seatrial.measures.distances import CategoryBins
from seatrial.measures.intervals import wilson
from seatrial.observe.days import day_start
from seatrial.observe.window import Window, answered
from seatrial.product.product import Product
from seatrial.product.reference import Binned, Reference, counted
from seatrial.product.staleness import Staleness

FALLBACK = "fallback share"
MISSING = "missing feed"
UNSEEN = "unseen categories"
STALE = "stale lookup"
MOST_FALLBACKS = 0.05
FEWEST_ROWS = 50
# A feature that the reference mostly lacks says nothing when it is missing.
_USUALLY_THERE = 0.5


def faults(
    product: Product,
    reference: Reference,
    predictions: pl.DataFrame,
    *,
    release: str,
    window: Window,
    open_incidents: Sequence[Incident] = (),
) -> tuple[list[Finding], list[Incident]]:
    """Findings over the window's answered rows, and incidents for what is at fault on its last day.

    A fallback share alarms when the last day's interval lies above 5 %; a feed when it is missing in all rows of the
    last day, of which there must be 50, though the reference mostly has it. What `open_incidents` holds already is
    not raised again.
    """
    rows = answered(window.rows(predictions, release))
    if rows.is_empty():
        return [], []
    days = rows.with_columns(product.block(rows["made_at"]))
    missing = _missing_since(product, reference, days)
    findings = [
        _fallback_finding(product, release, window, days),
        *(_missing_finding(product, release, window, days, feed, since) for feed, since in missing.items()),
        *_unseen_findings(product, reference, release, window, rows),
    ]
    alarms = [finding for finding in findings if finding.verdict is Verdict.ALARM]
    known = {(one.measure, one.release) for one in open_incidents if one.closed_at is None}
    incidents = [_incident(product, finding, missing, days) for finding in alarms]
    return findings, [one for one in incidents if (one.measure, release) not in known]


def stale_lookups(
    product: Product,
    found: Sequence[Staleness],
    *,
    release: str,
    window: Window,
    open_incidents: Sequence[Incident] = (),
) -> tuple[list[Finding], list[Incident]]:
    """A finding per lookup whose contract bounds its age, and incidents for those that are older.

    The value is the age in seconds at the time of the look. What `open_incidents` holds already is not raised again.
    """
    bounded = [one for one in found if one.bound is not None]
    findings = [_stale_finding(product, one, release, window) for one in bounded]
    known = {one.measure for one in open_incidents if one.closed_at is None}
    incidents = [
        _stale_incident(product, one, finding)
        for one, finding in zip(bounded, findings, strict=True)
        if one.is_over and finding.measure not in known
    ]
    return findings, incidents


def _stale_finding(product: Product, one: Staleness, release: str, window: Window) -> Finding:
    return window.finding(
        product.name,
        release,
        measure=f"{STALE} {one.lookup}",
        segment=one.lookup,
        value=one.seconds if math.isfinite(one.seconds) else None,
        sample_size=0,
        verdict=Verdict.ALARM if one.is_over else Verdict.OK,
        detail=f"newest row tells of {one.newest or 'nothing'}; the contract allows {one.bound:,.0f} s",
    )


def _stale_incident(product: Product, one: Staleness, finding: Finding) -> Incident:
    assert one.bound is not None  # only what is bounded can be over its bound
    since = finding.at if one.newest is None else one.newest + timedelta(seconds=one.bound)
    return Incident(
        id=f"incident-{finding.id}",
        product=product.name,
        release=finding.release,
        measure=finding.measure,
        kind="fault",
        cause=f"data fault: lookup {one.lookup} is stale; {finding.detail}",
        began_at=since,
        detected_at=finding.at,
        finding=finding.id,
    )


def missing_shares(reference: Reference, predictions: pl.DataFrame) -> dict[str, tuple[Estimate, float]]:
    """Per feature, the share of missing values among answered rows, and in the reference."""
    rows = answered(predictions)
    return {
        name: (wilson(rows[f"feature_{name}"].null_count(), rows.height), binned.missing_share)
        for name, binned in reference.features.items()
        if f"feature_{name}" in rows.columns
    }


def _fallback_finding(product: Product, release: str, window: Window, days: pl.DataFrame) -> Finding:
    last = _last_day(days)
    share = wilson(last.height - last["fallback"].null_count(), last.height)
    enough = last.height >= FEWEST_ROWS
    calm = Verdict.OK if enough else Verdict.NOT_ENOUGH_DATA
    above = enough and share.lower is not None and share.lower > MOST_FALLBACKS
    reasons = last["fallback"].drop_nulls().value_counts(sort=True).head(3).rows()
    named = ", ".join(f"{reason} ({count} times)" for reason, count in reasons)
    return window.finding(
        product.name,
        release,
        measure=FALLBACK,
        segment="all",
        value=share,
        sample_size=last.height,
        verdict=Verdict.ALARM if above else calm,
        detail=f"of answers on {last['block'][0]}, at most {MOST_FALLBACKS:.0%} tolerated"
        + (f": {named}" * bool(named)),
    )


def _missing_since(product: Product, reference: Reference, days: pl.DataFrame) -> dict[str, str]:
    """Feeds that are wholly missing on the last day, and the first day of that run. A lookup is one feed."""
    wanted = [
        name
        for name, binned in reference.features.items()
        if binned.missing_share < _USUALLY_THERE and f"feature_{name}" in days.columns
    ]
    since = {name: day for name in wanted if (day := _run_of_nothing(days, f"feature_{name}")) is not None}
    return _by_feed(since, wanted, product.lookup_names)


def _run_of_nothing(days: pl.DataFrame, column: str) -> str | None:
    """The first day of the run of days without a single value, when it lasts to the last day with enough rows."""
    daily = days.group_by("block").agg(pl.len().alias("rows"), pl.col(column).null_count().alias("missing"))
    began: str | None = None
    for block, rows, missing in daily.sort("block", descending=True).iter_rows():
        if missing < rows:
            break
        if began is None and rows < FEWEST_ROWS:
            return None
        began = str(block)
    return began


def _by_feed(
    since: Mapping[str, str], wanted: Sequence[str], lookups: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Features of one lookup that all went missing are one fault: the lookup's."""
    feeds: dict[str, str] = {}
    left = dict(since)
    for lookup, names in lookups.items():
        columns = [name for name in names.values() if name in wanted]
        if columns and all(name in left for name in columns):
            feeds[f"lookup {lookup}"] = max(left.pop(name) for name in columns)
    return {**feeds, **{f"feature {name}": day for name, day in left.items()}}


def _missing_finding(
    product: Product, release: str, window: Window, days: pl.DataFrame, feed: str, since: str
) -> Finding:
    last = _last_day(days)
    return window.finding(
        product.name,
        release,
        measure=f"{MISSING}: {feed}",
        segment=feed,
        value=wilson(last.height, last.height),
        sample_size=last.height,
        verdict=Verdict.ALARM,
        detail=f"{feed} missing in every answered row since {since}",
    )


def _unseen_findings(
    product: Product, reference: Reference, release: str, window: Window, rows: pl.DataFrame
) -> list[Finding]:
    """Features whose share of categories without a bin of their own is beyond the reference's, by its interval."""
    found = []
    for name, binned in reference.features.items():
        if not isinstance(binned.bins, CategoryBins) or f"feature_{name}" not in rows.columns:
            continue
        share = _unseen_share(binned, rows[f"feature_{name}"])
        if rows.height >= FEWEST_ROWS and (share.lower or 0.0) > max(0.01, 2.0 * binned.other_share):
            found.append(
                window.finding(
                    product.name,
                    release,
                    measure=UNSEEN,
                    segment=name,
                    value=share,
                    sample_size=rows.height,
                    verdict=Verdict.SHOWN,
                    detail=f"share of values outside the known categories; {binned.other_share:.1%} in the reference",
                )
            )
    return found


def _unseen_share(binned: Binned, values: pl.Series) -> Estimate:
    counts = np.array(counted(binned, values))
    return wilson(float(counts[-2]), int(counts.sum()))


def _incident(product: Product, finding: Finding, missing: Mapping[str, str], days: pl.DataFrame) -> Incident:
    feed = missing.get(finding.segment)
    share = (
        ""
        if finding.value is None
        else f"{finding.value:.1%} of answers came from the fallback, not the model"
    )
    return Incident(
        id=f"incident-{finding.id}",
        product=product.name,
        release=finding.release,
        measure=finding.measure,
        kind="fault",
        cause=f"data fault: {finding.segment} missing since {feed}"
        if feed
        else f"data fault: {share}; {finding.detail}",
        began_at=day_start(feed or _fallbacks_since(days)),
        detected_at=finding.at,
        finding=finding.id,
    )


def _fallbacks_since(days: pl.DataFrame) -> str:
    """The first day of the run of days with too many fallbacks that lasts to the last day."""
    daily = days.group_by("block").agg(pl.col("fallback").is_not_null().mean().alias("share"))
    began = str(days["block"].max())
    for block, share in daily.sort("block", descending=True).iter_rows():
        if share <= MOST_FALLBACKS:
            break
        began = str(block)
    return began


def _last_day(days: pl.DataFrame) -> pl.DataFrame:
    return days.filter(pl.col("block") == days["block"].max())
