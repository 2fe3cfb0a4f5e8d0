"""What /metrics and /readyz tell, read as Prometheus reads it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import ModelFailed
from seatrial.serve import journal_watch
from seatrial.serve.counters import Histogram
from seatrial.web.scoring.metrics_defined import METRICS
from seatrial.web.scoring.metrics_process import add_process
from seatrial.web.scoring.metrics_text import Sample, Samples, exposition
from seatrial.web.scoring.routes import route_of
from tests.hotel import PRODUCT_FILE, FunctionScorer, row
from tests.prometheus_text import parsed
from tests.scoring_stage import ScoringStage

DOCS = Path(__file__).resolve().parents[3] / "docs"
ANSWERS = PRODUCT_FILE + "serve: {journal: {unavailable: answer}}\n"
CONVENTIONAL = re.compile(r"(seatrial|process)_[a-z_]+[a-z]")


def told(reply: Any) -> Any:
    return json.loads(reply.body)


def test_a_page_is_read_by_prometheus_and_counts_what_happened() -> None:
    with ScoringStage() as stage:
        stage.predict(row(1), row(2))
        stage.predict(row(1, price=-1))
        stage.ask("GET", "/nowhere")
        stage.ask("POST", "/v1/products/hotel/outcomes", {"outcomes": [{"label": True}]})
        stage.ask("POST", "/v1/products/hotel/actions", {"actions": [{"decision": True}]})
        page = stage.scraped()
    assert page.of("seatrial_rows_total", release="r0001") == 2
    assert page.of("seatrial_requests_total", outcome="ok") == 1
    assert page.of("seatrial_requests_total", outcome="request_invalid") == 1
    assert page.of("seatrial_contract_violations_total", field="price") == 1
    assert page.of("seatrial_http_responses_total", route="(other)", code="404") == 1
    predict = "/v1/products/{product}/predict"
    for code_class in ("2xx", "4xx"):
        labels = {"route": predict, "code_class": code_class}
        assert page.of("seatrial_http_request_duration_seconds_count", **labels) == 1
    assert page.of("seatrial_queue_duration_seconds_count", product="hotel") == 2
    assert page.of("seatrial_model_duration_seconds_count", release="r0001") == 1
    assert page.of("seatrial_batch_rows_sum", product="hotel") == 2
    assert page.of("seatrial_journal_records_total", kind="predictions") == 1
    assert page.of("seatrial_outcomes_total", verdict="refused") == 1
    assert page.of("seatrial_actions_total", verdict="refused") == 1
    assert page.of("seatrial_model_loaded_timestamp_seconds", release="r0001") == stage.started.timestamp()
    assert page.of("seatrial_requests_in_flight", product="hotel") == 0
    assert page.workers == set(), "alone, a worker needs no name"


def test_the_weights_of_variants_add_up_to_one() -> None:
    file = PRODUCT_FILE.replace("  value_range", "  holdout: 10%\n  value_range")
    with ScoringStage(canary=0.25, file=file) as stage:
        stage.predict()
        page = stage.scraped()
    weights = {
        variant: page.of("seatrial_variant_weight_ratio", variant=variant)
        for variant in ("live", "canary", "holdout")
    }
    assert weights == {
        "live": pytest.approx(0.675),
        "canary": pytest.approx(0.225),
        "holdout": pytest.approx(0.1),
    }


def test_every_metric_is_documented_with_its_kind_and_named_by_convention() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z_]+)`[^|]*\| (counter|gauge|histogram) \|", page, re.MULTILINE))
    assert documented == {name: defined.kind for name, defined in METRICS.items()}
    for name, (kind, text) in METRICS.items():
        assert CONVENTIONAL.fullmatch(name), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert text.endswith("."), name
        assert "\n" not in text
        assert "\\" not in text


def test_labels_are_written_so_that_they_come_back_as_they_were() -> None:
    strange = 'a "quoted" \\ back\\nslash\nand a line'
    page = parsed(exposition({strange: [Sample("seatrial_rows_total", "", {"release": strange}, 3)]}))
    assert page.of("seatrial_rows_total", release=strange, worker=strange) == 3


def test_numbers_that_are_none_have_prometheus_words() -> None:
    samples = Samples()
    for name, value in (("a", float("inf")), ("b", float("-inf")), ("c", float("nan")), ("d", 0.25)):
        samples.add("seatrial_lookup_staleness_seconds", value, lookup=name)
    lines = exposition({"": samples.all}).splitlines()[2:]
    assert [line.split()[-1] for line in lines] == ["+Inf", "-Inf", "NaN", "0.25"]


def test_a_histograms_buckets_count_from_below() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    samples = Samples()
    samples.histogram("seatrial_batch_rows", histogram, product="hotel")
    page = parsed(exposition({"": samples.all}))
    found = [page.of("seatrial_batch_rows_bucket", le=bound) for bound in ("1", "2", "+Inf")]
    assert found == [2, 3, 4]
    assert page.of("seatrial_batch_rows_sum") == 12


def test_callers_cannot_fill_the_counters_with_paths() -> None:
    paths = ["/x", "", "*", "/v1", "/v1/products", "/v1/products/a/b/c", "/v1/products/a/b", "//", "/livez/x"]
    assert {route_of(path) for path in paths} == {"(other)"}
    assert {route_of(f"/v2/models/{name}/versions/{name}/infer") for name in "abc"} == {
        "/v2/models/{model}/infer"
    }
    assert route_of("/v1/products/a") == route_of("/v1/products/b") == "/v1/products/{product}"


def test_the_process_is_told_where_the_kernel_tells_of_it(tmp_path: Path) -> None:
    told_here, told_elsewhere = Samples(), Samples()
    add_process(told_here)
    add_process(told_elsewhere, tmp_path)
    values = {sample.metric: sample.value for sample in told_here.all}
    assert values.keys() == {name for name in METRICS if name.startswith("process_")}
    assert values["process_resident_memory_bytes"] > 10_000_000
    assert values["process_start_time_seconds"] > 1_700_000_000
    assert told_elsewhere.all == []


def test_a_server_without_a_release_lives_but_is_not_ready() -> None:
    with ScoringStage(live=None) as stage:
        assert stage.ask("GET", "/livez").status == 200
        reply = stage.ask("GET", "/readyz")
        assert stage.scraped().of("seatrial_ready", product="hotel") == 0
    assert reply.status == 503
    assert told(reply)["products"] == {"hotel": "not ready: no release is live here"}


def test_a_server_that_goes_down_is_not_ready_yet_answers_and_sends_callers_elsewhere() -> None:
    with ScoringStage() as stage:
        assert stage.ask("GET", "/readyz").status == 200
        stage.app.drain()
        ready, answer = stage.ask("GET", "/readyz"), stage.predict()
        assert stage.ask("GET", "/livez").status == 200
    assert ready.status == 503
    assert told(ready)["products"] == {"hotel": "not ready: the server is going down"}
    assert answer.status == 200
    assert ("connection", "close") in answer.headers


def test_a_server_whose_journal_fails_is_not_ready_until_it_works_again() -> None:
    with ScoringStage() as stage:
        stage.writer.fails = True
        refused, reply = stage.predict(), stage.ask("GET", "/readyz")
        page = stage.scraped()
        stage.writer.fails = False
        assert stage.predict().status == 200
        assert stage.ask("GET", "/readyz").status == 200
    assert (refused.status, reply.status) == (503, 503)
    assert told(reply)["products"] == {"hotel": "not ready: the journal cannot be written"}
    assert page.of("seatrial_journal_failing", product="hotel") == 1
    assert page.of("seatrial_journal_failures_total", kind="predictions") == 1


def test_a_journal_that_failed_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScoringStage() as stage:
        stage.writer.fails = True
        stage.predict()
        monkeypatch.setattr(journal_watch, "FORGIVEN_SECONDS", 0.0)
        assert stage.ask("GET", "/readyz").status == 200, "without requests nobody would ever find out"
        stage.writer.fails = False


def test_a_product_that_rather_answers_stays_ready_without_a_journal() -> None:
    with ScoringStage(file=ANSWERS) as stage:
        stage.writer.fails = True
        assert stage.predict(row(1), row(2)).status == 200
        assert stage.ask("GET", "/readyz").status == 200
        page = stage.scraped()
        stage.writer.fails = False
    assert page.of("seatrial_journal_lost_rows_total", release="r0001") == 2
    assert page.of("seatrial_journal_failing", product="hotel") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("not today"), "model raised ValueError"),
        (ModelFailed("its process died of SIGSEGV", "gone"), "model process failed"),
    ],
)
def test_a_server_whose_model_fails_stays_ready_and_says_so(error: Exception, reason: str) -> None:
    broken = [True]

    def score(inputs: Any) -> Any:
        if broken[0]:
            raise error
        return inputs["price"][:, 0] / 1000

    with ScoringStage(live="given", given=FunctionScorer(score)) as stage:
        stage.predict()
        failing, page = stage.ask("GET", "/readyz"), stage.scraped()
        broken[0] = False
        stage.predict()
        mended, later = stage.ask("GET", "/readyz"), stage.scraped()
    assert failing.status == 200
    assert told(failing)["failing"] == {"hotel": {"r0001": reason}}
    assert page.of("seatrial_model_failing", release="r0001") == 1
    assert page.of("seatrial_fallback_total", release="r0001", reason=reason) == 1
    assert told(mended) == {"ready": True, "products": {"hotel": "ready"}}
    assert later.of("seatrial_model_failing", release="r0001") == 0


def test_how_often_a_models_own_process_was_started_again_is_shown() -> None:
    class Isolated(FunctionScorer):
        restarts = 3

    with ScoringStage(live="given", given=Isolated(lambda inputs: inputs["price"][:, 0] / 1000)) as stage:
        assert stage.scraped().of("seatrial_model_restarts_total", release="r0001") == 3
