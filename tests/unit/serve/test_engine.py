"""The engine: rows in, journaled predictions out."""

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from seatrial.contract.model import ColumnContract
from seatrial.errors import JournalUnavailable, NotReady, RequestInvalid
from seatrial.facts.ejection import Ejection
from seatrial.facts.prediction import Prediction, Variant
from seatrial.facts.records import EJECTIONS, decode_ejection
from seatrial.facts.release import Phase
from seatrial.ports.runtime import Inputs
from seatrial.serve.engine import Engine
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.request import Answers, Request
from seatrial.serve.routing import Routes
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import (
    BOOKED,
    START,
    FunctionScorer,
    PriceScorer,
    hotel_product,
    journaled,
    loaded,
    not_numbers,
    raising,
    row,
)


class Bench:
    """An engine, its clock and its journal."""

    def __init__(
        self,
        live: LoadedRelease | None = None,
        challenger: LoadedRelease | None = None,
        *,
        ejects: bool = False,
    ) -> None:
        self.clock = MemoryClock(START)
        self.journal = MemoryJournal()
        self.writer = self.journal.writer()
        numbers = itertools.count()
        routes = Routes.of(live or loaded(), challenger)
        self.engine = Engine(
            routes,
            self.writer,
            self.clock,
            ids=lambda rows: [f"p{next(numbers)}" for _ in range(rows)],
            elapsed=lambda: self.clock.now().timestamp(),
            ejects=ejects,
        )

    def predict(self, *rows: dict[str, Any], **options: Any) -> list[Prediction]:
        """What the rows were answered, as it was journaled."""
        given = self.engine.predict(rows, **options).predictions
        recorded = {one.prediction_id: one for one in self.journaled if one.served != Variant.SHADOW}
        found = [recorded[one.prediction_id] for one in given]
        told = [(p.key, p.score, p.decision, p.release, p.served, p.fallback) for p in found]
        assert told == [(a.key, a.score, a.decision, a.release, a.variant, a.fallback) for a in given]
        return found

    @property
    def journaled(self) -> list[Prediction]:
        self.writer.seal()
        return journaled(self.journal)


def faults_of(error: pytest.ExceptionInfo[RequestInvalid]) -> set[tuple[object, object]]:
    return {(fault["row"], fault["field"]) for fault in error.value.faults}


def test_a_row_gets_the_models_score_and_the_decision_at_the_threshold() -> None:
    low, high = Bench().predict(row(1, price=499.0), row(2, price=501.0))
    assert low.score == pytest.approx(0.499)
    assert (low.decision, high.decision) == (False, True)
    assert (low.key, low.release, low.fallback) == ("b1", "r0001", None)


def test_a_prediction_holds_looked_up_and_derived_columns() -> None:
    [prediction] = Bench().predict(row())
    assert prediction.features["rain"] == 3.0
    assert prediction.features["lead_hours"] == 240.0
    assert prediction.matured_at == BOOKED + timedelta(days=10)


def test_every_answer_is_journaled_as_it_was_given() -> None:
    bench = Bench()
    assert bench.journaled == []
    given = bench.predict(row(1), row(2), trace_id="t")
    assert bench.journaled == list(given)


def test_an_answer_that_cannot_be_journaled_is_not_given() -> None:
    bench = Bench()
    bench.writer.fails = True
    with pytest.raises(JournalUnavailable):
        bench.predict(row(), idempotency_key="k")
    bench.writer.fails = False
    assert len(bench.predict(row(), idempotency_key="k")) == 1, "the failure must not have been remembered"


def test_a_broken_contract_names_every_row_and_field_at_once() -> None:
    bench = Bench()
    rows = (row(0, price=-1.0, deposit="half"), row(1), row(2, price="12", humidity=3))
    with pytest.raises(RequestInvalid) as error:
        bench.predict(*rows)
    assert faults_of(error) == {(0, "price"), (0, "deposit"), (2, "price"), (2, "humidity")}
    assert bench.journaled == []
    assert bench.engine.counters.violations["price"] == 2
    assert "humidity" not in bench.engine.counters.violations, "callers must not choose what is counted"


