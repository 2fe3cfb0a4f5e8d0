"""HTTP statuses of Seatrial's errors; a test holds this table to name every class."""

from seatrial import errors

STATUS: dict[type[errors.SeatrialError], int] = {
    errors.RequestInvalid: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.LeaseLost: 409,
    errors.GateClosed: 409,
    errors.ProductFileInvalid: 422,
    errors.ContractInvalid: 422,
    errors.ExpressionInvalid: 422,
    errors.DataRefused: 422,
    errors.TrainingFailed: 500,
    errors.IntegrityBroken: 500,
    errors.SettingsInvalid: 500,
    errors.MissingExtra: 500,
    errors.SourceFailed: 503,
    errors.StorageFailed: 503,
    errors.NotReady: 503,
    errors.Overloaded: 503,
    errors.ModelFailed: 503,
    errors.Unauthorized: 401,
    errors.QuotaExceeded: 429,
    errors.ServerFailed: 502,
    errors.JournalUnavailable: 503,
    errors.DeadlineExceeded: 504,
}


def status_of(error: Exception) -> int:
    """The status of an error: 500 for whatever Seatrial did not raise on purpose."""
    return STATUS.get(type(error), 500) if isinstance(error, errors.SeatrialError) else 500
