"""A product whose sources have been loaded every week for months, as its facts would stand: for looks at data."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
import numpy as np
import polars as pl

from seatrial.contract.model import ColumnContract, Contract, Freshness, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.contract.profile import profile_table, to_json
from seatrial.data.changes import as_changes, state
from seatrial.data.digest import rows_digest
from seatrial.facts.erasure import DONE as ERASED
from seatrial.facts.erasure import Erasure
from seatrial.facts.estimate import Estimate
from seatrial.facts.load import DONE, Load
from seatrial.facts.model import Model, Parity
from seatrial.facts.quarantine import Correction
from seatrial.facts.release import Bundle, GateResult, Phase, Release
from seatrial.facts.snapshot import RuleResult, Snapshot, SourceRead
from seatrial.facts.tables import examples_table, source_table, table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.tables import MemoryTables

NAME = "flight-delays"
FIRST = datetime(2013, 9, 2, 5, tzinfo=UTC)
WEEKS = 9
WEEK = timedelta(days=7)
NOW = FIRST + (WEEKS - 1) * WEEK + timedelta(hours=30)
PREDICTION = "018f-answer"
MODEL_ID = "sha256:" + "c4" * 32
TIME = pl.Datetime("us", "UTC")

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
  flights: {path: flights.parquet, every: 7d}
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
  derive: {long_haul: distance > 1500, far_and_foggy: long_haul AND visib < 3}
model: {task: binary, estimator: prototype.joblib}
"""

FLIGHTS = TableContract(
    name="flights",
    primary_key=("flight_id",),
    freshness=(Freshness(column="decision_at", seconds=14 * 86400.0),),
    columns=(
        ColumnContract(name="flight_id", type="string", role="key", required=True, unique=True),
        ColumnContract(name="decision_at", type="timestamp", role="made_at", required=True),
        ColumnContract(name="known_at", type="timestamp", role="known_at"),
        ColumnContract(
            name="origin", type="string", role="feature", required=True, values=("EWR", "JFK", "LGA")
        ),
        ColumnContract(name="carrier", type="string", role="feature", description="the airline's code"),
        ColumnContract(
            name="distance", type="float", role="feature", minimum=1.0, maximum=6000.0, drift_budget=0.1
        ),
        ColumnContract(name="captain", type="string", classification="restricted"),
        ColumnContract(name="late", type="bool", role="outcome"),
        ColumnContract(name="minutes", type="float", role="outcome"),
    ),
)
WEATHER = TableContract(
    name="weather",
    freshness=(Freshness(column="observed_at", seconds=86400.0),),
    columns=(
        ColumnContract(name="origin", type="string", role="lookup_key", required=True),
        ColumnContract(name="observed_at", type="timestamp", required=True),
        ColumnContract(name="visib", type="float", role="feature", minimum=0.0, maximum=20.0),
    ),
)
EXAMPLES = msgspec.structs.replace(
    FLIGHTS,
    name="examples",
    columns=(
        *FLIGHTS.columns,
        ColumnContract(name="visib", type="float"),
        ColumnContract(name="long_haul", type="bool"),
        ColumnContract(name="far_and_foggy", type="bool"),
    ),
)
CONTRACT = Contract(id="flights", version="1.2.0", tables=(FLIGHTS, WEATHER))
CAPTAIN = "Amelia E."


@cache
def product() -> Product:
    """The product, read from its texts."""
    return parse_product(PRODUCT, write_contract(CONTRACT))


def flights(week: int, rows: int = 400) -> pl.DataFrame:
    """A week's flights. In the last week some distances are metres, and a carrier appears."""
    random = np.random.default_rng(week)
    last = week == WEEKS - 1
    at = [FIRST + week * WEEK - timedelta(hours=float(h)) for h in random.uniform(1, 167, rows)]
    distance = random.lognormal(6.7, 0.6, rows).clip(80, 5000).round()
    late = random.random(rows) < 0.24
    carriers = ["UA", "B6", "EV", "DL", *(["ZZ"] if last else [])]
    return pl.DataFrame(
        {
            "flight_id": [f"F{week:02d}{i:04d}" for i in range(rows)],
            "decision_at": pl.Series(at, dtype=TIME),
            "known_at": pl.Series([moment + timedelta(hours=9) for moment in at], dtype=TIME),
            "origin": random.choice(["EWR", "JFK", "LGA"], rows),
            "carrier": random.choice(carriers, rows),
            "distance": np.where(random.random(rows) < 0.4, distance / 3, distance) if last else distance,
            "captain": [CAPTAIN] * rows,
            "late": late,
            "minutes": np.where(late, random.exponential(50, rows), 0).round(),
        }
    ).sort("decision_at")


