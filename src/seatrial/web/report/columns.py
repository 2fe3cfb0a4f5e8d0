"""The columns of the newest examples beside what they were before and what the model learnt from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seatrial.contract.profile import distance, noise
from seatrial.data.comparison import categories_changed
from seatrial.data.origins import DERIVED, LOOKED_UP, Origin, column_origins
from seatrial.data.profiles import (
    TIMES,
    Bar,
    added_profile,
    bars,
    gained,
    missing_share,
    summarised,
)
from seatrial.facts.load import Load
from seatrial.facts.model import Model
from seatrial.facts.profile import ColumnProfile, TableProfile
from seatrial.product.hidden import hidden_in_examples
from seatrial.product.product import Product
from seatrial.web.report.readings import readings
from seatrial.web.report.views import ColumnView, Point
from seatrial.web.report.words import share


@dataclass(frozen=True)
class Profiles:
    """The profiles of the newest snapshot, the one before, and the one that the model learnt from."""

    newest: TableProfile
    before: TableProfile | None
    learnt: TableProfile | None

    @property
    def fresh(self) -> TableProfile | None:
        """The profile of what came since the snapshot before, where it can be told."""
        return added_profile(self.newest, self.before) if self.before else None


@dataclass(frozen=True)
class Columns:
    """What is needed to tell of columns: where they come from, and the profiles of the loads that brought them."""

    product: Product
    model: Model | None
    loads: Mapping[str, Sequence[Load]]
    profile: Callable[[str], TableProfile | None]

    def views(self, profiles: Profiles) -> Iterator[ColumnView]:
        """Every column, the most changed first; features before the others."""
        # What came since the snapshot before tells more than all of history with it.
        told = profiles.fresh or profiles.newest
        views = [self._view(column, profiles) for column in told.columns]
        yield from sorted(views, key=lambda view: (-view.distance, not view.feature, view.summary.name))

    def _view(self, now: ColumnProfile, profiles: Profiles) -> ColumnView:
        name = now.name
        previous = profiles.before.column(name) if profiles.before else None
        reference = profiles.learnt.column(name) if profiles.learnt else None
        old = reference or previous
        hidden = name in hidden_in_examples(self.product)
        # A time moves on by itself: only where a model reads it is that worth a number.
        moves = self._is_feature(name) or now.type not in TIMES
        appeared, vanished = categories_changed(old, now) if old and not hidden else ((), ())
        return ColumnView(
            summary=summarised(now, hidden=hidden),
            was=summarised(old, hidden=hidden) if old else None,
            origin=self._origin_words(name),
            feature=self._is_feature(name),
            importance=self.model.importances.get(name) if self.model else None,
            from_previous=distance(previous, now) if previous and moves else None,
            from_reference=distance(reference, now) if reference and moves else None,
            noise=max((noise(one, now) for one in (previous, reference) if one), default=1.0),
            budget=self._budget(name),
            bars=() if hidden else _beside(now, previous, reference),
            missing=tuple(self._missing(name)),
            missing_words=_missing_words(now, old),
            appeared=appeared,
            vanished=vanished,
        )

    def _is_feature(self, name: str) -> bool:
        """Whether the model reads it, or will, if there is none yet."""
        if self.model is not None:
            return name in self.model.features
        return any(feature.name == name for feature in self.product.features)

    def _origin(self, column: str) -> Origin | None:
        return next(iter(column_origins(self.product).get(column, ())), None)

    def _origin_words(self, column: str) -> str:
        origin = self._origin(column)
        if origin is None:
            return ""
        if origin.how == DERIVED:
            return f"derived: {origin.told}"
        looked_up = ", looked up" if origin.how == LOOKED_UP else ""
        return f"{origin.source}.{origin.column}{looked_up}"

    def _budget(self, column: str) -> float | None:
        """The drift that the contract allows where the column comes from."""
        origin = self._origin(column)
        table = self.product.contract.table(origin.source) if origin and origin.how != DERIVED else None
        found = table.column(origin.column) if table and origin else None
        return found.drift_budget if found else None

    def _missing(self, column: str) -> Iterator[Point]:
        """The share of missing values among what each reading of its source brought."""
        origin = self._origin(column)
        if origin is None or origin.how == DERIVED:
            return
        before: ColumnProfile | None = None
        for reading in readings(self.loads.get(origin.source, ())):
            now = self._column_at(reading[-1], origin.column)
            if now is None:
                continue
            grew = not any(load.whole or load.removed for load in reading)
            brought = gained(now, before) if before and grew else now
            if brought.rows:
                yield Point(at=reading[-1].read_at, value=missing_share(brought), note=reading[-1].id)
            before = now

    def _column_at(self, load: Load, column: str) -> ColumnProfile | None:
        profile = self.profile(load.profile)
        return profile.column(column) if profile else None


def _beside(
    now: ColumnProfile, previous: ColumnProfile | None, reference: ColumnProfile | None
) -> tuple[tuple[Bar, ...], ...]:
    """The bars of all three over the same stretches; none for what is not there."""
    drawn = iter(bars([one for one in (now, previous, reference) if one is not None]))
    return tuple(next(drawn) if one is not None else () for one in (now, previous, reference))


def _missing_words(now: ColumnProfile, before: ColumnProfile | None) -> str:
    new = missing_share(now)
    if before is None or abs(new - missing_share(before)) < 0.0005:
        return f"{share(new)} missing" if new else "none missing"
    return f"{share(new)} missing, {share(missing_share(before))} before"