def test_partial_answers_the_good_rows_and_names_the_others() -> None:
    answers = Bench().engine.predict([row(0), row(1, price=None), row(2)], partial=True)
    assert [prediction.key for prediction in answers.predictions] == ["b0", "b2"]
    assert [prediction.row for prediction in answers.predictions] == [0, 2]
    assert [(fault["row"], fault["field"]) for fault in answers.faults] == [(1, "price")]


@pytest.mark.parametrize("arrival", [None, "9999-12-31T23:59:59Z"])
def test_a_row_that_never_matures_is_a_fault_of_its_own_request(arrival: str | None) -> None:
    bench = Bench()
    bad = Request(rows=[row(0), row(1, arrival_at=arrival)])
    good = Request(rows=[row(2)])
    refused, answered = bench.engine.predict_many([bad, good])
    assert isinstance(refused, RequestInvalid)
    assert [(fault["row"], fault["field"]) for fault in refused.faults] == [(1, "arrival_at")]
    assert isinstance(answered, Answers)
    assert [prediction.key for prediction in answered.predictions] == ["b2"]
    partial = bench.engine.predict(bad.rows, partial=True)
    assert [prediction.row for prediction in partial.predictions] == [0]


def test_a_moment_at_the_edge_of_the_calendar_hurts_nobody_else() -> None:
    requests = [Request(rows=[row(0, booked_at="0001-01-01T00:00:00+14:00")]), Request(rows=[row(1)])]
    edge, answered = Bench().engine.predict_many(requests)
    assert isinstance(edge, Exception)
    assert isinstance(answered, Answers)


def test_a_row_without_its_moment_was_decided_when_it_arrived() -> None:
    [prediction] = Bench().predict(row(booked_at=None))
    assert prediction.made_at == START
    assert "booked_at" not in prediction.features


def test_times_with_other_zones_are_the_same_moment() -> None:
    [prediction] = Bench().predict(row(booked_at="2024-12-01T14:00:00+02:00"))
    assert prediction.made_at == datetime(2024, 12, 1, 12, tzinfo=UTC)


def test_without_a_live_release_nothing_is_answered() -> None:
    engine = Engine(None, MemoryJournal().writer(), MemoryClock(START))
    with pytest.raises(NotReady):
        engine.predict([row()])


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [
        (FunctionScorer(raising), "model raised ValueError"),
        (FunctionScorer(not_numbers), "score is not a number"),
        (FunctionScorer(lambda inputs: np.array([0.5])), "model gave another number of scores"),
    ],
    ids=["raises", "not a number", "wrong shape"],
)
def test_a_failing_model_is_answered_for_by_the_baseline(scorer: FunctionScorer, reason: str) -> None:
    bench = Bench(loaded(scorer=scorer))
    cheap, dear = bench.predict(row(1, price=10.0), row(2, price=900.0))
    assert (cheap.score, cheap.fallback) == (None, reason)
    assert (cheap.decision, dear.decision) == (False, True)
    assert (cheap.decision, dear.decision) == (cheap.baseline, dear.baseline)
    assert bench.engine.counters.fallbacks["r0001", reason] == 2


def test_only_the_rows_without_a_number_fall_back() -> None:
    def one_nan(inputs: Inputs) -> Any:
        scores = inputs["price"][:, 0].astype(np.float64) / 1000
        scores[0] = np.inf
        return scores

    first, second = Bench(loaded(scorer=FunctionScorer(one_nan))).predict(row(0), row(1))
    assert first.score is None
    assert first.fallback == "score is not a number"
    assert second.score == pytest.approx(0.101)