def weather(week: int) -> pl.DataFrame:
    """A week's weather; in the last two weeks the visibility is missing more and more."""
    random = np.random.default_rng(100 + week)
    gone = {WEEKS - 2: 0.12, WEEKS - 1: 0.35}.get(week, 0.01)
    hours = [FIRST + week * WEEK - timedelta(hours=float(h)) for h in range(3, 168, 3)]
    rows = [(origin, at) for at in hours for origin in ("EWR", "JFK", "LGA")]
    visib = [None if random.random() < gone else float(random.integers(1, 11)) for _ in rows]
    return pl.DataFrame(
        {
            "origin": [origin for origin, _ in rows],
            "observed_at": pl.Series([at for _, at in rows], dtype=TIME),
            "visib": pl.Series(visib, dtype=pl.Float64),
        }
    )


def trained(snapshot: Snapshot) -> Model:
    """A model of a snapshot."""
    promise = Estimate(value=41.2, lower=30.0, upper=52.4, n=40, method="mean of days")
    return Model(
        id=MODEL_ID,
        product=NAME,
        snapshot=snapshot.id,
        artifact="sha256:" + "a7" * 32,
        estimator="HistGradientBoostingClassifier",
        features=("origin", "carrier", "distance", "visib", "long_haul"),
        threshold=0.31,
        trained_at=snapshot.created_at,
        trained_from=snapshot.first_made_at,
        trained_to=snapshot.last_made_at,
        training_rows=1600,
        validation_rows=400,
        seconds=4.2,
        seed=0,
        parity=Parity(rows=512, largest_difference=3e-7, tolerance=1e-5, differing_rows=0),
        comparisons=(),
        slices=(),
        importances={"distance": 0.4, "visib": 0.3, "carrier": 0.2},
        promise=promise,
        promised_loss=promise,
        calibration=((0.0, 1.0), (0.0, 1.0)),
        reference="",
        longest_wait=86400.0,
        card="",
    )


def in_memory(at: datetime = NOW) -> Workspace:
    """A workspace of fakes, at a moment."""
    clock = MemoryClock(at)
    return Workspace(
        clock=clock,
        metadata=MemoryMetadata(clock),
        tables=MemoryTables(),
        artifacts=MemoryArtifacts(),
        journal=MemoryJournal(),
    )


