"""What runs a packaged model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


class Inputs(Protocol):
    """A model's inputs by the names of features: text (missing is "") or float32 (missing is NaN)."""

    def __getitem__(self, name: str, /) -> npt.NDArray[Any]:
        """One feature, of shape (n_rows, 1)."""
        ...

    def __contains__(self, name: object, /) -> bool:
        """Whether there is such a feature."""
        ...

    def __iter__(self) -> Iterator[str]:
        """The names."""
        ...

    def matrix(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Features that are numbers, side by side: shape (n_rows, len(names)), row after row in memory.

        Raises KeyError when a feature is not there.
        """
        ...


class Scorer(Protocol):
    """A loaded model. Safe to call from several threads.

    `isolated` says that it runs in a process of its own, and may therefore take any time, crash or hang; what is
    not isolated answers in bounded time, and may run where requests are read.
    """

    @property
    def isolated(self) -> bool:
        """Whether it runs in a process of its own."""
        ...

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        """Probabilities of the outcome, of shape (n_rows,).

        Raises ModelFailed when an isolated model crashed, ran into its memory limit, or took longer than its timeout;
        at once while its process is being started again.
        """
        ...

    def close(self) -> None:
        """Let go of its process, if it has one. A no-op when that was done."""
        ...


@runtime_checkable
class Restarting(Protocol):
    """A scorer whose process is started again when it ends."""

    @property
    def restarts(self) -> int:
        """How many processes came up in the place of others, since it was loaded."""
        ...


@dataclass(frozen=True)
class Limits:
    """What an isolated model may use: seconds that one call may take, and bytes of memory (0 is no limit)."""

    timeout_seconds: float = 5.0
    memory_bytes: int = 0


class Runtime(Protocol):
    """Loads packages."""

    def load(self, package: bytes, limits: Limits | None = None) -> Scorer:
        """The model in the package; `limits` hold for models that run isolated.

        Raises TrainingFailed when the bytes are not a model that it can run.
        """
        ...
