"""What artifacts hold of a value: lookup tables in front of servers and in bundles, and profiles."""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import polars as pl

from seatrial.contract.profile import from_json, quantile, to_json
from seatrial.cycle.publish import publish
from seatrial.data.erasure import text_of
from seatrial.data.sought import Sought
from seatrial.facts.load import Load
from seatrial.facts.lookups import CURRENT, LookupTables
from seatrial.facts.model import Model
from seatrial.facts.profile import ColumnProfile, TableProfile
from seatrial.facts.release import Release
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.lookup_files import from_bytes, published_table, to_bytes

_PARQUET = b"PAR1"
_LARGEST = sys.float_info.max


def holding(workspace: Workspace, sought: Sought) -> frozenset[str]:
    """The artifacts that hold the value: those of the product, and those that nothing refers to any more."""
    with workspace.metadata.begin() as transaction:
        own = set(_referred(transaction, sought.product.name))
        all_own = set(_referred(transaction, None))
    left = {digest for digest in workspace.artifacts.digests() if digest not in all_own}
    return frozenset(one for one in own | left if _holds(workspace.artifacts, one, sought))


def erase_from_artifacts(workspace: Workspace, sought: Sought, found: frozenset[str], at: datetime) -> None:
    """Put tables and profiles without the value in the place of those that hold it, then delete these."""
    _publish_without(workspace, sought, found, at)
    with workspace.metadata.begin() as transaction:
        for release in transaction.all(Release, sought.product.name):
            if found.intersection(release.bundle.lookups.values()):
                transaction.put(_release_without(workspace.artifacts, sought, found, release))
        name = sought.product.name
        facts: list[Load | Snapshot] = [*transaction.all(Load, name), *transaction.all(Snapshot, name)]
        for fact in facts:
            if fact.profile in found:
                transaction.put(_profiled_without(workspace.artifacts, sought, fact))
        still = set(_referred(transaction, None))
    for digest in found - still:
        workspace.artifacts.delete(digest)


def _referred(transaction: Transaction, product: str | None) -> Iterator[str]:
    """The artifacts that facts of a product name, or of all products."""
    for published in transaction.all(LookupTables, product):
        yield from (part for one in published.lookups.values() for part in one.parts)
    for release in transaction.all(Release, product):
        bundle = release.bundle
        yield from (bundle.model_artifact, bundle.product_file, bundle.contract, *bundle.lookups.values())
    for model in transaction.all(Model, product):
        yield from (model.artifact, model.reference, model.card)
    for load in transaction.all(Load, product):
        yield from (load.profile, load.contract)
    yield from (snapshot.profile for snapshot in transaction.all(Snapshot, product))


def _holds(artifacts: Artifacts, digest: str, sought: Sought) -> bool:
    if not digest or not artifacts.has(digest):
        return False
    body = artifacts.get(digest)
    if body.startswith(_PARQUET):
        table = pl.read_parquet(io.BytesIO(body))
        return bool((sought.in_lookup(table) | sought.in_examples(table)).any())
    profile = _profile(body)
    return profile is not None and _forgotten(profile, sought) != profile


def _profile(body: bytes) -> TableProfile | None:
    """The profile that an artifact is, or None: texts, packages and references are none."""
    if not body.startswith(b"{"):
        return None
    try:
        return from_json(body)
    except msgspec.DecodeError:
        return None


def _publish_without(workspace: Workspace, sought: Sought, found: frozenset[str], at: datetime) -> None:
    with workspace.metadata.begin() as transaction:
        published = transaction.get(LookupTables, sought.product.name, CURRENT)
    if published is None or not any(found.intersection(one.parts) for one in published.lookups.values()):
        return
    tables = {name: published_table(one, workspace.artifacts) for name, one in published.lookups.items()}
    left = {name: table.filter(~sought.in_lookup(table)) for name, table in tables.items()}
    # Whole tables: an increment would tell servers which key it removes.
    publish(workspace, sought.product, left, at=at, whole=True)


def _release_without(
    artifacts: Artifacts, sought: Sought, found: frozenset[str], release: Release
) -> Release:
    lookups = {
        name: _table_without(artifacts, sought, digest) if digest in found else digest
        for name, digest in release.bundle.lookups.items()
    }
    bundle = msgspec.structs.replace(release.bundle, lookups=lookups)
    return msgspec.structs.replace(release, bundle=bundle)


def _table_without(artifacts: Artifacts, sought: Sought, digest: str) -> str:
    table = from_bytes(artifacts.get(digest))
    return artifacts.put(to_bytes(table.filter(~sought.in_lookup(table))))


def _profiled_without(artifacts: Artifacts, sought: Sought, fact: Load | Snapshot) -> Load | Snapshot:
    profile = from_json(artifacts.get(fact.profile))
    return msgspec.structs.replace(fact, profile=artifacts.put(to_json(_forgotten(profile, sought))))


def _forgotten(profile: TableProfile, sought: Sought) -> TableProfile:
    tables = sought.product.contract.tables
    today = sought.made.union(*([column.name for column in table.columns] for table in tables))
    reached = {*sought.reach.examples}.union(*sought.reach.sources.values())
    columns = tuple(
        _column(one, sought) if one.name in reached or one.name not in today else one
        for one in profile.columns
    )
    return msgspec.structs.replace(profile, columns=columns)


def _column(column: ColumnProfile, sought: Sought) -> ColumnProfile:
    """The counts without the value's own: a text counts among the others, an extreme becomes that of its bin."""
    top = {text: count for text, count in column.top.items() if text.strip() not in sought.written}
    others = column.others + sum(column.top.values()) - sum(top.values())
    blurred = msgspec.structs.replace(column, top=top, others=others)
    if _is_sought(column, column.minimum, sought):
        lowest = quantile(msgspec.structs.replace(column, minimum=-_LARGEST, maximum=_LARGEST), 0.0)
        blurred = msgspec.structs.replace(blurred, minimum=lowest)
    if _is_sought(column, column.maximum, sought):
        highest = quantile(msgspec.structs.replace(column, minimum=-_LARGEST, maximum=_LARGEST), 1.0)
        blurred = msgspec.structs.replace(blurred, maximum=highest)
    return blurred


def _is_sought(column: ColumnProfile, number: float | None, sought: Sought) -> bool:
    if number is None:
        return False
    value = datetime.fromtimestamp(number, UTC) if column.type == "timestamp" else number
    return text_of(value) in sought.written
