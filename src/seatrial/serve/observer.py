"""Who wants to know what happens to single requests, which counters do not tell."""

from collections.abc import Sequence
from typing import Protocol

from seatrial.serve.request import Answers, Request


class Observer(Protocol):
    """Is told of each request: asked, then perhaps run, then told. Must not raise, and should be quick.

    Moments are seconds of `Serving.elapsed`.
    """

    def asked(self, product: str, request: Request, at: float) -> None:
        """A request begins to wait; called in its task."""
        ...

    def ran(self, requests: Sequence[Request], began: float, ended: float) -> None:
        """A micro-batch was answered; called in any thread."""
        ...

    def told(self, request: Request, answers: Answers | None, *, randomised: bool) -> None:
        """A request has its answers, or none; called in its task. `randomised`: variants were assigned by chance."""
        ...
