"""A product that has been live for months, as its facts would stand: for readiness and the console."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
import numpy as np
import polars as pl

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Incident, Verdict
from seatrial.facts.logbook import GENESIS, LogEntry, entry_hash
from seatrial.facts.model import Comparison, Model, Parity, Slice
from seatrial.facts.rehearsal import LoopEvent, PolicyResult, RehearsalReport
from seatrial.facts.release import Bundle, GateResult, Phase, Release
from seatrial.facts.snapshot import RuleResult, Snapshot, SourceRead
from seatrial.facts.statement import DayLine, ReleaseLine, Statement
from seatrial.ports.metadata import Metadata
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from seatrial.readiness.evidence import Booked, Evidence, Served

NAME = "flight-delays"
LAUNCH = datetime(2013, 4, 1, 6, tzinfo=UTC)
NOW = datetime(2013, 12, 20, 6, tzinfo=UTC)
SNAPSHOT_ID = "sha256:" + "5a" * 32
RELEASES = ("r0001", "r0002", "r0003", "r0004")

PRODUCT = """
product: flight-delays
purpose: Predict which flights arrive late, so that crews and connections can be buffered in time.
owner: {business: operations@airline.example, engineering: ml@airline.example}
objective:
  unit: USD
  value: CASE WHEN decision AND late THEN 30 * minutes - 900 WHEN decision THEN -900 ELSE 0 END
  value_range: [-900, 10000]
  baseline: visib < 3
  outcome_depends_on_action: no
sources:
  flights: {path: flights.parquet}
  weather: {path: weather.parquet}
examples:
  from: flights
  key: flight_id
  made_at: decision_at
  outcome: {label: late, also: [minutes]}
  known_at: known_at
  matured_at: decision_at + INTERVAL '1 day'
  lookups:
    weather: {on: [origin], as_of: observed_at, columns: [visib]}
  derive: {long_haul: distance > 1500}
model: {task: binary, estimator: prototype.joblib}
retrain: {on: [harm, age], max_age: 60d}
"""

FLIGHTS = TableContract(
    name="flights",
    columns=(
        ColumnContract(name="flight_id", type="string", role="key", required=True, unique=True),
        ColumnContract(name="decision_at", type="timestamp", role="made_at", required=True),
        ColumnContract(name="known_at", type="timestamp", role="known_at", required=True),
        ColumnContract(
            name="origin", type="string", role="feature", required=True, values=("EWR", "JFK", "LGA")
        ),
        ColumnContract(name="distance", type="float", role="feature", minimum=1.0),
        ColumnContract(name="late", type="bool", role="outcome"),
        ColumnContract(name="minutes", type="float", role="outcome"),
    ),
)
WEATHER = TableContract(
    name="weather",
    columns=(
        ColumnContract(name="origin", type="string", role="lookup_key", required=True),
        ColumnContract(name="observed_at", type="timestamp", role="other", required=True),
        ColumnContract(name="visib", type="float", role="feature", minimum=0.0),
    ),
)
FEATURES = ("origin", "distance", "visib", "long_haul")


@cache
def product() -> Product:
    """The product, read from its texts."""
    return parse_product(
        PRODUCT, write_contract(Contract(id="flights", version="1.2.0", tables=(FLIGHTS, WEATHER)))
    )


def sample(rows: int = 24) -> pl.DataFrame:
    """Rows of the last snapshot."""
    made_at = [NOW - timedelta(days=3, hours=i) for i in range(rows)]
    distance = [200.0 + 97 * i for i in range(rows)]
    return pl.DataFrame(
        {
            "flight_id": [f"UA{i:04d}" for i in range(rows)],
            "decision_at": pl.Series(made_at, dtype=pl.Datetime("us", "UTC")),
            "known_at": pl.Series(
                [at + timedelta(hours=9) for at in made_at], dtype=pl.Datetime("us", "UTC")
            ),
            "origin": [("EWR", "JFK", "LGA")[i % 3] for i in range(rows)],
            "distance": distance,
            "visib": [float(i % 11) for i in range(rows)],
            "long_haul": [miles > 1500 for miles in distance],
            "late": [i % 4 == 0 for i in range(rows)],
            "minutes": [float(5 * i) for i in range(rows)],
        }
    )


def logged(rows: int = 24) -> pl.DataFrame:
    """The features that serving recorded for the sample's rows."""
    frame = sample(rows)
    return frame.select(
        pl.col("flight_id").alias("key"), *(pl.col(n).alias(f"feature_{n}") for n in FEATURES)
    )


