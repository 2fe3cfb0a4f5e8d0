"""Releases from their artifacts: verified, compiled and warm before any traffic reaches them."""

import logging
from collections.abc import Mapping

from seatrial.errors import IntegrityBroken
from seatrial.facts.lookups import PublishedLookup
from seatrial.facts.release import Release
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.runtime import Limits, Runtime
from seatrial.product.bundle import bundled_product
from seatrial.product.product import Product
from seatrial.serve.judging import NOT_A_NUMBER, judged
from seatrial.serve.loaded import LoadedRelease, Parts, assembled
from seatrial.serve.lookups import LookupIndexes
from seatrial.serve.ports import LookupStore, LookupTable
from seatrial.serve.sheets import PLAIN_ROWS, Columns, Recorded, Sheet, sheet

Published = Mapping[str, PublishedLookup]
_WARM_ROWS = 32
_log = logging.getLogger(__name__)


def load_release(
    release: Release,
    artifacts: Artifacts,
    runtime: Runtime,
    *,
    published: Published | None = None,
    store: LookupStore | None = None,
    recorded: Recorded | None = None,
) -> LoadedRelease:
    """The release, loaded and warm: by `recorded` rows, columns of physical values that were answered lately.

    `store` keeps lookup tables and lets releases share them; by default in memory.

    Lookups read their `published` table, the newest; where there is none, or where it lacks a column that this
    release reads, the one in the bundle.

    Raises NotFound or IntegrityBroken when a part is missing or altered, StorageFailed when a lookup table cannot
    be kept, TrainingFailed when the package does not load, ProductFileInvalid when the product has no objective.
    """
    product = bundled_product(release.bundle, artifacts)
    _ = product.objective  # nothing can be decided without one: better said here than on the first request
    lookups = open_lookups(release, product, published or {}, store or LookupIndexes(artifacts))
    asked = product.file.serve.model
    limits = Limits(timeout_seconds=asked.timeout, memory_bytes=asked.memory)
    scorer = runtime.load(artifacts.get(release.bundle.model_artifact), limits)
    try:
        loaded = assembled(release, product, scorer, lookups, parts_of(published or {}))
        warm_up(loaded, recorded)
    except BaseException:
        scorer.close()
        raise
    return loaded


def parts_of(published: Published) -> Parts:
    """The parts of each published table; equal when nothing changed."""
    return {name: one.parts for name, one in published.items()}


def open_lookups(
    release: Release, product: Product, published: Published, store: LookupStore
) -> dict[str, LookupTable]:
    """The table of every lookup that the release reads. Raises IntegrityBroken when one is nowhere, and as above."""
    return {name: _opened(release, product, name, published, store) for name in product.lookup_names}


def warm_up(loaded: LoadedRelease, recorded: Recorded | None) -> None:
    """Runs every part, on recorded rows as far as they fit, one at a time and together, else on empty ones.

    A model that cannot take those still serves, by its fallback.
    """
    # Values of another contract may have other types: a name alone says nothing.
    fits = recorded is not None and all(
        recorded.schema.get(name) == dtype for name, dtype in loaded.schema.items()
    )
    columns: Columns = dict.fromkeys(loaded.schema, (None, None))
    if fits and recorded is not None:
        columns = recorded.columns
    rows = min(_WARM_ROWS, len(columns[loaded.product.key]))
    _ = _repeated(loaded, columns, rows, PLAIN_ROWS + 1).baselines  # the way of large batches
    for count in (1, rows):
        verdicts = judged(loaded, _repeated(loaded, columns, rows, count), loaded.scorer.score)
        # A model may well have no number for rows of nulls; one that raises will hardly have any for others.
        if verdicts.failure not in (None, NOT_A_NUMBER):
            kind = "recorded" if fits else "empty"
            _log.warning(
                "release %s could not score %s rows when it was loaded: %s", loaded.id, kind, verdicts.failure
            )
            return


def _repeated(loaded: LoadedRelease, columns: Columns, rows: int, count: int) -> Sheet:
    """A sheet of `count` rows, the first `rows` again and again."""
    part = {name: [columns[name][at % rows] for at in range(count)] for name in loaded.schema}
    return sheet(loaded, part, count)


def _opened(
    release: Release, product: Product, name: str, published: Published, store: LookupStore
) -> LookupTable:
    lookup, columns = product.lookup(name), tuple(product.lookup_names[name].values())
    bundled = release.bundle.lookups.get(name)
    newest = published.get(name)
    if newest is not None and newest.on == lookup.on:
        table = store.open(name, newest, lookup, columns)
        if table is not None:
            return table
    if newest is not None:
        _log.warning("lookup %s: table %s was made for another product file; left out", name, newest.base)
    if bundled is not None:
        table = store.open(name, PublishedLookup(on=lookup.on, base=bundled), lookup, columns)
        if table is not None:
            return table
    raise IntegrityBroken(f"bundle {release.bundle.id}: no table for lookup {name}; release again")
