"""What a reader of one kind is asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seatrial.adapters.sources.broken import Unreadable
from seatrial.adapters.sources.credentials import Credentials
from seatrial.adapters.sources.retry import Retries
from seatrial.data.ports import Position
from seatrial.errors import SeatrialError, SourceFailed
from seatrial.product.schema import Source

# Object stores end their sentence with pages of their insides.
_DETAILS = "\n\nDebug source"


@dataclass(frozen=True)
class Asked:
    """One reading: which source, from where on, with its credentials and its patience."""

    name: str
    source: Source
    folder: Path | None
    since: Position | None
    credentials: Credentials
    retries: Retries

    def failed(self, what: str) -> SourceFailed:
        """The error to raise, without secrets."""
        return SourceFailed(f"source {self.name}: {self.credentials.scrubbed(what)}")

    @contextmanager
    def telling(self, what: str) -> Iterator[None]:
        """Whatever is raised inside becomes SourceFailed: what could not be done, and why."""
        try:
            yield
        except SeatrialError:
            raise
        except Exception as error:  # noqa: BLE001 - raised again, without the cause where that shows a secret
            reason = str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
            raise self.failed(f"{what}: {reason.partition(_DETAILS)[0]}") from self._harmless(error)

    def _harmless(self, cause: Exception) -> Exception | None:
        """The cause, or None when that, or what caused it, would show a secret."""
        one: BaseException | None = cause
        while one is not None:
            if self.credentials.scrubbed(str(one)) != str(one):
                return None
            one = one.__cause__ or one.__context__
        return cause

    def within(self, place: str) -> Path:
        """A place relative to the product's folder. Raises SourceFailed when that is not known."""
        if self.folder is None and not Path(place).is_absolute():
            raise self.failed(f"{place} is relative, and this product was read without its folder")
        return (self.folder or Path()) / place


def asked(
    name: str, source: Source, folder: Path | None, since: Position | None, sleep: Callable[[float], None]
) -> Asked:
    """A reading of a source from a position on, or of all of it."""
    credentials = Credentials(name, folder)
    retries = Retries(name, source.attempts, sleep, credentials.scrubbed)
    return Asked(name, source, folder, since, credentials, retries)
