"""Releases from their artifacts: verified, compiled and warm before any traffic reaches them."""

import logging
from collections.abc import Mapping, MutableMapping

from seatrial.errors import IntegrityBroken
from seatrial.facts.release import Bundle, Release
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.runtime import Runtime
from seatrial.product.bundle import bundled_product
from seatrial.product.lookup_files import from_bytes
from seatrial.product.lookups import LookupIndex
from seatrial.product.product import Product
from seatrial.serve.frames import sheet
from seatrial.serve.judging import NOT_A_NUMBER, judged
from seatrial.serve.loaded import LoadedRelease, assembled

LookupIndexes = MutableMapping[tuple[str, str], LookupIndex]
_log = logging.getLogger(__name__)


def load_release(
    release: Release,
    artifacts: Artifacts,
    runtime: Runtime,
    *,
    published: Mapping[str, str] | None = None,
    indexes: LookupIndexes | None = None,
) -> LoadedRelease:
    """The release, loaded and warm. `indexes` lets releases with the same lookup tables share them.

    Lookups read their `published` table, the newest; where there is none, or where it lacks a column that this
    release reads, the one in the bundle.

    Raises NotFound or IntegrityBroken when a part is missing or altered, TrainingFailed when the package does
    not load, ProductFileInvalid when the product has no objective to decide by.
    """
    product = bundled_product(release.bundle, artifacts)
    _ = product.objective  # nothing can be decided without one: better said here than on the first request
    known = {} if indexes is None else indexes
    lookups = {
        name: _index(product, name, release.bundle, published or {}, artifacts, known)
        for name in product.lookup_names
    }
    scorer = runtime.load(artifacts.get(release.bundle.model_artifact))
    loaded = assembled(release, product, scorer, lookups, published)
    warm_up(loaded)
    return loaded


def warm_up(loaded: LoadedRelease) -> None:
    """Runs every part once, on empty rows. A model that cannot take those still serves, by its fallback."""
    empty = sheet(loaded, [{}, {}])
    verdicts = judged(loaded, empty, loaded.scorer.score)
    # A model may well have no number for rows of nulls; one that raises will hardly have any for others.
    if verdicts.failure not in (None, NOT_A_NUMBER):
        _log.warning(
            "release %s could not score empty rows when it was loaded: %s", loaded.id, verdicts.failure
        )


def _index(
    product: Product,
    name: str,
    bundle: Bundle,
    published: Mapping[str, str],
    artifacts: Artifacts,
    indexes: LookupIndexes,
) -> LookupIndex:
    for digest in filter(None, (published.get(name), bundle.lookups.get(name))):
        place = (digest, product.lookup(name).model_dump_json())
        if place in indexes:
            return indexes[place]
        table = from_bytes(artifacts.get(digest))
        if set(product.lookup_names[name].values()) <= set(table.columns):
            indexes[place] = index = LookupIndex(table, product.lookup(name))
            return index
        _log.warning("lookup %s: table %s was made for another product file; it is left out", name, digest)
    raise IntegrityBroken(f"bundle {bundle.id}: no table for lookup {name}; release again")
