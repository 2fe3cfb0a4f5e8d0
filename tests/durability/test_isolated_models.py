"""Whatever a model in its own process does, the server's calls end, and the next model process answers."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from seatrial.adapters.runtimes.isolated import IsolatedScorer
from seatrial.adapters.runtimes.packaged import PackagedRuntime
from seatrial.errors import ModelFailed, TrainingFailed
from seatrial.ports.runtime import Limits
from tests import trouble
from tests.trouble import asking, trouble_package

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 1_500_000_000
PATIENCE = 60.0

PARENT = """
import sys, threading
from pathlib import Path
from seatrial.adapters.runtimes.packaged import PackagedRuntime
from tests.trouble import asking

scorer = PackagedRuntime().load(Path(sys.argv[1]).read_bytes())
print(scorer.pids[0], flush=True)
scorer.score(asking(float(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def scorer() -> Iterator[IsolatedScorer]:
    loaded = load(Limits(timeout_seconds=2.0, memory_bytes=MEMORY))
    yield loaded
    loaded.close()


def load(limits: Limits, processes: int = 1) -> IsolatedScorer:
    loaded = PackagedRuntime(processes=processes).load(trouble_package(), limits)
    assert isinstance(loaded, IsolatedScorer)
    return loaded


def until(what: Callable[[], bool]) -> None:
    """Returns once the function does."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether there is such a process, dead and not yet waited for included."""
    return Path(f"/proc/{pid}").exists()


def healthy(scorer: IsolatedScorer) -> bool:
    try:
        return bool(scorer.score(asking(trouble.HEALTHY, 3)).tolist() == pytest.approx([0.0, 0.25, 0.25]))
    except ModelFailed:
        return False


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (trouble.SLEEPS, r"took longer than 2 s and was ended"),
        (trouble.EXITS, r"ended by itself with status 3"),
        (trouble.CRASHES, r"died of SIGSEGV \(its memory limit is 1,500 MB\)"),
        (trouble.ALLOCATES, r"ran into its memory limit of 1,500 MB"),
        (trouble.NONSENSE, r"answered what nobody can read"),
    ],
    ids=["sleeps", "exits", "crashes", "allocates", "nonsense"],
)
def test_a_process_that_fails_fails_its_call_and_is_started_again(
    scorer: IsolatedScorer, what: int, said: str
) -> None:
    until(lambda: healthy(scorer))
    (before,) = scorer.pids
    with pytest.raises(ModelFailed, match=said):
        scorer.score(asking(what))
    until(lambda: healthy(scorer))
    assert scorer.pids != (before,)
    assert not alive(before)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (trouble.SHAPE, r"expected probabilities of shape \(2, 2\), got \(2, 3\)"),
        (trouble.DTYPE, r"expected probabilities that are numbers, got <U6"),
        (trouble.RAISES, r"ValueError: this model is broken"),
    ],
    ids=["shape", "dtype", "raises"],
)
def test_an_answer_that_is_none_fails_the_call_and_the_process_lives_on(
    scorer: IsolatedScorer, what: int, said: str
) -> None:
    until(lambda: healthy(scorer))
    before = scorer.pids
    with pytest.raises(ModelFailed, match=said):
        scorer.score(asking(what, 2))
    assert healthy(scorer)
    assert scorer.pids == before


def test_numbers_that_are_none_are_passed_on(scorer: IsolatedScorer) -> None:
    until(lambda: healthy(scorer))
    assert np.isnan(scorer.score(asking(trouble.NAN, 2))).all()


def test_what_a_model_prints_does_not_reach_the_server(
    scorer: IsolatedScorer, capfd: pytest.CaptureFixture[str]
) -> None:
    until(lambda: healthy(scorer))
    assert scorer.score(asking(trouble.PRINTS, 2)).tolist() == pytest.approx([trouble.PRINTS / 1000, 0.25])
    assert capfd.readouterr().out == ""


