"""How often, how soon and within which budget a failed attempt is made again."""

import threading

import msgspec


class Retries(msgspec.Struct, frozen=True):
    """At most so many repetitions of one call, and the budget that all calls of a client share.

    The budget works as gRPC's retry throttling (proposal A6): it begins with `tokens`; a failed attempt takes one,
    a success gives `ratio` back, and nothing is repeated while it is half empty or less. A server in trouble is
    thus not buried under repetitions. Pauses grow from `first` seconds, doubling, to `longest`, each drawn evenly
    between nothing and its bound (full jitter).
    """

    at_most: int = 3
    tokens: float = 10.0
    ratio: float = 0.1
    first: float = 0.05
    longest: float = 2.0

    def pause(self, attempt: int, chance: float) -> float:
        """Seconds before the repetition after attempt number `attempt` (from 0); `chance` lies in [0, 1)."""
        return chance * min(self.longest, self.first * 2.0 ** min(attempt, 60))


RETRIES = Retries()


class Budget:
    """The tokens of one client; its calls may come from several threads."""

    def __init__(self, retries: Retries) -> None:
        self._full, self._ratio = retries.tokens, retries.ratio
        self._tokens = retries.tokens
        self._lock = threading.Lock()

    def failed(self) -> None:
        """An attempt failed in a way that a repetition might mend."""
        with self._lock:
            self._tokens = max(0.0, self._tokens - 1)

    def succeeded(self) -> None:
        """An attempt was answered."""
        with self._lock:
            self._tokens = min(self._full, self._tokens + self._ratio)

    @property
    def allows(self) -> bool:
        """Whether a failed attempt may be repeated now."""
        return self._tokens > self._full / 2
