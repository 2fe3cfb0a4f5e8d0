"""Which release answers a unit: a sticky hash, so that a unit stays where it is while the share only grows."""

from dataclasses import dataclass
from hashlib import blake2b

from seatrial.facts.prediction import Variant
from seatrial.facts.release import Phase
from seatrial.serve.loaded import LoadedRelease

_SPACE = 2.0**64


@dataclass(frozen=True)
class Routes:
    """The live release, and the challenger beside it. `share` in [0, 1] is the canary's; `salt` shuffles units."""

    live: LoadedRelease
    challenger: LoadedRelease | None = None
    share: float = 0.0
    salt: str = ""

    @classmethod
    def of(cls, live: LoadedRelease, challenger: LoadedRelease | None = None) -> "Routes":
        """The routes of releases in their present phases: only a canary gets a share of the answers."""
        if challenger is None:
            return cls(live)
        release = challenger.release
        share = release.share if release.phase == Phase.CANARY else 0.0
        # Salted by the release, so that the next canary is not tried on the same units again.
        return cls(live, challenger, share, release.id)

    @property
    def releases(self) -> tuple[LoadedRelease, ...]:
        """The releases that score every row, the live one first."""
        return (self.live,) if self.challenger is None else (self.live, self.challenger)


def assign(unit: str, salt: str, share: float) -> Variant:
    """Canary for a `share` of all units, else live: the same for the same unit and salt.

    The unit's place in [0, 1) is fixed, and the canary takes the places below `share`: raising the share
    moves units to the canary and none away from it.
    """
    if share <= 0:
        return Variant.LIVE
    digest = blake2b(f"{len(salt)}:{salt}{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return Variant.CANARY if int.from_bytes(digest, "big") / _SPACE < share else Variant.LIVE


def propensity(assigned: Variant, share: float) -> float:
    """The probability of the assigned variant, in (0, 1]."""
    return share if assigned == Variant.CANARY else 1.0 - share