def test_the_servers_secrets_do_not_reach_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "0.75")
    scorer = load(Limits(timeout_seconds=PATIENCE))
    try:
        assert scorer.score(asking(trouble.READS)).tolist() == [0.25]
    finally:
        scorer.close()


def test_a_process_that_dies_between_calls_is_started_again_without_one(scorer: IsolatedScorer) -> None:
    until(lambda: healthy(scorer))
    (before,) = scorer.pids
    os.kill(before, signal.SIGKILL)
    until(lambda: scorer.pids not in ((), (before,)))
    # It takes a second to open; until then, calls fail at once and say why.
    with pytest.raises(ModelFailed, match=r"died of SIGKILL .*it is being started again"):
        scorer.score(asking(trouble.HEALTHY))
    until(lambda: healthy(scorer))


def test_a_crash_is_told_apart_from_what_follows_logged_once_and_counted(
    scorer: IsolatedScorer, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: healthy(scorer))
    restarts = scorer.restarts
    with caplog.at_level(logging.WARNING):
        found = [failure(scorer, trouble.EXITS), *(failure(scorer, trouble.HEALTHY) for _ in range(20))]
        until(lambda: healthy(scorer))
    assert found == ["gone", *["starting"] * 20]
    assert [record.getMessage().partition(" ended")[2] for record in caplog.records] == [
        " by itself with status 3 (its memory limit is 1,500 MB); it is being started again"
    ]
    assert scorer.restarts == restarts + 1


def failure(scorer: IsolatedScorer, what: int) -> str:
    with pytest.raises(ModelFailed) as error:
        scorer.score(asking(what))
    return error.value.how


def test_several_threads_share_two_processes_and_one_that_hangs_holds_up_no_other() -> None:
    scorer = load(Limits(timeout_seconds=10.0), processes=2)
    try:
        assert len(scorer.pids) == 2
        with ThreadPoolExecutor(5) as pool:
            hanging = pool.submit(scorer.score, asking(trouble.HOLDS))
            answers = list(pool.map(lambda _: healthy(scorer), range(40)))
            assert not hanging.done()
            os.kill(scorer.pids[0], signal.SIGKILL)
            os.kill(scorer.pids[-1], signal.SIGKILL)
            with pytest.raises(ModelFailed, match="died of SIGKILL"):
                hanging.result(PATIENCE)
        assert all(answers)
    finally:
        scorer.close()


def test_closing_leaves_no_process_and_fails_later_calls() -> None:
    scorer = load(Limits())
    (pid,) = scorer.pids
    scorer.close()
    scorer.close()
    assert not alive(pid)
    with pytest.raises(ModelFailed, match="closed with its release"):
        scorer.score(asking(trouble.HEALTHY))


def test_a_scorer_that_is_forgotten_leaves_no_process() -> None:
    scorer = load(Limits())
    (pid,) = scorer.pids
    del scorer
    until(lambda: not alive(pid))


def test_a_model_dies_with_a_server_that_was_killed_whatever_it_is_doing(tmp_path: Path) -> None:
    (tmp_path / "package").write_bytes(trouble_package())
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "package"), str(trouble.HOLDS)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until(lambda: "S" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2])
        parent.kill()
    until(lambda: not alive(pid))


def test_a_model_that_hangs_while_it_opens_is_refused_and_ended() -> None:
    hanging = PackagedRuntime(load_seconds=5.0)
    with pytest.raises(TrainingFailed, match=r"opens in its own process; .*took longer than 5 s"):
        hanging.load(trouble_package("\nimport time\ntime.sleep(3600)\n"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("\nimport no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("\nimport os\nos._exit(7)\n", "ended by itself with status 7"),
    ],
)
def test_a_model_that_does_not_open_is_refused_with_its_reason(more: str, said: str) -> None:
    with pytest.raises(TrainingFailed, match=said):
        PackagedRuntime().load(trouble_package(more))


def test_a_memory_limit_in_which_nothing_can_start_is_refused_with_its_size() -> None:
    with pytest.raises(TrainingFailed, match="100 MB"):
        PackagedRuntime().load(trouble_package(), Limits(memory_bytes=100_000_000))