def test_a_model_that_hangs_is_left_behind_and_not_asked_again_meanwhile() -> None:
    release = threading.Event()
    calls: list[int] = []

    def hang(inputs: Inputs) -> Any:
        calls.append(1)
        release.wait(30)
        return np.zeros(inputs["price"].shape[0])

    bench = Bench(loaded(scorer=FunctionScorer(hang)))
    reasons = [bench.predict(row(), deadline_seconds=0.02)[0].fallback for _ in range(3)]
    release.set()
    assert reasons == ["model too slow"] * 3
    assert len(calls) == 1
    bench.engine.close()


def test_a_model_that_keeps_failing_is_left_alone_and_tried_again_later() -> None:
    scorer = PriceScorer()
    flaky = FunctionScorer(raising)
    bench = Bench(loaded(scorer=flaky))
    reasons = [bench.predict(row())[0].fallback for _ in range(6)]
    assert reasons == ["model raised ValueError"] * 5 + ["breaker open"]
    assert bench.engine.counters.breaker_opens["r0001"] == 1
    flaky.function = scorer.score
    assert bench.predict(row())[0].fallback == "breaker open"
    bench.clock.advance(seconds=31)
    assert bench.predict(row())[0].fallback is None


def test_a_shadow_scores_every_row_and_answers_none() -> None:
    shadow = loaded("r0002", FunctionScorer(lambda inputs: np.full(inputs["price"].shape[0], 0.9)))
    bench = Bench(challenger=loaded("r0002", shadow.scorer, phase=Phase.SHADOW, share=0.5))
    answers = bench.predict(*(row(number) for number in range(20)))
    assert {answer.release for answer in answers} == {"r0001"}
    beside = [prediction for prediction in bench.journaled if prediction.served == Variant.SHADOW]
    assert [prediction.prediction_id for prediction in beside] == [answer.prediction_id for answer in answers]
    assert {(prediction.release, prediction.score, prediction.assigned) for prediction in beside} == {
        ("r0002", 0.9, Variant.SHADOW)
    }


def test_a_canary_answers_its_share_and_the_other_release_is_beside_it() -> None:
    bench = Bench(challenger=loaded("r0002", phase=Phase.CANARY, share=0.3))
    answers = bench.predict(*(row(number) for number in range(200)))
    canary = [answer for answer in answers if answer.served == Variant.CANARY]
    assert 30 <= len(canary) <= 90
    assert {(answer.release, answer.propensity) for answer in canary} == {("r0002", 0.3)}
    assert {answer.propensity for answer in answers if answer.served == Variant.LIVE} == {0.7}
    releases = {answer.prediction_id: answer.release for answer in answers}
    beside = [prediction for prediction in bench.journaled if prediction.served == Variant.SHADOW]
    assert len(beside) == 200
    assert all({releases[shadow.prediction_id], shadow.release} == {"r0001", "r0002"} for shadow in beside)


def test_a_canary_that_fails_leaves_its_rows_to_the_live_release() -> None:
    bench = Bench(challenger=loaded("r0002", FunctionScorer(raising), phase=Phase.CANARY, share=0.5))
    answers = bench.predict(*(row(number) for number in range(40)))
    assert {answer.served for answer in answers} == {Variant.LIVE}
    assert {answer.assigned for answer in answers} == {Variant.LIVE, Variant.CANARY}
    assert all(answer.score is not None for answer in answers)
    moved = sum(answer.assigned == Variant.CANARY for answer in answers)
    assert bench.engine.counters.diverted["r0002", "model raised ValueError"] == moved
    assert bench.engine.counters.shadow_errors["r0002"] == 1


def test_a_challenger_decides_under_its_own_product() -> None:
    changed = hotel_product(file=hotel_product().texts[0].replace("price > 500", "price > 5000"))
    other = loaded("r0002", phase=Phase.SHADOW, product=changed)
    bench = Bench(challenger=other)
    [answer] = bench.predict(row(price=900.0))
    [_, shadow] = bench.journaled
    assert (answer.baseline, shadow.baseline) == (True, False)