def estimate(value: float, half: float, n: int = 263) -> Estimate:
    """A value with a symmetric interval."""
    return Estimate(value=value, lower=value - half, upper=value + half, n=n, method="mean of days")


def snapshot() -> Snapshot:
    """The last snapshot."""
    rule = RuleResult(source="flights", rule="distance.minimum", rows=318_204, failed=17)
    return Snapshot(
        id=SNAPSHOT_ID,
        product=NAME,
        table=f"{NAME}.examples",
        number=1,
        profile="sha256:" + "0b" * 32,
        rows=318_187,
        columns=tuple(sample().columns),
        first_made_at=LAUNCH - timedelta(days=90),
        last_made_at=NOW - timedelta(days=3),
        as_of=NOW - timedelta(days=2),
        sources=(
            SourceRead(
                name="flights", kind="path", rows=318_204, kept=318_187, digest="sha256:aa", read_at=NOW
            ),
        ),
        rules=(rule, msgspec.structs.replace(rule, rule="origin.values", failed=0)),
        contract_version="1.2.0",
        product_digest=product().digest,
        created_at=NOW - timedelta(days=2),
    )


def model(number: int = 4) -> Model:
    """The model of release `number`, trained before its release."""
    trained_at = _opened(number)
    gain = estimate(41.2, 9.5, 40)
    return Model(
        id=f"sha256:{number:02d}" + "c4" * 31,
        product=NAME,
        snapshot=SNAPSHOT_ID if number == 4 else f"sha256:{number:02d}" + "5b" * 31,
        artifact=f"sha256:{number:02d}" + "a7" * 31,
        estimator="Pipeline(OrdinalEncoder, HistGradientBoostingClassifier)",
        features=FEATURES,
        threshold=0.31,
        trained_at=trained_at,
        trained_from=trained_at - timedelta(days=90),
        trained_to=trained_at - timedelta(days=1),
        training_rows=65_120,
        validation_rows=16_280,
        seconds=4.2,
        seed=0,
        parity=Parity(rows=512, largest_difference=3.1e-7, tolerance=1e-5, differing_rows=0),
        comparisons=(
            Comparison(policy="model", value=estimate(212.0, 20.0, 40), log_loss=0.42, auc=0.75),
            Comparison(policy="constant", value=estimate(0.0, 0.0, 40), advantage=estimate(212.0, 20.0, 40)),
            Comparison(policy="linear", value=estimate(170.8, 18.0, 40), advantage=gain),
        ),
        slices=tuple(
            Slice(
                column="origin", group=group, rows=5_400, loss=estimate(loss, 0.01), value=estimate(210, 30)
            )
            for group, loss in (("EWR", 0.131), ("JFK", 0.118), ("LGA", 0.124))
        ),
        importances={"visib": 0.031, "origin": 0.012, "distance": 0.006, "long_haul": 0.0},
        promise=estimate(212.0, 20.0, 40),
        promised_loss=estimate(0.124, 0.006, 40),
        calibration=((0.0, 1.0), (0.0, 1.0)),
        reference="sha256:" + "0d" * 32,
        longest_wait=86_400.0,
        card="sha256:" + "0e" * 32,
        why="age: the newest training is 60 days old" if number > 1 else "first training",
    )


def _opened(number: int) -> datetime:
    return (
        LAUNCH,
        LAUNCH + timedelta(days=128),
        NOW - timedelta(days=24),
        NOW - timedelta(days=9),
    )[number - 1]


