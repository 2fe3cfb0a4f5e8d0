"""A release in memory, with all that answering needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.types import polars_type
from seatrial.facts.release import Release
from seatrial.ports.runtime import Scorer
from seatrial.product.product import Product
from seatrial.serve.ports import LookupTable

Parts = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class LoadedRelease:
    """A release, its parts compiled. `lookups` are by name; `schema` types the columns of a request.

    `published` are the parts of the newest lookup tables that were known when it was loaded.
    """

    release: Release
    product: Product
    scorer: Scorer
    lookups: Mapping[str, LookupTable]
    decoder: RowDecoder
    schema: dict[str, Any]
    published: Parts

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

    def looking_up(self, lookups: Mapping[str, LookupTable], published: Parts) -> "LoadedRelease":
        """The same parts with newer lookup tables."""
        return replace(self, lookups=lookups, published=published)


def assembled(
    release: Release,
    product: Product,
    scorer: Scorer,
    lookups: Mapping[str, LookupTable],
    published: Parts | None = None,
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
        published=published or {},
    )