def test_a_challenger_that_needs_more_than_requests_bring_falls_back() -> None:
    wider = hotel_product(ColumnContract(name="stars", type="int", role="feature"))
    bench = Bench(challenger=loaded("r0002", phase=Phase.CANARY, share=0.5, product=wider))
    answers = bench.predict(*(row(number) for number in range(10)))
    assert {answer.release for answer in answers} == {"r0001"}
    beside = {prediction.fallback for prediction in bench.journaled if prediction.served == Variant.SHADOW}
    assert beside == {"requests have no column stars"}


def test_a_repeated_key_gets_the_same_prediction_and_is_journaled_once() -> None:
    bench = Bench()
    first = bench.predict(row(1), row(2), idempotency_key="k")
    bench.clock.advance(hours=1)
    assert bench.predict(row(1), row(2), idempotency_key="k") == first
    assert len(bench.journaled) == 2


def test_a_repeated_key_gets_the_same_ids_after_a_restart() -> None:
    first = Bench().predict(row(1), row(2), idempotency_key="k")
    again = Bench().predict(row(1), row(2), idempotency_key="k")
    other = Bench().predict(row(1), row(2), idempotency_key="other")
    assert [p.prediction_id for p in first] == [p.prediction_id for p in again]
    assert not {p.prediction_id for p in first} & {p.prediction_id for p in other}


def test_a_key_twice_in_one_batch_is_worked_once() -> None:
    bench = Bench()
    request = Request(rows=[row(1)], idempotency_key="k")
    first, second = bench.engine.predict_many([request, request])
    assert first == second
    assert len(bench.journaled) == 1


def test_a_key_used_with_other_rows_is_refused() -> None:
    bench = Bench()
    bench.predict(row(1), idempotency_key="k")
    with pytest.raises(RequestInvalid) as error:
        bench.predict(row(2), idempotency_key="k")
    assert faults_of(error) == {(0, "idempotency_key")}


def test_forgotten_keys_are_the_ones_unused_for_longest() -> None:
    engine = Engine(Routes.of(loaded()), MemoryJournal().writer(), MemoryClock(START), idempotency_capacity=2)
    made = {key: engine.predict([row(1)], idempotency_key=key) for key in "ab"}
    engine.predict([row(1)], idempotency_key="a")
    engine.predict([row(1)], idempotency_key="c")
    assert engine.predict([row(1)], idempotency_key="a") is made["a"]
    assert engine.predict([row(1)], idempotency_key="b") is not made["b"]


def test_requests_of_one_batch_get_their_own_rows() -> None:
    requests = [Request(rows=[row(1), row(2)]), Request(rows=[]), Request(rows=[row(3)], trace_id="t")]
    results = Bench().engine.predict_many(requests)
    keys = [[p.key for p in result.predictions] for result in results if isinstance(result, Answers)]
    assert keys == [["b1", "b2"], [], ["b3"]]


def test_latency_counts_from_the_arrival() -> None:
    bench = Bench()
    bench.engine.predict_many([Request(rows=[row()], received_at=START - timedelta(milliseconds=250))])
    assert bench.journaled[0].latency_ms == pytest.approx(250.0)


def test_latency_is_counted_by_a_clock_that_never_jumps() -> None:
    bench = Bench()
    later = START + timedelta(days=1)  # the wall clock was set back meanwhile
    arrived = START.timestamp() - 0.5
    bench.engine.predict_many([Request(rows=[row()], received_at=later, arrived=arrived)])
    assert bench.journaled[0].latency_ms == pytest.approx(500)


def test_a_swapped_release_answers_the_next_request() -> None:
    bench = Bench()
    before = bench.predict(row())[0].release
    bench.engine.routes = Routes.of(loaded("r0002"))
    assert (before, bench.predict(row())[0].release) == ("r0001", "r0002")


