"""Calls tried again when what went wrong may pass."""

import itertools
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_LOG = logging.getLogger(__name__)
_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 30.0
T = TypeVar("T")


@dataclass(frozen=True)
class Retries:
    """How often a source is tried, and how it waits in between; `told` makes an error's text fit to be logged."""

    name: str
    attempts: int
    sleep: Callable[[float], None]
    told: Callable[[str], str]

    def call(self, attempt: Callable[[], T], may_pass: Callable[[Exception], bool]) -> T:
        """What `attempt` returns; it is tried again after an error that `may_pass`, up to `attempts` times in all."""
        for failures in itertools.count(1):
            try:
                return attempt()
            except Exception as error:  # noqa: BLE001 - raised again where it cannot pass
                self.pause(failures, error, may_pass)
        raise AssertionError("counting does not end")

    def pause(self, failures: int, error: Exception, may_pass: Callable[[Exception], bool]) -> None:
        """Wait after the nth failure in a row; raises the error when it cannot pass or was met `attempts` times.

        The waits double from half a second to half a minute, less a random part, so that many readers that
        failed together do not come back together.
        """
        if failures >= self.attempts or not may_pass(error):
            raise error
        longest = min(_FIRST_SECONDS * 2 ** (failures - 1), _LONGEST_SECONDS)
        seconds = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        reason = self.told(f"{type(error).__name__}: {error}")
        _LOG.warning(
            "source %s: attempt %d of %d failed, the next in %.1f s: %s",
            self.name, failures, self.attempts, seconds, reason,
        )  # fmt: skip
        self.sleep(seconds)


def connection_failed(error: Exception) -> bool:
    """Whether an error, or what caused it, is a connection that failed or took too long."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionError | TimeoutError):
            return True
        cause = cause.__cause__
    return False
