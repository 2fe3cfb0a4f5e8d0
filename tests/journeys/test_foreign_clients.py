"""Clients that others wrote, against a real server: Triton's for the Open Inference Protocol, MLflow's for its own."""

import json
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.hotel import row
from tests.scoring_server import Server, scoring_server

_MLFLOW = Path(__file__).resolve().parents[2] / ".peers/mlflow/bin/python"
_DATATYPES = {"price": "FP64", "nights": "INT64"}
_ROWS = [row(1), row(2, price=900.0), row(3, city="Zürich")]
# Runs where MLflow is: a table in, the records that its client makes of the answer out.
_MLFLOW_CLIENT = """
import json, sys
import pandas
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
port, rows = int(sys.argv[1]), json.loads(sys.argv[2])
client = ScoringServerClient("127.0.0.1", port)
client.wait_server_ready(timeout=10)
frame = pandas.DataFrame(rows)
answered = client.invoke(frame).get_predictions()
timed = client.invoke(frame.assign(booked_at=pandas.to_datetime(frame["booked_at"]))).get_predictions()
partial = client.invoke(frame.assign(price=[1.0, -5.0, 2.0]), params={"partial": True}).get_predictions()
try:
    client.invoke(frame.assign(price="cheap"))
    refused = ""
except Exception as error:
    refused = str(error)
print(json.dumps({
    "version": client.get_version(),
    "answered": answered.to_dict("records"),
    "timed": timed.to_dict("records"),
    "partial": partial["row"].to_list(),
    "refused": refused,
}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with scoring_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as connected:
        yield connected


def _inputs(rows: list[dict[str, Any]], *, binary: bool = True) -> list[triton.InferInput]:
    inputs = []
    for name in rows[0]:
        kind = _DATATYPES.get(name, "BYTES")
        dtype = {"FP64": np.float64, "INT64": np.int64, "BYTES": object}[kind]
        values = [one[name].encode() if isinstance(one[name], str) else one[name] for one in rows]
        tensor = triton.InferInput(name, [len(rows), 1], kind)
        inputs.append(tensor.set_data_from_numpy(np.array(values, dtype).reshape(-1, 1), binary_data=binary))
    return inputs


def _native(server: Server) -> list[dict[str, Any]]:
    return list(server.ask("/v1/products/hotel/predict", {"rows": _ROWS}).json()["predictions"])


def test_triton_s_client_finds_the_server_and_the_model(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("hotel")
    assert client.is_model_ready("hotel", "r0001")
    assert not client.is_model_ready("hotel", "r0009")
    assert not client.is_model_ready("motel")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("hotel")
    assert {one["name"] for one in metadata["inputs"]} == set(_ROWS[0])
    (line,) = client.get_model_repository_index()
    assert (line["name"], line["state"]) == ("hotel", "READY")


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_triton_s_client_gets_the_answers_of_the_native_door(
    server: Server, client: triton.InferenceServerClient, binary: bool, compression: str | None
) -> None:
    result = client.infer(
        "hotel",
        _inputs(_ROWS, binary=binary),
        request_id="mine",
        timeout=5_000_000,
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    native = _native(server)
    assert result.get_response()["id"] == "mine"
    assert result.as_numpy("score").ravel().tolist() == [one["score"] for one in native]
    assert result.as_numpy("decision").ravel().tolist() == [one["decision"] for one in native]
    assert result.as_numpy("release").ravel().tolist() == [b"r0001"] * 3
    assert len({*result.as_numpy("prediction_id").ravel()}) == 3


def test_triton_s_client_may_ask_for_outputs_versions_and_a_wide_tensor(
    client: triton.InferenceServerClient,
) -> None:
    wide = triton.InferInput("features", [3, 2], "FP32")
    wide.set_data_from_numpy(np.array([[one["price"], one["nights"]] for one in _ROWS], np.float32))
    others = [one for one in _inputs(_ROWS) if one.name() not in _DATATYPES]
    wanted = [
        triton.InferRequestedOutput("decision"),
        triton.InferRequestedOutput("score", binary_data=False),
    ]
    result = client.infer("hotel", [*others, wide], model_version="r0001", outputs=wanted)
    assert result.as_numpy("decision").ravel().tolist() == [False, True, False]
    assert result.as_numpy("score").shape == (3, 1)
    assert result.as_numpy("release") is None


def test_triton_s_client_answers_large_batches_compressed(client: triton.InferenceServerClient) -> None:
    rows = [row(number) for number in range(500)]
    result = client.infer("hotel", _inputs(rows), response_compression_algorithm="gzip")
    assert result.as_numpy("score").shape == (500, 1)


def test_triton_s_client_may_ask_several_at_once(client: triton.InferenceServerClient) -> None:
    asked = [client.async_infer("hotel", _inputs([row(number)])) for number in range(5)]
    names = {bytes(one.get_result().as_numpy("prediction_id").item()) for one in asked}
    assert len(names) == 5


def test_triton_s_client_is_told_what_is_wrong(client: triton.InferenceServerClient) -> None:
    with pytest.raises(
        InferenceServerException, match=r"2 faults in the request: row 0, (nights|price): expected"
    ) as refused:
        client.infer("hotel", _inputs([row(1, price=-1.0, nights=-1)]))
    assert refused.value.status() == "400"
    with pytest.raises(InferenceServerException, match="no version '2'"):
        client.infer("hotel", _inputs(_ROWS), model_version="2")
    with pytest.raises(InferenceServerException, match="no model 'motel'"):
        client.infer("motel", _inputs(_ROWS))
    with pytest.raises(InferenceServerException, match="seatrial release"):
        client.load_model("hotel")


def test_predictions_through_other_doors_take_outcomes(
    server: Server, client: triton.InferenceServerClient
) -> None:
    result = client.infer("hotel", _inputs([row(1)]))
    name = result.get_response()["parameters"]["prediction_id"]
    outcome = {"prediction_id": name, "is_canceled": True}
    assert server.ask("/v1/products/hotel/outcomes", {"outcomes": [outcome]}).json()["accepted"] == 1


@pytest.mark.skipif(not _MLFLOW.exists(), reason="MLflow is not there: make peers")
def test_mlflow_s_client_gets_the_answers_of_the_native_door(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    command = [str(_MLFLOW), "-c", _MLFLOW_CLIENT, port, json.dumps(_ROWS)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    native = _native(server)
    for answers in (told["answered"], told["timed"]):
        assert [one["score"] for one in answers] == [one["score"] for one in native]
        assert [one["decision"] for one in answers] == [one["decision"] for one in native]
    assert told["partial"] == [0, 2]
    assert "BAD_REQUEST" in told["refused"]
    assert '"field":"price"' in told["refused"]
    assert told["version"].count(".") == 2


def test_the_formats_of_invocations_and_arrow_answer_alike(server: Server) -> None:
    scores = [one["score"] for one in _native(server)]
    frame = pl.DataFrame(_ROWS)
    url = f"{server.url}/invocations"
    csv = httpx.post(url, content=frame.write_csv(), headers={"content-type": "text/csv"}, timeout=20)
    assert [one["score"] for one in csv.json()["predictions"]] == scores
    parquet = {"content-type": "application/vnd.apache.parquet"}
    file = httpx.post(url, content=_written(frame, "write_parquet"), headers=parquet, timeout=20)
    assert [one["score"] for one in file.json()["predictions"]] == scores
    arrow = {"content-type": "application/vnd.apache.arrow.stream"}
    native = f"{server.url}/v1/products/hotel/predict"
    stream = httpx.post(native, content=_written(frame, "write_ipc_stream"), headers=arrow, timeout=20)
    assert stream.headers["content-type"] == arrow["content-type"]
    assert pl.read_ipc_stream(stream.content)["score"].to_list() == scores


def _written(frame: pl.DataFrame, method: str) -> bytes:
    file = BytesIO()
    getattr(frame, method)(file)
    return file.getvalue()


def test_the_example_of_the_description_is_answered(server: Server) -> None:
    document = server.ask("/v1/products/hotel/openapi.json").json()
    for path, operations in document["paths"].items():
        content = (
            operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        )
        if "example" in content:
            assert server.ask(path, content["example"]).status_code == 200, path