GATES = (
    GateResult(
        gate="owner declared",
        passed=True,
        evidence="business operations@airline.example, engineering ml@airline.example",
    ),
    GateResult(gate="objective declared", passed=True, evidence="value in USD, digest sha256:9f86d081884c"),
    GateResult(gate="contract enforced", passed=True, evidence="2 rules on 318204 rows; 17 put aside"),
    GateResult(gate="package equals model", passed=True, evidence="largest difference 3.1e-07 on 512 rows"),
    GateResult(gate="promise above zero", passed=True, evidence="212.00 [192.00, 232.00] USD per decision"),
    GateResult(gate="no worse than linear", passed=True, evidence="advantage 41.20 [31.70, 50.70]"),
)


def release(number: int, phase: Phase, *, previous: str | None = None, why: str = "") -> Release:
    """Release `number` in a phase."""
    made = model(number)
    opened = _opened(number)
    went_live = phase in (Phase.LIVE, Phase.RETIRED)
    bundle = Bundle(
        id=f"sha256:{number:02d}" + "b1" * 31,
        product=NAME,
        model=made.id,
        model_artifact=made.artifact,
        product_file="sha256:" + "01" * 32,
        contract="sha256:" + "02" * 32,
        lookups={"weather": "sha256:" + "03" * 32},
        threshold=made.threshold,
    )
    return Release(
        id=f"r{number:04d}",
        product=NAME,
        bundle=bundle,
        phase=phase,
        share=1.0 if phase is Phase.LIVE else 0.1 if phase is Phase.CANARY else 0.0,
        created_at=opened,
        changed_at=opened + timedelta(days=6),
        live_from=opened + timedelta(days=6) if went_live else None,
        previous=previous,
        gates=GATES,
        why=why,
    )


def releases() -> tuple[Release, ...]:
    """The first one retired, one rolled back on trial, one live, one in canary."""
    return (
        release(1, Phase.RETIRED, why="r0003 took its place"),
        release(2, Phase.ROLLED_BACK, why="it earns less than the live release, beyond doubt"),
        release(3, Phase.LIVE, previous="r0001", why="it has earned at least as much as the live release"),
        release(4, Phase.CANARY, why="no harm seen; canary at 10%"),
    )


def finding(day: int, measure: str, verdict: Verdict, value: float, *, segment: str = "all") -> Finding:
    """A finding made so many days before NOW."""
    at = NOW - timedelta(days=day)
    return Finding(
        id=f"f{day:03d}-{measure}-{segment}",
        product=NAME,
        at=at,
        window_from=at - timedelta(days=7),
        window_to=at,
        release="r0003",
        segment=segment,
        measure=measure,
        value=value,
        lower=value * 0.8,
        upper=value * 1.2,
        e_value=412.0 if verdict is Verdict.ALARM else 1.3,
        sample_size=6_431,
        verdict=verdict,
        detail="Brier loss of matured outcomes against the promise" if measure == "loss" else "",
    )


def findings() -> tuple[Finding, ...]:
    """Findings of all verdicts, oldest first."""
    return (
        finding(8, "loss", Verdict.ALARM, 0.171),
        finding(4, "value", Verdict.OK, 171.0),
        finding(3, "distance from training", Verdict.SHOWN, 0.21, segment="visib"),
        finding(2, "estimated loss", Verdict.NOT_ENOUGH_DATA, 0.13),
        finding(1, "value above baseline", Verdict.OK, 164.0),
    )


def incidents() -> tuple[Incident, ...]:
    """One closed and one open incident."""
    closed = Incident(
        id="i0001",
        product=NAME,
        release="r0001",
        measure="value",
        cause="wind_gust missing from the weather feed",
        began_at=LAUNCH + timedelta(days=50),
        detected_at=LAUNCH + timedelta(days=55),
        finding="f200",
        cost_per_day=18_400.0,
        closed_at=LAUNCH + timedelta(days=62),
        closed_by="the feed was mended",
    )
    return (
        closed,
        msgspec.structs.replace(
            closed,
            id="i0002",
            release="r0003",
            measure="loss",
            cause="concept drift: the estimate before outcomes did not see it",
            began_at=NOW - timedelta(days=12),
            detected_at=NOW - timedelta(days=8),
            finding="f008-loss-all",
            cost_per_day=22_150.0,
            closed_at=None,
            closed_by=None,
        ),
    )


