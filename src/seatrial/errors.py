"""Everything Seatrial raises on purpose.

The tree (code, retryable)::

    SeatrialError
    ├── ProductFileInvalid      product_file_invalid      terminal   all problems of a product file, with their lines
    ├── ContractInvalid         contract_invalid          terminal   a contract file that cannot be used
    ├── ExpressionInvalid       expression_invalid        terminal   an SQL expression outside the subset, or mistyped
    ├── DataRefused             data_refused              terminal   too much of a table breaks the contract to go on
    ├── SourceFailed            source_failed             retryable  a source could not be read
    ├── StorageFailed           storage_failed            retryable  the store cannot be read or written: a full disk
    ├── RequestInvalid          request_invalid           terminal   rows of a request that break the contract
    ├── NotFound                not_found                 terminal   something named does not exist
    ├── TrainingFailed          training_failed           terminal   a model could not be fitted or packaged
    ├── IntegrityBroken         integrity_broken          terminal   bytes that do not match their digest or hash chain
    ├── GateClosed              gate_closed               terminal   a release that its gates refuse
    ├── NotReady                not_ready                 retryable  nothing is live yet, or the server is draining
    ├── Overloaded              overloaded                retryable  the queue is full
    ├── DeadlineExceeded        deadline_exceeded         retryable  the caller's deadline passed before an answer
    ├── ModelFailed             model_failed              retryable  a model in its own process crashed or took too long
    ├── Unauthorized            unauthorized              terminal   no token that holds, or one without the scope
    ├── QuotaExceeded           quota_exceeded            retryable  the caller used up what its token may ask for
    ├── ServerFailed            server_failed             retryable  a server that could not be reached, or broke off
    ├── JournalUnavailable      journal_unavailable       retryable  the journal cannot be written
    ├── LeaseLost               lease_lost                retryable  another worker holds the lease now
    ├── Conflict                conflict                  retryable  the stored state moved on since it was read
    ├── SettingsInvalid         settings_invalid          terminal   workspace settings that cannot be used
    └── MissingExtra            missing_extra             terminal   an optional library is not installed

Nothing here knows HTTP; the doors map codes to statuses, and a test holds them to map every class.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal


class SeatrialError(Exception):
    """Any error that Seatrial raises on purpose, with a stable `code` and whether a retry can help."""

    code: ClassVar[str] = "seatrial_error"
    retryable: ClassVar[bool] = False


class _ManyProblems(SeatrialError):
    """An error that lists every problem found, so that one round of mending is enough."""

    subject: ClassVar[str] = "input"

    def __init__(self, problems: Sequence[str], *, name: str = "") -> None:
        self.problems = tuple(problems)
        self.name = name
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        count = len(self.problems)
        head = f"{self.name or self.subject}: {count} problem{'s' if count != 1 else ''}"
        return "\n".join([head, *(f"  - {problem}" for problem in self.problems)])

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call __init__ with the sentence; these errors cross process boundaries.
        return (_rebuild, (type(self), self.problems, self.name))


def _rebuild(kind: type[_ManyProblems], problems: tuple[str, ...], name: str) -> _ManyProblems:
    return kind(problems, name=name)


class ProductFileInvalid(_ManyProblems):
    """A product file that breaks its schema, or says what this version does not act on."""

    code = "product_file_invalid"
    subject = "product file"


class ContractInvalid(_ManyProblems):
    """A contract file that is not ODCS, or whose rules contradict each other."""

    code = "contract_invalid"
    subject = "contract"


class ExpressionInvalid(SeatrialError):
    """An SQL expression that cannot be parsed, is not computed row by row, or has the wrong type."""

    code = "expression_invalid"


class DataRefused(SeatrialError):
    """A table of which so much breaks the contract that going on would thin it silently."""

    code = "data_refused"


class SourceFailed(SeatrialError):
    """A source that could not be read; another try may succeed."""

    code = "source_failed"
    retryable = True


class StorageFailed(SeatrialError):
    """Tables or artifacts could not be read or written, for want of room or of a connection; try again."""

    code = "storage_failed"
    retryable = True


class RequestInvalid(SeatrialError):
    """Rows of a request that break the contract: every faulty row and field is named.

    `faults` holds one mapping per fault: row (index), field, expected, received.
    """

    code = "request_invalid"

    def __init__(self, faults: Sequence[dict[str, object]]) -> None:
        self.faults = tuple(faults)
        lines = [
            f"row {fault['row']}, {fault['field']}: expected {fault['expected']}, received {fault['received']}"
            for fault in self.faults
        ]
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        return (RequestInvalid, (self.faults,))


class NotFound(SeatrialError):
    """A thing that was named and does not exist here."""

    code = "not_found"


class TrainingFailed(SeatrialError):
    """A model that could not be fitted, converted with parity, or packaged."""

    code = "training_failed"


class IntegrityBroken(SeatrialError):
    """Bytes that do not match their recorded digest, or a logbook whose chain does not hold."""

    code = "integrity_broken"


class GateClosed(_ManyProblems):
    """A release refused by its gates; each problem is a gate with its evidence."""

    code = "gate_closed"
    subject = "release"


class NotReady(SeatrialError):
    """No release is live, or the server is draining."""

    code = "not_ready"
    retryable = True


class Overloaded(SeatrialError):
    """The queue is full; try again after `retry_after` seconds."""

    code = "overloaded"
    retryable = True

    def __init__(self, message: str, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return (Overloaded, (str(self), self.retry_after))


class DeadlineExceeded(SeatrialError):
    """The caller's deadline passed before the answer was ready."""

    code = "deadline_exceeded"
    retryable = True


class ModelFailed(SeatrialError):
    """A model in a process of its own crashed, ran into its memory limit, or took longer than its timeout.

    `how` says what became of it: it `refused` the rows and lives on, it is `gone` and being started again, or it was
    not asked at all, as it is `starting` or `busy`.
    """

    code = "model_failed"
    retryable = True

    def __init__(self, message: str, how: Literal["refused", "gone", "starting", "busy"] = "refused") -> None:
        self.how = how
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return (ModelFailed, (str(self), self.how))


class Unauthorized(SeatrialError):
    """The caller has no token that holds, or one without the scope that is asked for."""

    code = "unauthorized"


class QuotaExceeded(SeatrialError):
    """The caller used up what its token may ask for; try again after `retry_after` seconds."""

    code = "quota_exceeded"
    retryable = True

    def __init__(self, message: str, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return (QuotaExceeded, (str(self), self.retry_after))


class ServerFailed(SeatrialError):
    """A server could not be reached, broke off, or answered what nobody can read."""

    code = "server_failed"
    retryable = True


class JournalUnavailable(SeatrialError):
    """The journal cannot be written, so the prediction cannot be promised to survive."""

    code = "journal_unavailable"
    retryable = True


class LeaseLost(SeatrialError):
    """Another worker holds the lease now; what this one was about to write is refused."""

    code = "lease_lost"
    retryable = True


class Conflict(SeatrialError):
    """The stored state moved on since it was read."""

    code = "conflict"
    retryable = True


class SettingsInvalid(_ManyProblems):
    """Workspace settings that cannot be used."""

    code = "settings_invalid"
    subject = "settings"


class MissingExtra(SeatrialError):
    """An optional library that is needed here and not installed."""

    code = "missing_extra"

    def __init__(self, library: str, extra: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(f"{library} is needed here and not installed: pip install 'seatrial[{extra}]'")

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingExtra, (self.library, self.extra))