def test_units_held_out_get_the_baselines_decision_and_keep_their_score() -> None:
    held = hotel_product(file=hotel_product().texts[0].replace("unit: EUR", "unit: EUR\n  holdout: 50%"))
    bench = Bench(loaded(product=held))
    rows = bench.predict(*(row(number, price=400.0 + number * 5, deposit="full") for number in range(60)))
    out = [one for one in rows if one.assigned == Variant.HOLDOUT]
    assert 15 <= len(out) <= 45
    assert {one.served for one in out} == {Variant.HOLDOUT}
    assert all(one.decision == one.baseline and one.score is not None for one in out)
    assert {one.propensity for one in rows} == {0.5}
    assert any(one.decision != one.baseline for one in rows if one.assigned == Variant.LIVE)


def ejections(bench: Bench) -> list[Ejection]:
    bench.writer.seal()
    return [
        decode_ejection(record)
        for segment in bench.journal.sealed()
        if segment.kind == EJECTIONS
        for record in segment.records
    ]


def failing_canary(*, ejects: bool = False) -> Bench:
    canary = loaded("r0002", FunctionScorer(raising), phase=Phase.CANARY, share=0.5)
    return Bench(challenger=canary, ejects=ejects)


def test_a_canary_that_fails_is_out_of_the_traffic_and_the_journal_says_so() -> None:
    bench = failing_canary(ejects=True)
    bench.predict(*(row(number) for number in range(100)))
    assert bench.engine.routes is not None
    assert bench.engine.routes.challenger is None
    found = bench.engine.ejected["r0002"]
    assert found.reason == "the canary fails"
    assert found.failed == found.rows >= 20
    assert ejections(bench) == [found]


def test_an_ejection_that_could_not_be_recorded_is_recorded_later() -> None:
    bench = failing_canary(ejects=True)
    append = bench.writer.append

    def refuse(kind: str, records: Sequence[bytes]) -> None:
        if kind == EJECTIONS:
            raise JournalUnavailable("full")
        append(kind, records)

    bench.writer.append = refuse  # type: ignore[method-assign]  # the fake fails for one kind alone
    bench.predict(*(row(number) for number in range(100)))
    assert ejections(bench) == []
    bench.writer.append = append  # type: ignore[method-assign]  # it can write again
    bench.engine.look_round()
    assert ejections(bench) == [bench.engine.ejected["r0002"]]


def test_what_is_replayed_ejects_nobody() -> None:
    bench = failing_canary()
    bench.predict(*(row(number) for number in range(100)))
    assert bench.engine.routes is not None
    assert bench.engine.routes.challenger is not None


def test_a_product_may_rather_answer_without_a_record_which_is_counted() -> None:
    file = hotel_product().texts[0] + "serve: {journal: {unavailable: answer}}\n"
    bench = Bench(loaded(product=hotel_product(file=file)))
    bench.writer.fails = True
    answers = bench.engine.predict([row(1), row(2)])
    assert [one.fallback for one in answers.predictions] == [None, None]
    assert bench.engine.counters.journal_lost == {"r0001": 2}
    bench.writer.fails = False
    assert bench.journaled == []


@pytest.mark.parametrize("other", ["timestamp", "date", "float", "int", "bool"])
def test_a_challenger_that_types_a_column_otherwise_falls_back_and_hurts_nobody(other: Any) -> None:
    ours = hotel_product(ColumnContract(name="extra", type="string"))
    theirs = hotel_product(ColumnContract(name="extra", type=other))
    tried = loaded("r0002", phase=Phase.CANARY, share=0.5, product=theirs)
    bench = Bench(loaded(product=ours), tried)
    answers = bench.predict(*(row(number, extra="7") for number in range(10)))
    assert {answer.release for answer in answers} == {"r0001"}
    beside = {one.fallback for one in bench.journaled if one.served == Variant.SHADOW}
    assert beside == {"requests have another type of column extra"}