EVENTS: tuple[tuple[datetime, str, str, str], ...] = (
    (LAUNCH - timedelta(days=1), "product declared", NAME, ""),
    (LAUNCH - timedelta(days=1), "snapshot saved", SNAPSHOT_ID, ""),
    (LAUNCH, "model registered", model(1).id, "first training"),
    (LAUNCH + timedelta(days=6), "release live", "r0001", "first release"),
    (LAUNCH + timedelta(days=55), "incident opened", "i0001", "value since 2013-05-21"),
    (LAUNCH + timedelta(days=62), "incident closed", "i0001", "the feed was mended"),
    (
        LAUNCH + timedelta(days=128),
        "model registered",
        model(2).id,
        "age: the newest training is 60 days old",
    ),
    (LAUNCH + timedelta(days=129), "release canary", "r0002", "no harm seen; canary at 10%"),
    (LAUNCH + timedelta(days=134), "release rolled back", "r0002", "it earns less than the live release"),
    (NOW - timedelta(days=24), "model registered", model(3).id, "age: the newest training is 60 days old"),
    (NOW - timedelta(days=23), "release shadow", "r0003", "gates are open"),
    (NOW - timedelta(days=21), "release canary", "r0003", "no harm seen; canary at 10%"),
    (NOW - timedelta(days=18), "release live", "r0003", "it has earned at least as much as the live release"),
    (NOW - timedelta(days=10), "rollback drill", "r0003", "drill"),
    (NOW - timedelta(days=9), "model registered", model(4).id, "harm: loss since 2013-12-08"),
    (NOW - timedelta(days=8), "incident opened", "i0002", "loss since 2013-12-08"),
    (NOW - timedelta(days=8), "model registered", model(4).id, "repeated"),
    (NOW - timedelta(days=3), "release canary", "r0004", "no harm seen; canary at 10%"),
    (NOW - timedelta(days=1), "outcomes settled", "ledger", ""),
)


def logbook() -> tuple[LogEntry, ...]:
    """The product's logbook, its chain whole."""
    entries: list[LogEntry] = []
    previous = GENESIS
    for seq, (at, kind, subject, why) in enumerate(EVENTS, start=1):
        body = {"seconds": 0.31} if kind == "rollback drill" else {"why": why}
        entry = LogEntry(
            seq=seq,
            at=at,
            product=NAME,
            kind=kind,
            subject=subject,
            body=body,
            actor="seatrial",
            previous=previous,
        )
        entry = msgspec.structs.replace(entry, hash=entry_hash(entry))
        entries.append(entry)
        previous = entry.hash
    return tuple(entries)


MONTHS = tuple(f"2013-{month:02d}" for month in range(4, 13))


def rehearsal() -> RehearsalReport:
    """The last rehearsal: five policies over nine months."""
    totals = {"no_model": 0.0, "act_always": -91.2e6, "baseline": 9.4e6, "frozen": 37.1e6, "monthly": 53.8e6}
    totals |= {"loop": 52.6e6}
    frozen = estimate(totals["frozen"], 4.1e6)
    return RehearsalReport(
        id="rh-20131212",
        product=NAME,
        at=NOW - timedelta(days=8),
        began=LAUNCH,
        ended=NOW - timedelta(days=8),
        rows=255_840,
        batches=5_228,
        seconds=71.0,
        unit="USD",
        policies=tuple(_policy(name, total, frozen) for name, total in totals.items()),
        events=(
            LoopEvent(at=LAUNCH + timedelta(days=55), kind="incident", subject="i0001", why="value"),
            LoopEvent(at=LAUNCH + timedelta(days=62), kind="retraining", subject="m2", why="harm"),
            LoopEvent(at=LAUNCH + timedelta(days=68), kind="promotion", subject="r0003", why="earned it"),
        ),
        counts={"answered": 255_840, "outcomes": 254_902},
        value_per_row=estimate(205.6, 15.0),
    )


