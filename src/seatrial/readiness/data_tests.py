"""D1 to D7: the data behind the model."""

from datetime import datetime

import polars as pl

from seatrial.contract.check import check_table
from seatrial.contract.model import TableContract
from seatrial.errors import SeatrialError
from seatrial.facts.readiness import TestResult
from seatrial.product.product import Product
from seatrial.readiness.evidence import Evidence
from seatrial.readiness.marking import Criterion, Proof

D1 = Criterion(
    "D1",
    "Every model input is written down in a contract, and the contract is enforced",
    "Name every input in the contract, run `seatrial train` on it, and serve predictions under the same version.",
)
D2 = Criterion(
    "D2",
    "Every feature earns its place",
    "Plant a noise feature in training and show that its importance is found to be nil; drop features with none.",
)
D3 = Criterion(
    "D3",
    "No feature costs more than it brings",
    "Meter time, storage and money per feature and set them against its gain.",
)
D4 = Criterion(
    "D4",
    "Features obey policy: nothing banned, personal without leave, or out of licence",
    "Classify the contract's columns and let training refuse the ones that policy bans.",
)
D5 = Criterion(
    "D5",
    "Privacy is kept along the whole pipeline",
    "Scan features and logs for personal data, delete by retention, and test erasure by key.",
)
D6 = Criterion(
    "D6",
    "A new feature can be added fast",
    "Record the time from a feature's first commit to its first served prediction.",
)
D7 = Criterion(
    "D7",
    "The code that makes features is tested",
    "Run the sources' tests with their coverage as part of `seatrial check`, and record the result.",
)


def d1_contract(evidence: Evidence) -> TestResult:
    """D1: all inputs are in the contract; the last snapshot and the answered requests were checked by it."""
    snapshot, product = evidence.snapshot, evidence.product
    if snapshot is None or not snapshot.rules:
        return D1.absent("No snapshot was checked against the contract.")
    loose = uncovered(product)
    inputs = len(product.features)
    if loose:
        return D1.absent(f"{len(loose)} of {inputs} model inputs are in no contract: {', '.join(loose)}.")
    served = evidence.served.by_contract.get(product.contract.version, 0)
    rows = sum(read.rows for read in snapshot.sources)
    words = (
        f"All {inputs} model inputs are in contract {product.contract.version}; its {len(snapshot.rules)} rules "
        f"checked {rows:,} rows for the last snapshot and {served:,} answered requests"
    )
    lacks = "" if served else "predictions answered under this contract"
    control = broken_row_control(product, evidence.sample, evidence.now)
    oldest = min(snapshot.created_at, evidence.served.last_at or snapshot.created_at)
    return D1.mark(Proof(words, oldest, control, lacks), evidence.now)


def uncovered(product: Product) -> list[str]:
    """Model inputs that no table of the contract describes and that are not derived from described columns."""
    known = {column.name for column in product.request.columns} | set(product.derive)
    for lookup, names in product.lookup_names.items():
        table = product.contract.table(product.lookup_source(lookup))
        known |= {name for source, name in names.items() if table is not None and table.column(source)}
    return [feature.name for feature in product.features if feature.name not in known]


def broken_row_control(product: Product, sample: pl.DataFrame, at: datetime) -> str:
    """What happened to a good row and to the same row without its key, in words; "" unless only the second fell.

    The rows are checked in memory; nothing is stored.
    """
    if sample.is_empty():
        return ""
    table = _narrowed(product.request, sample)
    good = sample.head(1).select(column.name for column in table.columns)
    broken = good.with_columns(pl.lit(None).cast(good.schema[product.key]).alias(product.key))
    version = product.contract.version
    try:
        kept = check_table(table, good, contract_version=version, at=at).kept.height
        fallen = check_table(table, broken, contract_version=version, at=at)
    except SeatrialError:
        return ""
    if kept != 1 or fallen.kept.height:
        return ""
    return (
        f"a recorded row passed; without its {product.key} it was put aside ({fallen.quarantined['rule'][0]})"
    )


def _narrowed(table: TableContract, sample: pl.DataFrame) -> TableContract:
    """The contract on the sample's columns, rule by rule of the columns alone."""
    columns = tuple(column for column in table.columns if column.name in sample.columns)
    return TableContract(name=table.name, columns=columns, minimum_rows=0, stop_above=1.0)


def d2_features(evidence: Evidence) -> TestResult:
    """D2: the importance of every input of the model, recorded in training; inputs without any are named."""
    model = evidence.model
    if model is None or not model.importances:
        return D2.absent("No importances were recorded in training.")
    unmeasured = [name for name in model.features if name not in model.importances]
    if unmeasured:
        return D2.absent(f"Importances are missing for {', '.join(unmeasured)}.")
    idle = [name for name in model.features if model.importances[name] <= 0]
    ranked = sorted(model.importances, key=lambda name: -model.importances[name])
    first = f"most useful: {', '.join(ranked[:3])}"
    rest = f"without gain: {', '.join(idle)}" if idle else "none without gain"
    words = f"Importances of {len(model.features)} features recorded in training; {first}; {rest}"
    return D2.mark(Proof(words, model.trained_at), evidence.now)


def d3_feature_cost(evidence: Evidence) -> TestResult:
    """D3: not measured in this version."""
    return D3.absent(f"The cost of the {len(evidence.product.features)} features is not metered.")


def d4_feature_policy(evidence: Evidence) -> TestResult:
    """D4: no policy is enforced in this version, whatever the contract classifies."""
    columns = evidence.product.request.columns
    classified = sum(column.classification is not None for column in columns)
    return D4.absent(
        f"{classified} of {len(columns)} request columns are classified, and no training was refused by it."
    )


def d5_privacy(_: Evidence) -> TestResult:
    """D5: no privacy control is executed in this version."""
    return D5.absent("No scan for personal data, no deletion by retention and no erasure test was run.")


def d6_lead_time(_: Evidence) -> TestResult:
    """D6: lead times are not recorded in this version."""
    return D6.absent("The time from a feature's first commit to serving was not recorded.")


def d7_feature_code(_: Evidence) -> TestResult:
    """D7: results of the sources' own tests are not recorded in this version."""
    return D7.absent("No test run of the code behind the sources was recorded.")
