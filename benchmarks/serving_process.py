"""A server as a tree of processes: started, asked until it answers, weighed, ended."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE = 90.0


def free_port() -> int:
    """A port with two free ones after it."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
        if port < 65_000 and all(_is_free(port + more) for more in (1, 2)):
            return port
    raise OSError("no three free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Server:
    """A running server. `cold_seconds` is from the start of the process to its first right answer."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, port: int, log: Path
    ) -> None:
        self.port = port
        self._log = log
        self.began = time.perf_counter()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
            )
        self.cold_seconds = float("nan")

    def wait(self, path: str, body: bytes, is_right: Callable[[bytes], bool]) -> None:
        """Return at the first right answer. Raises RuntimeError with the log's end when none comes."""
        while time.perf_counter() - self.began < PATIENCE:
            if self.process.poll() is not None:
                break
            answer = post(self.port, path, body)
            if answer is not None and is_right(answer):
                self.cold_seconds = time.perf_counter() - self.began
                return
            time.sleep(0.005)
        tail = self._log.read_text(errors="replace")[-2000:]
        raise RuntimeError(
            f"no right answer within {time.perf_counter() - self.began:.0f} s; its log ends:\n{tail}"
        )

    def memory_mb(self) -> float:
        """The memory of all its processes, what they share counted once (PSS), in MB."""
        return sum(_pss(pid) for pid in self._tree()) / 1000

    def cpu_seconds(self) -> float:
        """The processor time that all its processes have used so far."""
        return sum(_cpu(pid) for pid in self._tree())

    def stop(self) -> None:
        """End it and whatever it started."""
        handles = [handle for pid in self._tree() if (handle := _handle(pid)) is not None]
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for handle in handles:
            _kill(handle)

    def _tree(self) -> list[int]:
        parents = _parents()
        found = [self.process.pid]
        for pid in found:
            found.extend(child for child, parent in parents.items() if parent == pid)
        return found


def post(port: int, path: str, body: bytes) -> bytes | None:
    """The body of a 2xx answer, or None for any other and for no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        return content if answer.status // 100 == 2 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _parents() -> dict[int, int]:
    found = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                # After the name, which may hold spaces and brackets: state, then the parent.
                found[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def _pss(pid: int) -> float:
    """In kB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(float(line.split()[1]) * 1.024 for line in lines if line.startswith("Pss:"))


def _cpu(pid: int) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _handle(pid: int) -> int | None:
    """What names the process for good: a number may be given again once its process is gone."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _kill(handle: int) -> None:
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
