"""Rows of a Parquet body, read in a process of its own.

A file that lies about its sizes can make a reader ask for more memory than there is, which ends the process it
runs in; a few bytes may also stand for billions of rows. So the reader gets its own process, with bounded memory
and time, for each body: this is a format for batches.
"""

import asyncio
import sys
from typing import Any

import msgspec

from seatrial.errors import Overloaded
from seatrial.web.scoring.mlflow_bodies import Rows, unique
from seatrial.web.scoring.refusals import Refusal, malformed, too_many

_MEMORY = 4 * 1024**3
_SECONDS = 10


class _Read(msgspec.Struct, frozen=True):
    """What the child says: the columns' values, or why there are none."""

    names: list[str] = []
    columns: list[list[Any]] = []
    rows: int = 0
    problem: str = ""


class ParquetReader:
    """Reads bodies, a few at a time; a few others wait."""

    def __init__(self, at_once: int = 2, waiting: int = 8) -> None:
        """`at_once` children run beside each other; more than `waiting` bodies do not wait for them."""
        self._free = asyncio.Semaphore(at_once)
        self._most, self._asked = at_once + waiting, 0

    async def rows(self, body: bytes, *, limit: int) -> Rows:
        """The rows, with Python values.

        Raises Refusal: 400 when it is no Parquet, 413 for more rows than the limit; Overloaded when many wait.
        """
        if self._asked >= self._most:
            raise Overloaded(f"{self._asked} Parquet bodies are being read or wait for it; try again")
        self._asked += 1
        try:
            async with self._free:
                read = await _in_child(body, limit)
        finally:
            self._asked -= 1
        if read.problem:
            raise malformed(f"expected Parquet: {read.problem}")
        if read.rows > limit:
            raise too_many(read.rows, limit)
        unique(read.names)
        return [dict(zip(read.names, values, strict=True)) for values in zip(*read.columns, strict=True)]


async def _in_child(body: bytes, limit: int) -> _Read:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(limit)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        answer, _ = await asyncio.wait_for(child.communicate(body), _SECONDS)
    except TimeoutError as error:
        raise malformed(f"reading this Parquet takes longer than {_SECONDS} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0 or not answer:
        raise Refusal(
            413, "too_large", "reading this Parquet takes more memory than a request may; send fewer rows"
        )
    return msgspec.msgpack.decode(answer, type=_Read)


def _read(body: bytes, limit: int) -> _Read:
    """In the child: the columns; what is nested or binary stays what it is, for the contract to refuse."""
    from io import BytesIO

    import polars as pl

    try:
        frame = pl.scan_parquet(BytesIO(body)).head(limit + 1).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        return _Read(problem=(str(error).splitlines() or ["unreadable"])[0][:300])
    if frame.height > limit:
        return _Read(rows=frame.height)
    return _Read(frame.columns, [one.to_list() for one in frame.iter_columns()], frame.height)


def main() -> None:
    """Read a Parquet file from standard input and say on standard output what is in it."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read = _read(sys.stdin.buffer.read(), int(sys.argv[1]))
    sys.stdout.buffer.write(msgspec.msgpack.encode(read, enc_hook=repr))


if __name__ == "__main__":
    main()
