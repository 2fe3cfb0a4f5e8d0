"""Which release answers which row of a micro-batch, and what is left to be judged beside the answers."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seatrial.facts.prediction import Variant
from seatrial.serve.counters import Counters
from seatrial.serve.ejection import Call
from seatrial.serve.judging import NoScoresError, Verdicts, unjudged
from seatrial.serve.lane import Lane
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.mishaps import loggable
from seatrial.serve.routing import Routes
from seatrial.serve.sheets import Sheet, taken

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of the batch that one release judged: their places (None: all of them), its sheet of them, its verdicts.

    `sheet` is None where the release could not read the rows; `seconds` is what judging took.
    """

    loaded: LoadedRelease
    sheet: Sheet | None
    places: Sequence[int] | None
    verdicts: Verdicts
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Roles:
    """Who was to answer each row, who did, and the probability of the first."""

    assigned: Sequence[Variant]
    served: Sequence[Variant]
    propensities: Sequence[float]

    def taken(self, places: Sequence[int]) -> "Roles":
        """The roles of the rows at some places."""
        return Roles(
            [self.assigned[at] for at in places],
            [self.served[at] for at in places],
            [self.propensities[at] for at in places],
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """What every row is answered, by whom; `parts` hold the answers by release, `shadows` what else was judged.

    `beside` are rows that a release has still to judge: they are answered without it. `trial` is how
    a canary did that was asked to answer.
    """

    verdicts: Verdicts
    releases: Sequence[str]
    roles: Roles
    parts: Sequence[Part]
    shadows: Sequence[Part]
    beside: Sequence[tuple[Lane, Sequence[int] | None]]
    trial: Call | None = None


def rule(
    routes: Routes,
    lanes: Sequence[Lane],
    sheet: Sheet,
    keys: Sequence[str],
    counters: Counters,
    budget: float | None,
) -> Ruling:
    """The ruling on the rows; `lanes` are those of `routes.releases`."""
    live, *others = lanes
    if not routes.randomises:
        verdicts, n = live.judge(sheet, budget), sheet.rows
        all_live = [Variant.LIVE] * n
        roles = Roles(all_live, all_live, [1.0] * n)
        part = Part(live.loaded, sheet, None, verdicts)
        beside = [(lane, None) for lane in others]
        return Ruling(verdicts, [live.loaded.id] * n, roles, [part], [], beside)
    assigned = [routes.assigned(key) for key in keys]
    ruling = _randomised(routes, lanes, sheet, assigned, budget)
    for part in ruling.shadows:
        counters.diverted.update((part.loaded.id, str(reason)) for reason in part.verdicts.fallbacks)
    return ruling


def judge_beside(lane: Lane, live: Sheet, counters: Counters, budget: float | None) -> Part:
    """A release's verdicts on rows that were answered without it; whatever goes wrong with it stays with it."""
    part = _judged(lane, live, None, budget, beside=True)
    if part.verdicts.failure is not None:
        counters.shadow_errors[lane.loaded.id] += 1
    return part


def _randomised(
    routes: Routes, lanes: Sequence[Lane], sheet: Sheet, assigned: Sequence[Variant], budget: float | None
) -> Ruling:
    live, *others = lanes
    tried = [at for at, variant in enumerate(assigned) if variant == Variant.CANARY]
    canary = _judged(others[0], taken(sheet, tried), tried, budget) if tried else None
    diverted = {} if canary is None else _reasons(canary)
    answered = frozenset(tried) - diverted.keys()
    rest = [at for at in range(sheet.rows) if at not in answered]
    parts = list(_answers(live, sheet, canary, sorted(answered), rest, budget))
    by_live = next((part for part in parts if part.loaded is live.loaded), None)
    verdicts, releases = _together(parts, sheet)
    served = [
        Variant.CANARY if at in answered else Variant.HOLDOUT if variant == Variant.HOLDOUT else Variant.LIVE
        for at, variant in enumerate(assigned)
    ]
    return Ruling(
        verdicts=_held_out(verdicts, served, sheet),
        releases=releases,
        roles=Roles(assigned, served, [routes.propensity(variant) for variant in assigned]),
        parts=[_part_held_out(part, served) for part in parts],
        shadows=[] if canary is None or not diverted else [_picked(canary, sorted(diverted))],
        beside=_beside(live, others, sheet.rows, tried, sorted(answered)),
        trial=None if canary is None else _trial(canary, len(diverted), by_live),
    )


def _trial(canary: Part, failed: int, by_live: Part | None) -> Call:
    rows = len(canary.verdicts.scores)
    if by_live is None:
        return Call(rows, failed, canary.seconds, 0, 0.0)
    return Call(rows, failed, canary.seconds, len(by_live.verdicts.scores), by_live.seconds)


def _beside(
    live: Lane, others: Sequence[Lane], rows: int, tried: Sequence[int], answered: Sequence[int]
) -> list[tuple[Lane, Sequence[int] | None]]:
    unseen = sorted(set(range(rows)).difference(tried))
    found: list[tuple[Lane, Sequence[int] | None]] = [(lane, unseen) for lane in others if unseen]
    return [*found, (live, answered)] if answered else found


def _answers(
    live: Lane,
    sheet: Sheet,
    canary: Part | None,
    answered: Sequence[int],
    rest: Sequence[int],
    budget: float | None,
) -> Iterator[Part]:
    """The canary's answers and the live release's."""
    if canary is not None and answered:
        yield _picked(canary, answered)
    if rest:
        own = sheet if len(rest) == sheet.rows else taken(sheet, rest)
        began = time.perf_counter()
        verdicts = live.judge(own, budget)
        yield Part(live.loaded, own, rest, verdicts, time.perf_counter() - began)


def _reasons(canary: Part) -> dict[int, str]:
    """Why the canary has no score, by place; such rows are left to the live release."""
    assert canary.places is not None
    return {
        at: why for at, why in zip(canary.places, canary.verdicts.fallbacks, strict=True) if why is not None
    }


def _judged(
    lane: Lane,
    live: Sheet,
    places: Sequence[int] | None,
    budget: float | None,
    *,
    beside: bool = False,
) -> Part:
    """A challenger's verdicts under its own product; it must not hurt the answer, whatever happens to it."""
    began = time.perf_counter()
    try:
        own = lane.sheet(live)
        _ = own.features, own.matured_at, own.baselines  # what cannot be computed must show here
        verdicts = lane.judge_beside(own, budget) if beside else lane.judge(own, budget)
    except NoScoresError as error:
        return Part(lane.loaded, None, places, unjudged(live, str(error)))
    except Exception as error:  # noqa: BLE001 - a challenger must not hurt the answer; counted and logged
        names, cause = (lane.loaded.id, live.loaded.id), loggable(error, lane.loaded.product)
        _log.error("release %s could not take rows of release %s", *names, exc_info=cause)
        return Part(lane.loaded, None, places, unjudged(live, f"rows raised {type(error).__name__}"))
    return Part(lane.loaded, own, places, verdicts, time.perf_counter() - began)


def _picked(part: Part, places: Sequence[int]) -> Part:
    """The rows of a part at some places of the batch."""
    assert part.places is not None
    if len(places) == len(part.places):
        return part
    offsets = [part.places.index(at) for at in places]
    own = None if part.sheet is None else taken(part.sheet, offsets)
    verdicts = part.verdicts
    return Part(
        part.loaded,
        own,
        places,
        Verdicts(
            [verdicts.scores[at] for at in offsets],
            [verdicts.decisions[at] for at in offsets],
            [verdicts.fallbacks[at] for at in offsets],
            verdicts.failure,
        ),
    )


def _together(parts: Sequence[Part], sheet: Sheet) -> tuple[Verdicts, list[str]]:
    """The answers of all parts in the order of the batch's rows, and who gave them."""
    scores: list[float | None] = [None] * sheet.rows
    decisions, releases = [False] * sheet.rows, [""] * sheet.rows
    fallbacks: list[str | None] = [None] * sheet.rows
    for part in parts:
        for offset, at in enumerate(part.places or ()):
            scores[at] = part.verdicts.scores[offset]
            decisions[at] = part.verdicts.decisions[offset]
            fallbacks[at] = part.verdicts.fallbacks[offset]
            releases[at] = part.loaded.id
    return Verdicts(scores, decisions, fallbacks, None), releases


def _held_out(verdicts: Verdicts, served: Sequence[Variant], sheet: Sheet) -> Verdicts:
    """Units held out get what would be done without a model; their score is kept."""
    if Variant.HOLDOUT not in served:
        return verdicts
    decisions = [
        usual if variant == Variant.HOLDOUT else decision
        for decision, usual, variant in zip(verdicts.decisions, sheet.baselines, served, strict=True)
    ]
    return Verdicts(verdicts.scores, decisions, verdicts.fallbacks, verdicts.failure)


def _part_held_out(part: Part, served: Sequence[Variant]) -> Part:
    if part.sheet is None or part.places is None:
        return part
    own = [served[at] for at in part.places]
    return Part(part.loaded, part.sheet, part.places, _held_out(part.verdicts, own, part.sheet))
