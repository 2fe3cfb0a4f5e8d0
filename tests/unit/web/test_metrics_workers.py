"""What the workers of a server tell each other."""

import asyncio
from pathlib import Path

import pytest

from seatrial.web.scoring.metrics import Metrics
from seatrial.web.scoring.metrics_text import Sample
from seatrial.web.scoring.metrics_workers import Colleagues
from seatrial.web.scoring.workers import fresh_server
from tests.prometheus_text import parsed


def sample(value: int) -> list[Sample]:
    return [Sample("seatrial_rows_total", "", {"product": "hotel"}, value)]


def test_workers_see_what_the_others_of_their_server_have_written(tmp_path: Path) -> None:
    one, two, elsewhere = (Colleagues(tmp_path, server) for server in ("a", "a", "b"))
    assert one.others() == {}, "nobody has written yet"
    for number, worker in enumerate((one, two, elsewhere)):
        worker.publish(sample(number))
    assert one.others() == {two.worker: sample(1)}
    assert two.others() == {one.worker: sample(0)}
    assert elsewhere.others() == {}
    for worker in (one, two, elsewhere):
        worker.close()
    assert list(tmp_path.iterdir()) == []


def test_a_workers_last_word_counts(tmp_path: Path) -> None:
    one, two = Colleagues(tmp_path, "a"), Colleagues(tmp_path, "a")
    for number in range(3):
        two.publish(sample(number))
    assert one.others() == {two.worker: sample(2)}
    one.close()
    two.close()


def test_a_worker_that_has_gone_writes_nothing_more(tmp_path: Path) -> None:
    one = Colleagues(tmp_path, "a")
    one.close()
    one.publish(sample(1))
    one.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("server", ["a", "b"])
def test_what_a_dead_worker_left_is_removed_whosever_it_was(tmp_path: Path, server: str) -> None:
    for kind in ("lock", "samples", "fresh"):
        (tmp_path / f"{server}.4711-beef.{kind}").write_bytes(b"")
    one = Colleagues(tmp_path, "a")
    assert one.others() == {}
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{one.worker}.lock"]
    one.close()


def test_a_page_shows_all_workers_by_name(tmp_path: Path) -> None:
    one, two = Colleagues(tmp_path, "a"), Colleagues(tmp_path, "a")
    two.publish(sample(7))
    page = parsed(asyncio.run(Metrics({}, {}, one).text()))
    assert page.workers == {one.worker, two.worker}
    assert page.of("seatrial_rows_total", worker=two.worker) == 7
    assert two.others().keys() == {one.worker}, "what a scrape shows is written first"
    one.close()
    two.close()


def test_a_worker_that_cannot_write_shows_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "metrics"
    one = Colleagues(folder, "a")
    metrics = Metrics({}, {}, one)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    pages = [parsed(asyncio.run(metrics.text())) for _ in range(2)]
    assert [page.workers for page in pages] == [{one.worker}] * 2
    assert [record.getMessage() for record in caplog.records].count(caplog.records[0].getMessage()) == 1
    one.close()


def test_no_two_servers_have_one_name() -> None:
    assert fresh_server() != fresh_server()
