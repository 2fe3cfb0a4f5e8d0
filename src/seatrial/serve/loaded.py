"""A release in memory, with all that answering needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.types import polars_type
from seatrial.facts.release import Release
from seatrial.ports.runtime import Scorer
from seatrial.product.features import Feature
from seatrial.product.product import Product
from seatrial.serve.plan import Plan, plan
from seatrial.serve.ports import LookupTable

Parts = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class LoadedRelease:
    """A release, its parts compiled. `lookups` are by name; `schema` types the columns of a request.

    `published` are the parts of the newest lookup tables that were known when it was loaded. `plan` computes the
    product's expressions without Polars, where that can be. `whole` are the features that are whole numbers.
    `recorded` are the columns that go to the journal, all but moments; `dates` those of them that are dates.
    `key_place` is where a row of the decoder has its key.
    """

    release: Release
    product: Product
    scorer: Scorer
    lookups: Mapping[str, LookupTable]
    decoder: RowDecoder
    schema: dict[str, Any]
    published: Parts
    plan: Plan | None
    features: Mapping[str, Feature]
    whole: frozenset[str]
    recorded: tuple[str, ...]
    dates: tuple[str, ...]
    key_place: int
    key_is_required: bool

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
    columns, key = product.request_columns, product.request.column(product.key)
    recorded = {name: kind for name, kind in product.columns.items() if kind != "timestamp"}
    return LoadedRelease(
        release=release,
        product=product,
        scorer=scorer,
        lookups=lookups,
        decoder=RowDecoder(product.request, columns),
        schema={name: polars_type(product.columns[name]) for name in columns},
        published=published or {},
        plan=plan(product),
        features={feature.name: feature for feature in product.features},
        whole=frozenset(feature.name for feature in product.features if feature.type == "int"),
        recorded=tuple(recorded),
        dates=tuple(name for name, kind in recorded.items() if kind == "date"),
        key_place=columns.index(product.key),
        key_is_required=key is not None and key.required,
    )
