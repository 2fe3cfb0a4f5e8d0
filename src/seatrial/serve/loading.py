"""Releases from their artifacts: verified, compiled and warm before any traffic reaches them."""

import logging
from collections.abc import MutableMapping

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
    release: Release, artifacts: Artifacts, runtime: Runtime, *, indexes: LookupIndexes | None = None
) -> LoadedRelease:
    """The release, loaded and warm. `indexes` lets releases with the same lookup tables share them.

    Raises NotFound or IntegrityBroken when a part is missing or altered, TrainingFailed when the package does
    not load, ProductFileInvalid when the product has no objective to decide by.
    """
    product = bundled_product(release.bundle, artifacts)
    _ = product.objective  # nothing can be decided without one: better said here than on the first request
    lookups = _lookups(product, release.bundle, artifacts, {} if indexes is None else indexes)
    scorer = runtime.load(artifacts.get(release.bundle.model_artifact))
    loaded = assembled(release, product, scorer, lookups)
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


def _lookups(
    product: Product, bundle: Bundle, artifacts: Artifacts, indexes: LookupIndexes
) -> dict[str, LookupIndex]:
    missing = sorted(product.lookup_names.keys() - bundle.lookups.keys())
    if missing:
        raise IntegrityBroken(f"bundle {bundle.id}: no table for lookup {', '.join(missing)}; release again")
    return {
        name: _index(product, name, bundle.lookups[name], artifacts, indexes) for name in product.lookup_names
    }


def _index(
    product: Product, name: str, digest: str, artifacts: Artifacts, indexes: LookupIndexes
) -> LookupIndex:
    declaration = product.lookup(name)
    place = (digest, declaration.model_dump_json())
    index = indexes.get(place)
    if index is None:
        index = indexes[place] = LookupIndex(from_bytes(artifacts.get(digest)), declaration)
    return index