def _policy(name: str, total: float, frozen: Estimate) -> PolicyResult:
    weights = [1 + 0.3 * math.sin(i + len(name)) for i in range(len(MONTHS))]
    by_month = {month: total * w / sum(weights) for month, w in zip(MONTHS, weights, strict=True)}
    gain = None if name == "frozen" else estimate(total - (frozen.value or 0.0), 2.2e6)
    return PolicyResult(
        policy=name,
        value=estimate(total, abs(total) * 0.09),
        advantage=gain,
        acted=0 if name == "no_model" else 61_200,
        by_month=by_month,
        retrainings={"monthly": 8, "loop": 3}.get(name, 0),
    )


def statement() -> Statement:
    """The booked value of 260 days, with weekly swings and a poor November."""
    days = _days()
    value, baseline = days[-1].cumulative, days[-1].cumulative_baseline
    lines = [("r0001", 0.91, 203.0, 207.0), ("r0003", 0.09, 212.0, 196.0)]
    return Statement(
        product=NAME,
        unit="USD",
        since=None,
        until=None,
        decisions=257_318,
        waiting=1_204,
        matured=256_114,
        acted=61_870,
        without_outcome=938,
        capped=41,
        coverage=Estimate(value=0.9963, lower=0.9959, upper=0.9967, n=260),
        value=estimate(value, 3.9e6, 260),
        baseline_value=estimate(baseline, 1.1e6, 260),
        advantage=estimate(value - baseline, 3.4e6, 260),
        loss=estimate(0.127, 0.003, 260),
        releases=tuple(_release_line(name, part, value, p, r) for name, part, p, r in lines),
        days=days,
        objectives=("sha256:9f86d081",),
    )


def _release_line(name: str, part: float, value: float, promised: float, realised: float) -> ReleaseLine:
    return ReleaseLine(
        release=name,
        decisions=int(256_114 * part),
        acted=int(61_870 * part),
        without_outcome=int(938 * part),
        capped=3,
        value=estimate(value * part, 3.9e6 * part),
        baseline_value=estimate(9.1e6 * part, 1.1e6 * part),
        advantage=estimate((value - 9.1e6) * part, 3.4e6 * part),
        loss=estimate(0.127, 0.003),
        realised=estimate(realised, 14.0),
        promised=estimate(promised, 20.0, 40),
    )


def _days() -> tuple[DayLine, ...]:
    chance = np.random.default_rng(7)
    days: list[DayLine] = []
    total = base_total = 0.0
    for i in range(260):
        season = 1 + 0.5 * math.sin(i / 30) - (0.6 if 205 < i < 235 else 0)
        earned = float(chance.gamma(2, 105_000) * season - 10_000)
        base = float(chance.normal(35_000, 60_000))
        total, base_total = total + earned, base_total + base
        days.append(
            DayLine(
                day=f"{LAUNCH + timedelta(days=i):%Y-%m-%d}",
                decisions=985,
                value=earned,
                baseline_value=base,
                cumulative=total,
                cumulative_baseline=base_total,
            )
        )
    return tuple(days)


def evidence() -> Evidence:
    """All of it, as readiness sees it."""
    return Evidence(
        product=product(),
        now=NOW,
        snapshot=snapshot(),
        sample=sample(),
        logged=logged(),
        models=tuple(model(n) for n in (1, 2, 3, 4)),
        releases=releases(),
        findings=findings(),
        incidents=incidents(),
        logbook=logbook(),
        rehearsal=rehearsal(),
        served=Served(rows=257_318, last_at=NOW, by_contract={"1.2.0": 257_318}, fallbacks=3),
        booked=Booked(rows=256_114, labelled=255_176, last_at=NOW - timedelta(days=1)),
    )


def fill(metadata: Metadata, facts: Sequence[msgspec.Struct] = ()) -> None:
    """Put the product's facts, and more, into a store; the logbook gets an entry per event, at the store's clock."""
    stored = (
        snapshot(),
        *(model(n) for n in (1, 2, 3, 4)),
        *releases(),
        *findings(),
        *incidents(),
        rehearsal(),
    )
    with metadata.begin() as transaction:
        for fact in (*stored, *facts):
            transaction.put(fact)
        for _, kind, subject, why in EVENTS:
            transaction.log(product=NAME, kind=kind, subject=subject, body={"why": why})
