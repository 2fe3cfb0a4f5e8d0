"""A release in memory, with all that answering needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.types import polars_type
from seatrial.facts.release import Release
from seatrial.ports.runtime import Scorer
from seatrial.product.lookups import LookupIndex
from seatrial.product.product import Product


@dataclass(frozen=True)
class LoadedRelease:
    """A release, its parts compiled. `lookups` are by name; `schema` types the columns of a request.

    `published` are the newest lookup tables, by digest, that were known when it was loaded.
    """

    release: Release
    product: Product
    scorer: Scorer
    lookups: dict[str, LookupIndex]
    decoder: RowDecoder
    schema: dict[str, Any]
    published: Mapping[str, str]

    @property
    def id(self) -> str:
        """The release's id."""
        return self.release.id

    @property
    def threshold(self) -> float:
        """The operating point of the bundle."""
        return self.release.bundle.threshold

    def turned(self, release: Release) -> "LoadedRelease":
        """The same parts under the release's present phase and share."""
        return replace(self, release=release)


def assembled(
    release: Release,
    product: Product,
    scorer: Scorer,
    lookups: dict[str, LookupIndex],
    published: Mapping[str, str] | None = None,
) -> LoadedRelease:
    """The loaded release of parts that are in memory already."""
    columns = product.request_columns
    return LoadedRelease(
        release=release,
        product=product,
        scorer=scorer,
        lookups=lookups,
        decoder=RowDecoder(product.request, columns),
        schema={name: polars_type(product.columns[name]) for name in columns},
        published=dict(published or {}),
    )
