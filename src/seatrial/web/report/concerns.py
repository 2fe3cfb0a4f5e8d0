"""What a person should know first: what broke, what changed, and what to do about each."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from seatrial.data.landing import REFUSED
from seatrial.data.profiles import ColumnSummary
from seatrial.data.provenance import Recorded, erased_of
from seatrial.facts.finding import Incident
from seatrial.facts.job import Job
from seatrial.facts.load import Load
from seatrial.facts.logbook import LogEntry
from seatrial.facts.model import Model
from seatrial.web.report.views import AsideView, ColumnView, Concern, LookupView, Report, RuleView, SourceView
from seatrial.web.report.words import day, days, figure, number, share, short

# A rule is news when it breaks this often, and this many times as often as it used to.
NEWS_SHARE, NEWS_TIMES = 0.01, 3.0
# From these distances between distributions on, a column is worth a look.
NOTABLE_DISTANCE = 0.1
NOTABLE_MISSING = 0.05
_URGENCY = {"broken": 0, "changed": 1, "note": 2}


def concerns_of(
    report: Report, facts: Recorded, model: Model | None, failures: Sequence[Concern] = ()
) -> tuple[Concern, ...]:
    """Everything worth telling of what the report shows, and what else failed; what is broken first."""
    found = [
        *failures,
        *_stale(report.sources, report.lookups),
        *_broken_rules(report.rules),
        *_erased(facts, model),
        *_moved(report.columns),
        *_unused(report),
        *_waiting(report.aside),
    ]
    return tuple(sorted(found, key=lambda concern: _URGENCY[concern.level]))


def faults(incidents: Sequence[Incident]) -> Iterator[Concern]:
    """Open incidents that are faults of data or service, as the loop found them."""
    for incident in incidents:
        if incident.kind != "fault":
            continue
        title, _, rest = incident.cause.partition(": ")
        yield Concern(
            level="broken",
            title=_sentence([title]).rstrip("."),
            evidence=f"{rest or incident.measure} (since {day(incident.began_at)})",
            advice="Mend the cause; the incident closes when it is gone. `seatrial observe` shows it.",
            part="sources",
        )


def refused(
    entries: Sequence[LogEntry], loads: Mapping[str, Sequence[Load]], incidents: Sequence[Incident]
) -> Iterator[Concern]:
    """Sources whose newest delivery was refused, as the logbook tells, and of which no load came since.

    Where an open incident tells of the same refusal, that is enough.
    """
    newest = {entry.subject: entry for entry in entries if entry.kind == REFUSED}
    for source, entry in newest.items():
        reason = str(entry.body.get("reason", "No reason was recorded."))
        came = any(load.read_at > entry.at for load in loads.get(source, ()))
        if came or any(reason in incident.cause for incident in incidents):
            continue
        yield Concern(
            level="broken",
            title=f"{source} was refused",
            evidence=f"{reason} (on {day(entry.at)})",
            advice="Mend the source or its contract, then run `seatrial data`; what is stored stands until then.",
            part="sources",
        )


def failed(jobs: Sequence[Job]) -> Iterator[Concern]:
    """The newest job, where it was given up: no snapshot or model came of it."""
    for job in jobs[-1:]:
        if job.state == "failed":
            yield Concern(
                level="broken",
                title=f"The last {job.kind} was given up",
                evidence=job.error or "No reason was recorded.",
                advice="Mend what it names; the loop tries again when the product file says so.",
                part="sources",
            )


def _unused(report: Report) -> Iterator[Concern]:
    """Loads that were made before the report and after the newest snapshot, and that no snapshot holds."""
    if report.snapshot is None:
        return
    read = {one.name: one.load for one in report.snapshot.sources}
    behind = [
        f"{source.loads[-1].id} ({number(source.loads[-1].rows)} rows; the snapshot has {read[source.name]})"
        for source in report.sources
        if source.name in read and read[source.name] != source.loads[-1].id
    ]
    if behind:
        yield Concern(
            level="note",
            title="The newest snapshot does not hold everything that was read",
            evidence=f"Read since: {', '.join(behind)}.",
            advice="`seatrial data` makes a snapshot of it, or says why it does not.",
            part="sources",
        )


def _stale(sources: Sequence[SourceView], lookups: Sequence[LookupView]) -> Iterator[Concern]:
    for source in sources:
        if not source.stale:
            continue
        answers = [column for lookup in lookups if lookup.source == source.name for column in lookup.columns]
        used = f" Predictions read {', '.join(answers)} from it." if answers else ""
        yield Concern(
            level="broken",
            title=f"{source.name} is stale",
            evidence=f"Its newest row tells of {days(source.age)} ago; the contract allows {days(source.limit)}.{used}",
            advice=f"Ask why nothing newer comes from {source.origin}; then run `seatrial data` to read it.",
            part="sources",
        )


def _broken_rules(rules: Sequence[RuleView]) -> Iterator[Concern]:
    for rule in rules:
        if not _is_news(rule):
            continue
        usual = _usual(rule)
        was = f", usually {share(usual)}" if usual is not None else ""
        told = rule.detail or f"{number(rule.failed)} of {number(rule.rows)} rows ({share(rule.share)}{was})"
        yield Concern(
            level="broken" if rule.severity == "error" else "changed",
            title=f"{rule.source} breaks {rule.rule}",
            evidence=f"At the newest reading: {told}.",
            advice="See the rows below, then mend the source, correct them by rule, or change the contract.",
            part="quarantine" if rule.severity == "error" and not rule.detail else "rules",
        )


def _is_news(rule: RuleView) -> bool:
    if rule.failed and rule.detail:
        return True
    usual = _usual(rule)
    return rule.share >= NEWS_SHARE and (usual is None or rule.share >= NEWS_TIMES * usual)


def _usual(rule: RuleView) -> float | None:
    """The median share of rows that broke the rule at the loads before."""
    earlier = [point.value for point in rule.trend[:-1]]
    return median(earlier) if earlier else None


def _erased(facts: Recorded, model: Model | None) -> Iterator[Concern]:
    if model is None:
        return
    erased = erased_of(facts, model.snapshot)
    if erased or any(model.id in erasure.models for erasure in facts.erasures):
        yield Concern(
            level="broken",
            title="The model learnt from rows that were erased since",
            evidence=f"Model {short(model.id)} was trained on a snapshot of which {number(erased)} rows are gone.",
            advice="Train another one with `seatrial train` and release it.",
            part="lineage",
        )


def _moved(columns: Sequence[ColumnView]) -> Iterator[Concern]:
    for column in columns:
        over = column.budget is not None and (column.from_previous or 0.0) > column.budget
        signs = list(_signs(column))
        # A column that no model reads and no budget holds may change as it likes.
        if not over and not (column.feature and signs):
            continue
        budget = f" beyond its budget of {column.budget:.2g}" if over else ""
        yield Concern(
            level="broken" if over else "changed",
            title=f"{column.summary.name} changed{budget}",
            evidence=_sentence(signs),
            advice=_advice(column),
            part="columns",
        )


def is_moved(column: ColumnView) -> bool:
    """Whether a column differs enough from before to be shown among those that changed."""
    return bool(list(_signs(column)))


def _sentence(signs: Sequence[str]) -> str:
    told = "; ".join(signs)
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def _advice(column: ColumnView) -> str:
    name = column.origin.split(",")[0]
    if column.importance:
        leans = f"The model leans on it (importance {column.importance:.2g})"
        return f"{leans}: ask whoever delivers {name} whether it is real, and retrain if it is."
    return f"Ask whoever delivers {name} whether it is real or a fault."


def _signs(column: ColumnView) -> Iterator[str]:
    """What of a column differs from before, in words."""
    rises = _missing_rise(column)
    if rises:
        yield rises
    if column.distance > max(NOTABLE_DISTANCE, column.noise):
        from_reference = (column.from_reference or 0.0) >= (column.from_previous or 0.0)
        than = "what the model learnt from" if from_reference else "the snapshot before"
        yield f"distance {column.distance:.2f} from {than}{_medians(column.summary, column.was)}"
    if column.appeared:
        yield f"new: {', '.join(column.appeared[:5])}"
    if column.vanished:
        yield f"gone: {', '.join(column.vanished[:5])}"


def _missing_rise(column: ColumnView) -> str:
    """Whether the newest load misses more values than the loads before did, in words."""
    earlier = [point.value for point in column.missing[:-1]]
    if not earlier:
        return ""
    now, usual = column.missing[-1].value, median(earlier)
    if now - usual < NOTABLE_MISSING:
        return ""
    return f"{share(now)} missing in the newest reading, usually {share(usual)}"


def _medians(now: ColumnSummary, was: ColumnSummary | None) -> str:
    new = now.quantiles.get("0.5")
    old = was.quantiles.get("0.5") if was else None
    if not isinstance(new, float) or not isinstance(old, float):
        return ""
    return f" (median {figure(old, now.type)} before, {figure(new, now.type)} now)"


def _waiting(aside: Sequence[AsideView]) -> Iterator[Concern]:
    rows = sum(view.rows for view in aside)
    if rows:
        yield Concern(
            level="note",
            title=f"{number(rows)} rows wait in quarantine",
            evidence=f"Under {len(aside)} rule{'s' if len(aside) > 1 else ''}; they are in no snapshot.",
            advice="`seatrial data quarantine` lists them; what is mended is taken in by itself.",
            part="quarantine",
        )