@dataclass
class Asset:
    """The workspace with everything in it."""

    product: Product = field(default_factory=product)
    workspace: Workspace = field(default_factory=in_memory)

    def __post_init__(self) -> None:
        self.metadata, self.tables = self.workspace.metadata, self.workspace.tables
        self.artifacts = self.workspace.artifacts
        self.loads: dict[str, list[Load]] = {"flights": [], "weather": []}
        self.snapshots: list[Snapshot] = []

    def fill(self, weeks: int = WEEKS) -> "Asset":
        """Every week's loads; snapshots of weeks 4, 7 and 8; a model and a release of the first; predictions."""
        for week in range(weeks):
            self.load("flights", flights(week), week, broken=2 + (week == WEEKS - 1) * 39)
            self.load("weather", weather(week), week)
            if week in {4, 7, 8}:
                self.snapshot(week)
        if self.snapshots:
            self.release()
        return self

    def load(self, source: str, frame: pl.DataFrame, week: int, broken: int = 0) -> Load:
        """One load of a source with `broken` further rows put aside."""
        number = len(self.loads[source]) + 1
        table = source_table(NAME, source)
        self.tables.append(table, as_changes(frame, frame.clear(), number), writer=source, version=number)
        stored = state(self.tables.read(table))
        contract = self.product.contract.table(source)
        assert contract is not None
        rule = RuleResult(source=source, rule="distance.maximum", rows=frame.height + broken, failed=broken)
        kept = RuleResult(source=source, rule="origin.required", rows=frame.height + broken, failed=0)
        rules = (rule, kept) if source == "flights" else (kept,)
        load = Load(
            id=f"{source}-{number:04d}",
            product=NAME,
            source=source,
            number=number,
            kind="path",
            origin=f"s3://lake/{source}/*.parquet",
            whole=False,
            state=DONE,
            table=table,
            position={"after": week},
            declaration="sha256:00",
            delivered=frame.height + broken,
            added=frame.height,
            removed=0,
            quarantined=broken,
            rows=stored.height,
            digest=rows_digest(stored),
            profile=self.artifacts.put(to_json(profile_table(stored, contract))),
            contract=self.artifacts.put(self.product.texts[1].encode()),
            contract_version="1.2.0",
            rules=rules,
            all_rules=rules,
            all_delivered=frame.height + broken,
            all_rejected=broken,
            corrected={"c0001": 3} if source == "flights" and number == 6 else {},
            read_at=FIRST + week * WEEK,
        )
        self.loads[source].append(load)
        self._put(load)
        if broken:
            self._put_aside(load, broken)
        return load

    def snapshot(self, week: int, number: int | None = None) -> Snapshot:
        """A snapshot of all flights so far with the weather known at their decisions."""
        number = number or len(self.snapshots) + 1
        rows = state(self.tables.read(source_table(NAME, "flights"))).sort("decision_at")
        other = state(self.tables.read(source_table(NAME, "weather"))).sort("observed_at")
        frame = rows.join_asof(
            other, left_on="decision_at", right_on="observed_at", by="origin", check_sortedness=False
        )
        frame = frame.drop("observed_at").with_columns(long_haul=pl.col("distance") > 1500)
        frame = frame.with_columns(far_and_foggy=pl.col("long_haul") & (pl.col("visib") < 3))
        held = state(self.tables.read(examples_table(NAME)))
        new = frame if held.is_empty() else frame.join(held.select("flight_id"), on="flight_id", how="anti")
        self.tables.append(
            examples_table(NAME), as_changes(new, new.clear(), number), writer="snapshot", version=number
        )
        last = {source: loads[-1] for source, loads in self.loads.items()}
        snapshot = Snapshot(
            id=rows_digest(frame),
            product=NAME,
            number=number,
            table=examples_table(NAME),
            profile=self.artifacts.put(to_json(profile_table(frame, EXAMPLES))),
            rows=frame.height,
            columns=tuple(frame.columns),
            first_made_at=FIRST - WEEK,
            last_made_at=FIRST + week * WEEK,
            as_of=FIRST + week * WEEK,
            sources=tuple(
                SourceRead(
                    name=source,
                    kind="path",
                    rows=load.delivered,
                    kept=load.rows,
                    digest=load.digest,
                    read_at=load.read_at,
                    load=load.id,
                )
                for source, load in last.items()
            ),
            rules=tuple(rule for load in last.values() for rule in load.rules),
            contract_version="1.2.0",
            product_digest=self.product.digest,
            created_at=FIRST + week * WEEK + timedelta(minutes=5),
        )
        self.snapshots.append(snapshot)
        self._put(snapshot)
        return snapshot

    def release(self) -> Release:
        """A model of the first snapshot, live, with three predictions."""
        snapshot = self.snapshots[0]
        model = trained(snapshot)
        self._put(model)
        bundle = Bundle(
            id="sha256:" + "b1" * 32,
            product=NAME,
            model=model.id,
            model_artifact=model.artifact,
            product_file=snapshot.product_digest,
            contract=self.loads["flights"][0].contract,
            lookups={},
            threshold=0.31,
        )
        release = Release(
            id="r0001",
            product=NAME,
            bundle=bundle,
            phase=Phase.LIVE,
            created_at=snapshot.created_at,
            changed_at=snapshot.created_at,
            live_from=snapshot.created_at,
            gates=(GateResult(gate="parity", passed=True, evidence="no row differs"),),
        )
        self._put(release)
        self._put(
            Correction(
                id="c0001",
                product=NAME,
                source="flights",
                rule="distance.maximum",
                set={"distance": "distance / 1000"},
                why="metres",
                by="ml@airline.example",
                at=FIRST,
            )
        )
        self._predictions(model.id)
        return release

    def erase(self, rows: int = 12) -> Erasure:
        """Rows of the first snapshot, erased for good."""
        snapshot = self.snapshots[0]
        self._put(msgspec.structs.replace(snapshot, erased=rows, remaining="sha256:" + "0c" * 32))
        erasure = Erasure(
            id="e0001",
            product=NAME,
            column="captain",
            columns={"flights": ("captain",)},
            state=ERASED,
            salt="00",
            commitment="00",
            rows={examples_table(NAME): rows},
            snapshots=(snapshot.id,),
            models=(MODEL_ID,),
            why="asked for",
            by="privacy@airline.example",
            at=NOW,
        )
        self._put(erasure)
        return erasure

    def _put(self, fact: msgspec.Struct) -> None:
        with self.metadata.begin() as transaction:
            transaction.put(fact)

    def _put_aside(self, load: Load, rows: int) -> None:
        row = msgspec.json.encode({"flight_id": "F0", "distance": 812000, "captain": CAPTAIN}).decode()
        frame = pl.DataFrame(
            {
                "id": [f"{load.id}:{i}" for i in range(rows)],
                "source": ["flights"] * rows,
                "rule": ["distance.maximum"] * rows,
                "expected": ["at most 6000"] * rows,
                "received": [f"{812000 + i}" for i in range(rows)],
                "contract_version": ["1.2.0"] * rows,
                "load": pl.Series([load.number] * rows, dtype=pl.Int64),
                "line": pl.Series(range(rows), dtype=pl.Int64),
                "at": pl.Series([load.read_at] * rows, dtype=TIME),
                "row": [row] * rows,
            }
        )
        self.tables.append(table_name(NAME, "quarantine"), frame, writer=load.source, version=load.number)

    def _predictions(self, model: str) -> None:
        frame = pl.DataFrame(
            {
                "prediction_id": [PREDICTION, "018f-other", "018f-fallback"],
                "release": ["r0001"] * 3,
                "model_digest": [model] * 3,
                "served": ["live"] * 3,
                "fallback": pl.Series([None, None, "model_failed"], dtype=pl.String),
                "made_at": pl.Series([NOW - timedelta(hours=1)] * 3, dtype=TIME),
                "contract_version": ["1.2.0"] * 3,
            }
        )
        self.tables.append(table_name(NAME, "predictions"), frame, writer="drain", version=1)
