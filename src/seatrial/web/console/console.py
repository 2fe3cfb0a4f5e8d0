"""What the console is given: a workspace to read, and the few acts that a person may ask for."""

from collections.abc import Callable
from dataclasses import dataclass

from seatrial.facts.release import Release
from seatrial.facts.statement import Statement
from seatrial.ports.workspace import Workspace
from seatrial.web.hosts import LOOPBACK
from seatrial.web.token_table import TokenTable


@dataclass(frozen=True)
class Console:
    """The console's surroundings.

    `statement` gives a product's statement, or None before anything is booked. `roll_back(product, why, actor)`
    takes the live release back and returns the one that is live then; `approve(product, release, actor)` lets a
    release that asks for it go live. Without an act, its form is not shown. With `tokens`, whoever comes must show
    one for operating. Without, requests for other `hosts` are refused, so that no foreign name that resolves to this
    machine can reach the console from a browser.
    """

    workspace: Workspace
    statement: Callable[[str], Statement | None]
    roll_back: Callable[[str, str, str], Release] | None = None
    approve: Callable[[str, str, str], object] | None = None
    hosts: tuple[str, ...] = LOOPBACK
    tokens: TokenTable | None = None
