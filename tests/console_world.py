"""A console over stores in memory, in which one product is live and another was only declared."""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette

from seatrial.facts.release import Release
from seatrial.facts.statement import Statement
from seatrial.ports.workspace import Workspace
from seatrial.readiness.score import run_readiness
from seatrial.release.phases import live_release, roll_back
from seatrial.web.console.app import build
from seatrial.web.console.console import Console
from seatrial.web.token_table import TokenTable
from seatrial.web.tokens import all_tokens, create_token
from tests import launched
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.tables import MemoryTables

DECLARED = "parcels"
KEPT_IN = "CONSOLE_FILE"


@dataclass
class World:
    """What stands behind the console; `approved` holds what was approved on it."""

    clock: MemoryClock = field(default_factory=lambda: MemoryClock(launched.NOW))
    approved: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metadata = MemoryMetadata(self.clock)

    def launch(self) -> "World":
        """The live product's facts, its readiness, and the declared one's only entry."""
        launched.fill(self.metadata, [run_readiness(launched.evidence())])
        with self.metadata.begin() as transaction:
            transaction.log(product=DECLARED, kind="product declared", subject=DECLARED, body={})
        return self

    def console(self, *, acts: bool = True, tokens: bool = False) -> Console:
        """The console over it; with `tokens`, whoever comes must show one of the store's."""
        workspace = Workspace(
            clock=self.clock,
            metadata=self.metadata,
            tables=MemoryTables(),
            artifacts=MemoryArtifacts(),
            journal=MemoryJournal(),
        )
        return Console(
            workspace,
            self._statement,
            roll_back=self._roll_back if acts else None,
            approve=self._approve if acts else None,
            tokens=self.table() if tokens else None,
        )

    def table(self) -> TokenTable:
        """The store's tokens, read."""
        table = TokenTable(lambda: all_tokens(self.metadata), self.clock.now)
        table.refresh()
        return table

    def token(self, name: str, *scopes: str, product: str = "", days: int | None = None) -> str:
        """The text of a new token."""
        now = self.clock.now()
        expires_at = None if days is None else now + timedelta(days=days)
        _, text = create_token(
            self.metadata,
            name=name,
            scopes=scopes,
            product=product,
            now=now,
            by="ada",
            expires_at=expires_at,
        )
        return text

    def live(self) -> Release:
        """The release that is live now."""
        with self.metadata.begin() as transaction:
            release = live_release(transaction, launched.NAME)
        assert release is not None
        return release

    def _statement(self, product: str) -> Statement | None:
        return launched.statement() if product == launched.NAME else None

    def _roll_back(self, product: str, why: str, actor: str) -> Release:
        with self.metadata.begin() as transaction:
            live = live_release(transaction, product)
            assert live is not None
            return roll_back(transaction, live, now=self.clock.now(), why=why, actor=actor)

    def _approve(self, product: str, release: str, actor: str) -> None:
        self.approved.append((product, release, actor))


def app() -> Starlette:
    """The console of a launched world, for a server in a process of its own."""
    return build(World().launch().console())


def closed_app() -> Starlette:
    """The same one for whoever shows a token, which is written to the file that KEPT_IN names."""
    world = World().launch()
    Path(os.environ[KEPT_IN]).write_text(world.token("duty-officer", "operate"))
    return build(world.console(tokens=True))
