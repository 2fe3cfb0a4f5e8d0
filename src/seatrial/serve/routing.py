"""Which release answers a unit: a sticky hash, so that a unit stays where it is while the share only grows."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from seatrial.facts.prediction import Variant
from seatrial.facts.release import Phase
from seatrial.serve.loaded import LoadedRelease

_SPACE = 2.0**64


@dataclass(frozen=True)
class Routes:
    """The live release, and the challenger beside it. `share` in [0, 1] is the canary's; `salt` shuffles units.

    `holdout` is the share of units that get the baseline's decision, whatever the model says.
    """

    live: LoadedRelease
    challenger: LoadedRelease | None = None
    share: float = 0.0
    salt: str = ""
    holdout: float = 0.0

    @classmethod
    def of(cls, live: LoadedRelease, challenger: LoadedRelease | None = None) -> "Routes":
        """The routes of releases in their present phases: only a canary gets a share of the answers."""
        holdout = live.product.objective.section.holdout
        if challenger is None:
            return cls(live, holdout=holdout)
        release = challenger.release
        share = release.share if release.phase == Phase.CANARY else 0.0
        # Salted by the release, so that the next canary is not tried on the same units again.
        return cls(live, challenger, share, release.id, holdout)

    @property
    def releases(self) -> tuple[LoadedRelease, ...]:
        """The releases that score rows, the live one first."""
        return (self.live,) if self.challenger is None else (self.live, self.challenger)

    @cached_property
    def bounded(self) -> bool:
        """Whether all models answer in bounded time."""
        return not any(loaded.scorer.isolated for loaded in self.releases)

    @cached_property
    def randomises(self) -> bool:
        """Whether units are assigned to anything but the live release."""
        return self.share > 0 or self.holdout > 0

    def assigned(self, unit: str) -> Variant:
        """Who is to answer the unit: the same for the same unit, whichever process asks."""
        # The holdout's salt is the product's, so that its units stay the same from release to release.
        if place(unit, self.live.product.name) < self.holdout:
            return Variant.HOLDOUT
        return Variant.CANARY if place(unit, self.salt) < self.share else Variant.LIVE

    def propensity(self, assigned: Variant) -> float:
        """The probability of the assigned variant, in (0, 1]."""
        if assigned == Variant.HOLDOUT:
            return self.holdout
        among_the_rest = self.share if assigned == Variant.CANARY else 1.0 - self.share
        return (1.0 - self.holdout) * among_the_rest


def place(unit: str, salt: str) -> float:
    """The unit's fixed place in [0, 1) under a salt.

    A variant takes the places below its share: raising the share moves units to it and none away from it.
    """
    digest = blake2b(f"{len(salt)}:{salt}{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _SPACE
