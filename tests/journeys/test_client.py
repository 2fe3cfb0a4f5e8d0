"""The client against servers of real sockets: one that misbehaves as a script says, and the real one."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pandas as pd
import polars as pl
import pytest
from arro3.core import Table

from seatrial import AsyncClient, Client
from seatrial.client.answers import Predictions
from seatrial.client.parts import Room
from seatrial.client.retries import Retries
from seatrial.errors import (
    DeadlineExceeded,
    NotFound,
    NotReady,
    Overloaded,
    RequestInvalid,
    ServerFailed,
    Unauthorized,
)
from tests.hotel import row
from tests.scoring_server import Server, scoring_server
from tests.scripted_server import (
    Act,
    Heard,
    ScriptedServer,
    answer,
    body_drops,
    cut,
    drops,
    garbage,
    half,
    predictions,
    refusal,
    scripted,
    silence,
)

ROW = {"booking": "b1", "price": 100.0}
SOON = Retries(first=0.001, longest=0.01)
KEY, LEFT = "idempotency-key", "x-envoy-expected-rq-timeout-ms"
DoneT = TypeVar("DoneT")
Predict = Callable[..., Predictions]


def blocking(server: ScriptedServer, *given: Any, **how: Any) -> Predictions:
    with Client(server.url, "hotel", retries=SOON, timeout=20) as client:
        return client.predict(*given, **how)


def awaited(server: ScriptedServer, *given: Any, **how: Any) -> Predictions:
    async def ask() -> Predictions:
        async with AsyncClient(server.url, "hotel", retries=SOON, timeout=20) as client:
            return await client.predict(*given, **how)

    return asyncio.run(ask())


both = pytest.mark.parametrize("predict", [blocking, awaited])


@both
@pytest.mark.parametrize("fault", [cut, half, garbage, refusal(503, "overloaded", retry_after="0")])
def test_what_may_pass_is_tried_again_with_the_same_key(predict: Predict, fault: Act) -> None:
    with scripted(fault, fault, predictions()) as server:
        [one] = predict(server, ROW)
    assert one.prediction_id == "pb1"
    assert len(server.heard) == 3
    assert len({heard.headers[KEY] for heard in server.heard}) == 1
    assert len({heard.body for heard in server.heard}) == 1
    lefts = [int(heard.headers[LEFT]) for heard in server.heard]
    assert lefts == sorted(lefts, reverse=True)
    assert 0 < lefts[-1] <= lefts[0] <= 20_000


@both
def test_calls_have_keys_of_their_own_unless_given(predict: Predict) -> None:
    with scripted(predictions()) as server:
        predict(server, ROW)
        predict(server, ROW)
        predict(server, ROW, idempotency_key="mine")
    first, second, third = (heard.headers[KEY] for heard in server.heard)
    assert first != second
    assert third == "mine"


@both
def test_a_bad_row_is_told_with_its_field_and_nothing_is_repeated(predict: Predict) -> None:
    with scripted(predictions()) as server, pytest.raises(RequestInvalid) as raised:
        predict(server, [ROW, {"booking": "b2", "price": "bad"}])
    assert raised.value.faults[0]["row"] == 1
    assert raised.value.faults[0]["field"] == "price"
    assert raised.value.__notes__ == ["request id q1"]
    assert len(server.heard) == 1


@both
@pytest.mark.parametrize("fault", [silence, drops, body_drops])
def test_a_call_ends_at_its_deadline_however_slow_the_server_is(predict: Predict, fault: Act) -> None:
    with scripted(fault) as server:
        begun = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            predict(server, ROW, deadline=0.3)
        assert time.monotonic() - begun < 5  # the server would go on for 20 seconds
    assert len(server.heard) == 1
    assert int(server.heard[0].headers[LEFT]) <= 300


@both
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"product":1}', b"<html>"])
def test_a_good_status_with_what_nobody_can_read_is_a_failed_server(predict: Predict, body: bytes) -> None:
    with scripted(answer(200, body)) as server, pytest.raises(ServerFailed):
        predict(server, ROW)


@both
def test_an_answer_that_lacks_rows_is_a_failed_server(predict: Predict) -> None:
    short = answer(200, {"product": "hotel", "release": "r", "predictions": [], "faults": []})
    with scripted(short) as server, pytest.raises(ServerFailed, match="0 of 1 rows"):
        predict(server, ROW)


@both
def test_a_broken_arrow_stream_is_a_failed_server(predict: Predict) -> None:
    stream = answer(200, b"no stream", content_type="application/vnd.apache.arrow.stream")
    with scripted(stream) as server, pytest.raises(ServerFailed, match="Arrow"):
        predict(server, pl.DataFrame([ROW]))


@both
def test_large_inputs_go_in_parts_whose_faults_count_from_the_whole(predict: Predict) -> None:
    rows = [{"booking": f"b{number}", "price": "bad" if number == 25 else 1.0} for number in range(30)]
    with scripted(predictions()) as server:

        def ask(**how: Any) -> Predictions:
            with Client(server.url, "hotel", room=Room(rows=10), retries=SOON) as client:
                return client.predict(rows, **how)

        answered = ask(partial=True, idempotency_key="k")
        assert [one.row for one in answered] == [n for n in range(30) if n != 25]
        assert [one.key for one in answered][-1] == "b29"
        assert [fault.row for fault in answered.faults] == [25]
        assert [heard.headers[KEY] for heard in server.heard] == ["k", "k.10", "k.20"]
        with pytest.raises(RequestInvalid, match="row 25, price"):
            ask()


@both
def test_no_server_at_all_is_a_failed_server(predict: Predict) -> None:
    with scripted(predictions()) as server:
        pass
    with pytest.raises(ServerFailed, match="could not be reached"):
        predict(server, ROW)


@both
def test_a_trace_is_passed_on(predict: Predict) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with scripted(predictions()) as server:
        predict(server, ROW, traceparent=parent)
        predict(server, ROW)
    assert server.heard[0].headers["traceparent"] == parent
    assert "traceparent" not in server.heard[1].headers


def test_a_client_in_trouble_stops_repeating() -> None:
    with scripted(refusal(503, "not_ready")) as server:
        retries = Retries(at_most=9, tokens=10, first=0.001, longest=0.001)
        with Client(server.url, "hotel", retries=retries) as client:
            for _ in range(20):
                with pytest.raises(NotReady):
                    client.predict(ROW)
    assert len(server.heard) == 20 + 4  # the fifth failure leaves half of the ten tokens


def test_the_token_goes_with_each_request_and_into_no_log_or_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token = "hunter2"  # noqa: S105 - no secret
    with (
        scripted(cut, refusal(401, "unauthorized")) as server,
        Client(server.url, "hotel", token, retries=SOON) as client,
        pytest.raises(Unauthorized) as raised,
    ):
        client.predict(ROW)
    assert token not in repr(client) + repr(raised.value) + str(raised.value.__cause__)
    assert [heard.headers["authorization"] for heard in server.heard] == ["Bearer hunter2"] * 2
    assert "hunter2" not in caplog.text


def test_an_only_product_need_not_be_named() -> None:
    ready = answer(200, {"ready": True, "products": {"ho tel": "ready"}})
    with scripted(ready, predictions()) as server, Client(server.url) as client:
        client.predict(ROW)
        client.predict(ROW)
    assert [heard.path for heard in server.heard] == ["/readyz", *["/v1/products/ho%20tel/predict"] * 2]


def test_one_of_several_products_must_be_named() -> None:
    ready = answer(200, {"ready": True, "products": {"a": "ready", "b": "ready"}})
    with (
        scripted(ready) as server,
        Client(server.url) as client,
        pytest.raises(NotFound, match="served: a, b"),
    ):
        client.predict(ROW)


def test_a_server_that_is_not_ready_says_so_without_an_error() -> None:
    state_told = answer(503, {"ready": False, "products": {"a": "not ready"}})
    with scripted(state_told) as server, Client(server.url) as client:
        state = client.ready()
    assert not state
    assert state.products == {"a": "not ready"}


def test_reports_are_told_row_by_row() -> None:
    fault = {"row": 1, "field": "done", "expected": "true or false", "received": "no such field"}
    with (
        scripted(answer(200, {"accepted": 1, "refused": [fault]})) as server,
        Client(server.url, "hotel") as client,
    ):
        receipt = client.report_actions([{"key": "b1", "done": True}, {"key": "b2"}])
        client.report_outcomes(pl.DataFrame({"key": ["b1"], "is_canceled": [True]}))
    assert receipt.accepted == 1
    assert receipt.refused[0].field == "done"
    assert [heard.path for heard in server.heard] == [
        "/v1/products/hotel/actions",
        "/v1/products/hotel/outcomes",
    ]
    assert server.heard[1].json() == {"outcomes": [{"key": "b1", "is_canceled": True}]}


def test_one_client_serves_several_threads() -> None:
    with scripted(predictions()) as server, Client(server.url, "hotel") as client:
        keys: list[str] = []

        def ask(number: int) -> None:
            keys.extend(client.predict_one({"booking": f"{number}.{k}"}).key for k in range(20))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(keys) == sorted(f"{number}.{k}" for number in range(8) for k in range(20))


def run_async(server: ScriptedServer, ask: Callable[[AsyncClient], Coroutine[Any, Any, DoneT]]) -> DoneT:
    async def run() -> DoneT:
        async with AsyncClient(server.url, "hotel", retries=SOON, timeout=20) as client:
            return await ask(client)

    return asyncio.run(run())


def test_connections_are_kept_and_as_many_as_are_needed_at_once() -> None:
    def slow(connection: Any, heard: Heard) -> None:
        time.sleep(0.05)
        predictions()(connection, heard)

    async def ask(client: AsyncClient) -> list[Any]:
        for _ in range(3):
            found = await asyncio.gather(*(client.predict_one({"booking": str(n)}) for n in range(5)))
        return found

    with scripted(slow) as server:
        assert [one.key for one in run_async(server, ask)] == ["0", "1", "2", "3", "4"]
        assert server.connections == 5
    with scripted(predictions()) as server, Client(server.url, "hotel") as client:
        for _ in range(5):
            client.predict(ROW)
        assert server.connections == 1


def test_a_connection_that_broke_is_opened_anew() -> None:
    async def ask(client: AsyncClient) -> list[str]:
        return [(await client.predict_one({"booking": str(number)})).key for number in range(3)]

    with scripted(predictions(), cut, predictions()) as server:
        assert run_async(server, ask) == ["0", "1", "2"]
        assert server.connections == 2


def test_rows_of_many_tasks_go_together_while_a_request_is_under_way() -> None:
    async def ask(client: AsyncClient) -> list[str]:
        batched = client.batched(max_rows=40)
        found = await asyncio.gather(*(batched.predict_one({"booking": f"b{n}"}) for n in range(100)))
        assert all(one.row == 0 for one in found)
        return [one.key for one in found]

    with scripted(predictions()) as server:
        assert run_async(server, ask) == [f"b{n}" for n in range(100)]
    assert [len(heard.json()["rows"]) for heard in server.heard] == [40, 40, 20]


def test_a_bad_row_in_a_batch_fails_alone() -> None:
    async def ask(client: AsyncClient) -> list[Any]:
        batched = client.batched()
        rows: list[dict[str, Any]] = [
            {"booking": f"b{n}", "price": "bad" if n % 3 == 0 else n} for n in range(9)
        ]
        rows[4]["price"] = float("nan")
        return await asyncio.gather(*(batched.predict_one(row) for row in rows), return_exceptions=True)

    with scripted(predictions()) as server:
        found = run_async(server, ask)
    assert [isinstance(one, RequestInvalid) for one in found] == [n % 3 == 0 or n == 4 for n in range(9)]
    assert all(one.faults[0]["row"] == 0 for one in found if isinstance(one, RequestInvalid))
    assert len(server.heard) == 1


def test_a_failed_batch_fails_each_of_its_rows_with_an_error_of_its_own() -> None:
    async def ask(client: AsyncClient) -> list[Any]:
        batched = client.batched()
        return await asyncio.gather(*(batched.predict_one(ROW) for _ in range(3)), return_exceptions=True)

    with scripted(refusal(503, "overloaded", "full", retry_after="60")) as server:
        found = run_async(server, ask)
    assert [type(one) for one in found] == [Overloaded] * 3
    assert [one.retry_after for one in found] == [60] * 3
    assert len({id(one) for one in found}) == 3


def test_a_task_that_gives_up_leaves_its_neighbours_alone() -> None:
    def slow(connection: Any, heard: Heard) -> None:
        time.sleep(0.3)
        predictions()(connection, heard)

    async def ask(client: AsyncClient) -> list[Any]:
        batched = client.batched()
        first = asyncio.create_task(batched.predict_one({"booking": "first"}))
        await asyncio.sleep(0.1)
        impatient = asyncio.create_task(batched.predict_one({"booking": "impatient"}, deadline=0.05))
        gone = asyncio.create_task(batched.predict_one({"booking": "gone"}))
        patient = asyncio.create_task(batched.predict_one({"booking": "patient"}))
        await asyncio.sleep(0)
        gone.cancel()
        return [*await asyncio.gather(first, impatient, gone, patient, return_exceptions=True)]

    with scripted(slow) as server:
        first, impatient, gone, patient = run_async(server, ask)
    assert (first.key, patient.key) == ("first", "patient")
    assert isinstance(impatient, DeadlineExceeded)
    assert isinstance(gone, asyncio.CancelledError)
    assert [[row["booking"] for row in heard.json()["rows"]] for heard in server.heard] == [
        ["first"],
        ["patient"],
    ]


# The real server.


@pytest.fixture(scope="module")
def hotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with scoring_server(tmp_path_factory.mktemp("hotel")) as running:
        yield running


@pytest.fixture
def client(hotel: Server) -> Iterator[Client]:
    with Client(hotel.url, room=Room(rows=50), retries=Retries(at_most=0)) as made:
        yield made


def test_rows_of_every_form_get_the_same_predictions(client: Client) -> None:
    rows = [row(number) for number in range(120)]
    listed = client.predict(rows, idempotency_key="list")
    assert [one.row for one in listed] == list(range(120))
    assert [one.score for one in listed] == pytest.approx([(100 + n) / 1000 for n in range(120)])
    for form in (pl.DataFrame(rows), pd.DataFrame(rows), Table.from_arrow(pl.DataFrame(rows))):
        given = client.predict(form)
        assert [(one.row, one.key, one.score, one.decision) for one in given] == [
            (one.row, one.key, one.score, one.decision) for one in listed
        ]
        assert (given.product, given.release) == ("hotel", "r0001")
    assert client.predict_one(rows[7]).score == listed[7].score


def test_a_key_gives_the_recorded_predictions_again(client: Client) -> None:
    rows = pl.DataFrame([row(number) for number in range(120)])
    first, again = (client.predict(rows, idempotency_key="table") for _ in range(2))
    assert first == again
    assert client.predict(rows) != first


@pytest.mark.parametrize("form", [list, pl.DataFrame, pd.DataFrame])
def test_faults_are_told_with_rows_of_the_whole_call(client: Client, form: Callable[[Any], Any]) -> None:
    bad = {3: -5.0, 61: -1.0, 119: 9999.0}
    rows = form([row(number, price=bad.get(number, 10.0)) for number in range(120)])
    with pytest.raises(RequestInvalid, match="row 3, price"):
        client.predict(rows)
    answered = client.predict(rows, partial=True)
    assert [(fault.row, fault.field) for fault in answered.faults] == [(number, "price") for number in bad]
    assert [one.row for one in answered] == [number for number in range(120) if number not in bad]
    assert answered.faults[0].received == "-5.0"


def test_outcomes_and_actions_are_reported(client: Client) -> None:
    one = client.predict_one(row(1))
    outcomes = [{"prediction_id": one.prediction_id, "is_canceled": True}, {"key": "b1", "is_canceled": 5}]
    receipt = client.report_outcomes(outcomes)
    assert receipt.accepted == 1
    assert [(fault.row, fault.field) for fault in receipt.refused] == [(1, "is_canceled")]
    actions = pl.DataFrame({"prediction_id": [one.prediction_id], "done": [True], "by": ["front desk"]})
    assert client.report_actions(actions).accepted == 1


def test_the_server_tells_of_its_product_and_that_it_is_ready(client: Client) -> None:
    assert client.ready()
    product = client.product()
    assert (product.product, product.release) == ("hotel", "r0001")
    assert "price" in {column.name for column in product.columns}


def test_a_product_that_is_not_there_is_not_found(hotel: Server) -> None:
    with Client(hotel.url, "none") as client, pytest.raises(NotFound, match="hotel"):
        client.predict(row(1))


def test_many_tasks_share_requests_and_none_fails_another(hotel: Server) -> None:
    async def ask() -> list[Any]:
        async with AsyncClient(hotel.url, "hotel") as client:
            batched = client.batched(max_rows=64)
            rows = [row(number, price=-1.0 if number % 10 == 0 else 10.0) for number in range(300)]
            return await asyncio.gather(*(batched.predict_one(one) for one in rows), return_exceptions=True)

    found = asyncio.run(ask())
    assert [isinstance(one, RequestInvalid) for one in found] == [number % 10 == 0 for number in range(300)]
    assert [one.key for one in found if not isinstance(one, RequestInvalid)] == [
        f"b{number}" for number in range(300) if number % 10
    ]