def test_what_fails_behind_the_journal_neither_doubles_nor_takes_back_answers() -> None:
    class Broken:
        def run(self, job: object, release: str, rows: int) -> None:
            raise RuntimeError("can't start new thread")

        def close(self) -> None:
            """Nothing is held."""

    journal = MemoryJournal()
    writer = journal.writer()
    routes = Routes.of(loaded(), loaded("r0002", phase=Phase.SHADOW))
    engine = Engine(routes, writer, MemoryClock(START), beside=Broken())
    results = engine.predict_many([Request(rows=[row(1)]), Request(rows=[row(2)])])
    assert all(isinstance(result, Answers) for result in results)
    writer.seal()
    assert [one.key for one in journaled(journal)] == ["b1", "b2"]


def test_faults_count_in_the_memory_of_answers() -> None:
    engine = Engine(Routes.of(loaded()), MemoryJournal().writer(), MemoryClock(START), idempotency_capacity=5)
    bad = [row(0), *({"price": -1.0} for _ in range(4))]
    first = engine.predict(bad, idempotency_key="a", partial=True)
    engine.predict([row(1)], idempotency_key="b")
    assert engine.predict(bad, idempotency_key="a", partial=True) is not first


def test_a_model_is_tried_again_in_time_though_the_wall_clock_was_set_back() -> None:
    elapsed = [0.0]
    scorer, clock = FunctionScorer(raising), MemoryClock(START)
    engine = Engine(
        Routes.of(loaded(scorer=scorer)), MemoryJournal().writer(), clock, elapsed=lambda: elapsed[0]
    )
    for _ in range(5):
        engine.predict([row()])
    scorer.function = PriceScorer().score
    clock.advance(hours=-3)
    elapsed[0] = 31.0
    assert engine.predict([row()]).predictions[0].fallback is None


def test_a_request_whose_rows_are_all_at_fault_is_not_remembered_by_its_key() -> None:
    bench = Bench()
    bad, good = Request(rows=[{"price": 1.0}], idempotency_key="k", partial=True), Request(rows=[row(1)])
    for company in ([], [good]):
        [first, *_] = bench.engine.predict_many([bad, *company])
        assert isinstance(first, Answers)
        assert not first.predictions
    assert bench.engine.counters.violations["booking"] == 2
    assert len(bench.predict(row(2), idempotency_key="k")) == 1


def test_rows_that_never_mature_are_named_with_all_other_faults() -> None:
    with pytest.raises(RequestInvalid) as error:
        Bench().predict(row(0, price=-1.0), row(1, arrival_at=None))
    assert faults_of(error) == {(0, "price"), (1, "arrival_at")}


def test_a_challenger_for_which_whole_numbers_are_any_numbers_reads_them_so() -> None:
    ours = hotel_product(ColumnContract(name="stars", type="int", role="feature"))
    theirs = hotel_product(ColumnContract(name="stars", type="float", role="feature"))
    bench = Bench(loaded(product=ours), loaded("r0002", phase=Phase.SHADOW, product=theirs))
    bench.predict(row(1, stars=4), row(2, stars=None))
    shadows = [one for one in bench.journaled if one.served == Variant.SHADOW]
    assert [one.fallback for one in shadows] == [None, None]
    assert [type(one.features["stars"]) for one in shadows] == [float, type(None)]


def test_models_of_routes_that_no_batch_has_seen_are_closed() -> None:
    first, second, third = (PriceScorer() for _ in range(3))
    bench = Bench(loaded(scorer=first))
    bench.predict(row())
    bench.engine.routes = Routes.of(loaded("r0002", second))
    bench.engine.routes = Routes.of(loaded("r0003", third))
    bench.predict(row())
    assert [scorer.closed for scorer in (first, second, third)] == [True, True, False]
