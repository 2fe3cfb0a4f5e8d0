"""What the log says of errors that nobody foresaw."""

import logging
import traceback

_log = logging.getLogger(__name__)


class Unforeseen:
    """Logs an error with its traceback the first time that it comes from a place in the code, then in one line.

    Every line names its request, as that is all that its caller was told.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[type[Exception], str, int], tuple[str, int]] = {}

    def log(self, error: Exception, request: str) -> None:
        """Say that a request failed of an error."""
        place = (type(error), *_place(error))
        if place not in self._seen:
            self._seen[place] = (request, 1)
            _log.error("request %s failed", request, exc_info=error)
            return
        first, count = self._seen[place]
        self._seen[place] = (first, count + 1)
        _log.error(
            "request %s failed as %s did: %s, %d times now", request, first, place[0].__name__, count + 1
        )


def _place(error: Exception) -> tuple[str, int]:
    """The file and line that raised it."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return (frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else ("", 0)
