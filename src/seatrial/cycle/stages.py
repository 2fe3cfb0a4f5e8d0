"""The stages one by one, as the commands run them; the loop runs the same functions."""

from typing import TypeVar

import msgspec

from seatrial.cycle.reconcile import close_incidents
from seatrial.cycle.retrain import Workshop, fit_model, published_lookups, release_model, take_snapshot
from seatrial.errors import Conflict, GateClosed, NotFound
from seatrial.facts.model import Model
from seatrial.facts.release import Phase, Release
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.workspace import Workspace
from seatrial.release.gates import refused
from seatrial.release.phases import OPEN, challenger, live_release, roll_back, to_live

FactT = TypeVar("FactT", bound=msgspec.Struct)
# What makes a fact of each kind, for the error that says that none is there.
_MADE_BY = {"Snapshot": "seatrial data", "Model": "seatrial train", "Release": "seatrial release"}


def newest(workspace: Workspace, kind: type[FactT], product: str) -> FactT:
    """The newest fact of a kind. Raises NotFound, naming the command that makes one."""
    with workspace.metadata.begin() as transaction:
        facts = transaction.all(kind, product, limit=1)
    if not facts:
        command = _MADE_BY.get(kind.__name__, "seatrial launch")
        raise NotFound(
            f"{product} has no {kind.__name__.lower()} in this workspace yet; `{command}` makes one"
        )
    return facts[-1]


def make_snapshot(workshop: Workshop) -> Snapshot:
    """A snapshot of all that has matured by now."""
    history = workshop.tools.history.read(workshop.product)
    return take_snapshot(workshop, history, as_of=workshop.now)


def train_newest(workshop: Workshop, *, why: str) -> Model:
    """A model of the newest snapshot, registered."""
    return fit_model(workshop, newest(workshop.workspace, Snapshot, workshop.product.name), why=why)


def release_newest(workshop: Workshop, *, why: str) -> Release:
    """The newest model's release, as far as its gates let it."""
    product = workshop.product
    model = newest(workshop.workspace, Model, product.name)
    with workshop.workspace.metadata.begin() as transaction:
        snapshot = transaction.get(Snapshot, product.name, model.snapshot)
        serving = [r.bundle for r in transaction.all(Release, product.name) if r.phase in (Phase.LIVE, *OPEN)]
    # The same model under a changed product file is another bundle, and may be released.
    texts = tuple(workshop.workspace.artifacts.put(text.encode()) for text in product.texts)
    if any((b.model, b.product_file, b.contract) == (model.id, *texts) for b in serving):
        raise Conflict(
            f"model {model.id} of {product.name} is in front of traffic already; train another one first"
        )
    if snapshot is None:
        raise NotFound(f"the snapshot {model.snapshot} of model {model.id} is not in this workspace")
    lookups = published_lookups(workshop)
    return release_model(workshop, model, snapshot, lookups, why=why)


def roll_back_live(workspace: Workspace, product: str, *, why: str, actor: str) -> Release:
    """The release that is live again after the live one was rolled back. Raises NotFound when there is none."""
    with workspace.metadata.begin() as transaction:
        live = live_release(transaction, product)
        if live is None:
            raise NotFound(f"{product} has no live release to roll back")
        now = workspace.clock.now()
        again = roll_back(transaction, live, now=now, why=why, actor=actor)
        close_incidents(transaction, product, now=now, by=f"rolled back to {again.id}")
        return again


def roll_back_challenger(workspace: Workspace, product: str, *, why: str, actor: str) -> Release:
    """The challenger, out of shadow or canary. Raises NotFound when nothing is on trial."""
    with workspace.metadata.begin() as transaction:
        tried = challenger(transaction, product)
        if tried is None:
            raise NotFound(f"{product} has no release in shadow or canary to roll back")
        return roll_back(transaction, tried, now=workspace.clock.now(), why=why, actor=actor)


def approve(workspace: Workspace, product: str, release: str, *, actor: str) -> Release:
    """The release, with a person's approval recorded; a candidate goes live at once when nothing is.

    Raises NotFound for an unknown one, GateClosed for one that its gates refused.
    """
    with workspace.metadata.begin() as transaction:
        found = transaction.get(Release, product, release)
        if found is None:
            raise NotFound(f"{product} has no release {release}")
        if faults := refused(found.gates):
            raise GateClosed(faults, name=f"release {release}")
        transaction.log(product=product, kind="approved", subject=release, body={"by": actor}, actor=actor)
        if found.phase is Phase.CANDIDATE and live_release(transaction, product) is None:
            now = workspace.clock.now()
            return to_live(transaction, found, now=now, why="gates passed and approved", actor=actor)
        return found
