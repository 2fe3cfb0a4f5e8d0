"""Batch scoring: every row is answered as a request would be, comes out once, and nothing is lost."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from seatrial.cycle.score import Finished, score
from seatrial.cycle.scored import finished_runs
from seatrial.data.ports import UNREADABLE_SCHEMA
from seatrial.errors import Conflict, DataRefused, NotFound, NotReady
from seatrial.facts.release import Phase
from seatrial.facts.scoring_run import DONE, ScoringRun
from seatrial.ports.runtime import Inputs
from seatrial.ports.workspace import Workspace
from seatrial.serve.collected import CollectedRecords
from seatrial.serve.engine import Engine
from seatrial.serve.loading import load_release
from seatrial.serve.request import Request
from seatrial.serve.routing import Routes
from tests.batch_scoring import FrameInputs, bookings, is_bad, launched, stored_predictions, work
from tests.fakes.outputs import MemoryOutput
from tests.fakes.workspace import memory_workspace
from tests.hotel import FunctionScorer, NamedRuntime, PriceScorer, raising, row, stored_release


@pytest.fixture
def workspace() -> Workspace:
    made = memory_workspace()
    launched(made)
    return made


def scored(workspace: Workspace, inputs: Any, **changes: Any) -> tuple[Finished, MemoryOutput]:
    output = MemoryOutput()
    return score(work(workspace, inputs, output, **changes)), output


def answers_of(output: MemoryOutput) -> pl.DataFrame:
    assert output.whole is not None
    return output.whole


def test_every_sound_row_is_answered_once_in_order_over_all_files(workspace: Workspace) -> None:
    found, output = scored(workspace, FrameInputs([bookings(0, 13), bookings(13, 12)]))
    good = [number for number in range(25) if not is_bad(number)]
    answers = answers_of(output)
    assert answers["row"].to_list() == good
    assert answers["key"].to_list() == [f"b{number}" for number in good]
    assert answers["file"].to_list() == ["f0.csv" if number < 13 else "f1.csv" for number in good]
    assert answers["score"].to_list() == pytest.approx([(100 + number) / 1000 for number in good])
    assert answers["prediction_id"].n_unique() == len(good)
    assert (found.run.rows, found.run.answered, found.run.refused, found.run.chunks) == (25, 22, 3, 3)
    assert found.run.state == DONE


def test_the_answers_are_those_of_requests(workspace: Workspace) -> None:
    frame = bookings(0, 30)
    _, output = scored(workspace, FrameInputs([frame]))
    live = load_release(stored_release(workspace.artifacts), workspace.artifacts, NamedRuntime())
    engine = Engine(Routes.of(live), CollectedRecords(), workspace.clock)
    [asked] = engine.predict_many([Request(rows=frame.drop("note").to_dicts(), partial=True)])
    assert not isinstance(asked, Exception)
    told = [(one.row, one.key, one.score, one.decision, one.release) for one in asked.predictions]
    assert answers_of(output).select("row", "key", "score", "decision", "release").rows() == told


def test_refused_rows_are_kept_with_all_their_faults(workspace: Workspace) -> None:
    frame = bookings(0, 12, bad_every=0).with_columns(pl.col("nights").cast(pl.String))
    frame[3, "nights"], frame[3, "price"], frame[11, "booking"] = "two", -1.0, None
    found, output = scored(workspace, FrameInputs([frame]))
    assert answers_of(output)["row"].to_list() == [0, 1, 2, *range(4, 11)]
    [first, second] = output.refused
    assert (first["row"], first["file"], first["file_row"]) == (3, "f0.csv", 3)
    faults: Any = first["faults"]
    assert {(fault["field"], fault["received"]) for fault in faults} == {
        ("price", "-1.0"),
        ("nights", '"two"'),
    }
    assert first["data"] == frame.row(3, named=True)
    assert second["row"] == 11
    assert found.run.refused == 2


def test_lines_that_are_no_rows_are_told_once_with_the_file_they_lie_in(workspace: Workspace) -> None:
    line = [(4, "file.columns", "7 values", "3 values", '"b,2,c"')]
    broken = {1: pl.DataFrame(line, schema=UNREADABLE_SCHEMA, orient="row")}
    inputs = FrameInputs([bookings(0, 10, bad_every=0), bookings(10, 5, bad_every=0)], broken)
    found, output = scored(workspace, inputs)
    [told] = output.refused
    assert (told["row"], told["file"], told["line"], told["data"]) == (None, "f1.csv", 4, "b,2,c")
    assert answers_of(output)["row"].to_list() == list(range(15))
    assert (found.run.rows, found.run.refused) == (15, 1)


def test_values_that_only_storage_differs_in_are_read_as_the_contract_says(workspace: Workspace) -> None:
    frame = bookings(0, 4, bad_every=0).with_columns(
        pl.col("price").cast(pl.Int64), pl.col("nights").cast(pl.Float64), pl.int_range(4).alias("booking")
    )
    _, output = scored(workspace, FrameInputs([frame]))
    assert answers_of(output)["key"].to_list() == ["0", "1", "2", "3"]
    assert answers_of(output)["score"].to_list() == pytest.approx([0.1, 0.101, 0.102, 0.103])


def test_the_input_is_added_on_request_in_the_contracts_types(workspace: Workspace) -> None:
    _, output = scored(workspace, FrameInputs([bookings(0, 12)]), with_input=True)
    answers = answers_of(output)
    assert answers["input_booking"].to_list() == answers["key"].to_list()
    assert answers.schema["input_booked_at"] == pl.Datetime("us", "UTC")
    assert "input_note" not in answers.columns


def test_predictions_are_recorded_once_and_nobody_waited_for_them(workspace: Workspace) -> None:
    _, output = scored(workspace, FrameInputs([bookings(0, 25)]))
    stored, answers = stored_predictions(workspace), answers_of(output)
    assert sorted(stored["prediction_id"]) == sorted(answers["prediction_id"])
    assert stored["latency_ms"].null_count() == stored.height
    both = answers.join(stored, on="prediction_id")
    assert both["made_at"].equals(both["made_at_right"])


def test_a_row_that_does_not_say_when_is_asked_at_the_runs_beginning(workspace: Workspace) -> None:
    found, output = scored(workspace, FrameInputs([bookings(0, 5).drop("booked_at")]))
    assert set(answers_of(output)["made_at"]) == {found.run.started_at}


def test_without_recording_the_predictions_table_is_left_alone(workspace: Workspace) -> None:
    found, output = scored(workspace, FrameInputs([bookings(0, 5)]), recorded=False)
    assert answers_of(output).height == 5
    assert not found.run.recorded
    assert stored_predictions(workspace).height == 0


def test_a_finished_run_that_is_started_again_does_nothing(workspace: Workspace) -> None:
    inputs, output = FrameInputs([bookings(0, 25)]), MemoryOutput()
    first = score(work(workspace, inputs, output))
    read = inputs.read
    again = score(work(workspace, inputs, output))
    assert again.before
    assert again.run == first.run
    assert inputs.read == read


def test_anew_means_other_ids_and_whoever_is_live_now(workspace: Workspace) -> None:
    inputs, output = FrameInputs([bookings(0, 12)]), MemoryOutput()
    first = score(work(workspace, inputs, output))
    before = set(answers_of(output)["prediction_id"])
    again = score(work(workspace, inputs, output), restart=True)
    assert (first.run.attempt, again.run.attempt) == (1, 2)
    assert not before & set(answers_of(output)["prediction_id"])
    assert stored_predictions(workspace).height == 2 * len(before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stamps": ["other", "1"]}, "f0.csv changed since"),
        ({"stamps": ["0"]}, "f1.csv is gone"),
        ({"stamps": ["0", "1", "2"]}, "f2.csv is new"),
        ({"batch_rows": 5}, "batch_rows was 10 and is 5"),
        ({"with_input": True}, "with_input was False and is True"),
    ],
)
def test_what_is_not_the_same_run_is_refused_with_words(
    workspace: Workspace, change: dict[str, Any], words: str
) -> None:
    inputs, output = FrameInputs([bookings(0, 5), bookings(5, 5)]), MemoryOutput()
    score(work(workspace, inputs, output))
    inputs.stamps = change.pop("stamps", inputs.stamps)
    with pytest.raises(Conflict, match=words):
        score(work(workspace, inputs, output, **change))
    assert score(work(workspace, inputs, output, **change), restart=True).run.attempt == 2


def test_a_file_that_changes_while_it_is_scored_leaves_the_run_unfinished(workspace: Workspace) -> None:
    inputs, output = FrameInputs([bookings(0, 25)]), MemoryOutput()

    def change(_: ScoringRun) -> None:
        inputs.stamps = ["other"]

    with pytest.raises(Conflict, match=r"f0\.csv changed since while it was scored"):
        score(work(workspace, inputs, output), told=change)
    assert output.whole is None


def test_answers_of_nobody_known_are_not_overwritten_unasked(workspace: Workspace) -> None:
    output = MemoryOutput()
    output.put(0, pl.DataFrame({"mine": [1]}), [])
    with pytest.raises(Conflict, match="holds something"):
        score(work(workspace, FrameInputs([bookings(0, 5)]), output))
    assert output.parts[0].columns == ["mine"]


def test_a_part_that_is_gone_is_noticed(workspace: Workspace) -> None:
    inputs, output = FrameInputs([bookings(0, 25)]), MemoryOutput()
    score(work(workspace, inputs, output))
    del output.parts[1]
    with pytest.raises(NotFound, match="part 1"):
        score(work(workspace, inputs, output))


def test_a_file_without_the_columns_of_a_request_is_refused_before_anything_is_recorded(
    workspace: Workspace,
) -> None:
    frame = bookings(0, 5).drop("price").with_columns(pl.lit([1, 2]).alias("nights"))
    with pytest.raises(DataRefused, match=r"(?s)no column price.*column nights: expected int"):
        scored(workspace, FrameInputs([frame]))
    with workspace.metadata.begin() as transaction:
        assert transaction.all(ScoringRun, "hotel") == []
        assert transaction.logbook() == []


def test_nothing_to_score_gives_an_empty_table_with_its_columns(workspace: Workspace) -> None:
    found, output = scored(workspace, FrameInputs([bookings(0, 1)[:0]]), with_input=True)
    assert answers_of(output).height == 0
    assert {"row", "prediction_id", "score", "input_price"} <= set(answers_of(output).columns)
    assert (found.run.chunks, found.run.rows) == (1, 0)


def test_a_canary_answers_its_share_by_the_same_sticky_hash(workspace: Workspace) -> None:
    canary = msgspec.structs.replace(
        stored_release(workspace.artifacts, "r0002"), phase=Phase.CANARY, share=0.5
    )
    with workspace.metadata.begin() as transaction:
        transaction.put(canary)
    _, output = scored(workspace, FrameInputs([bookings(0, 40, bad_every=0)]))
    first = dict(answers_of(output).select("key", "release").rows())
    assert set(first.values()) == {"r0001", "r0002"}
    other = MemoryOutput("/other")
    score(work(workspace, FrameInputs([bookings(0, 40, bad_every=0).reverse()]), other, batch_rows=7))
    assert dict(answers_of(other).select("key", "release").rows()) == first


def test_a_named_release_answers_alone_and_is_recorded_only_when_it_is_live(workspace: Workspace) -> None:
    retired = msgspec.structs.replace(stored_release(workspace.artifacts, "r0002"), phase=Phase.RETIRED)
    with workspace.metadata.begin() as transaction:
        transaction.put(retired)
    found, output = scored(workspace, FrameInputs([bookings(0, 5)]), release="r0002")
    assert set(answers_of(output)["release"]) == {"r0002"}
    assert not found.run.recorded
    assert stored_predictions(workspace).height == 0
    with pytest.raises(NotFound, match="hotel has no release r0009; there are r0001, r0002"):
        score(work(workspace, FrameInputs([bookings(0, 5)]), MemoryOutput("/other"), release="r0009"))


def test_while_nothing_is_live_nothing_is_scored() -> None:
    with pytest.raises(NotReady, match="no release is live"):
        scored(memory_workspace(), FrameInputs([bookings(0, 5)]))


def test_a_model_that_fails_is_answered_for_by_the_fallback_and_counted() -> None:
    workspace = memory_workspace()
    with workspace.metadata.begin() as transaction:
        transaction.put(stored_release(workspace.artifacts, scorer="broken"))
    runtime = NamedRuntime(broken=FunctionScorer(raising))
    output = MemoryOutput()
    found = score(work(workspace, FrameInputs([bookings(0, 25)]), output, runtime))
    assert answers_of(output)["score"].null_count() == found.run.fallbacks == found.run.answered == 22


@pytest.mark.parametrize("isolated", [True, False])
def test_a_model_in_a_process_of_its_own_is_asked_for_no_more_rows_at_once_than_by_requests(
    isolated: bool,
) -> None:
    workspace, asked = memory_workspace(), list[int]()

    class Counting(PriceScorer):
        def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
            asked.append(inputs["price"].shape[0])
            return super().score(inputs)

    launched(workspace)
    runtime = NamedRuntime(price=Counting(isolated=isolated))
    inputs = FrameInputs([bookings(0, 600, bad_every=0)])
    score(work(workspace, inputs, MemoryOutput(), runtime, batch_rows=600))
    assert asked[-3:] == [256, 256, 88] if isolated else asked[-1] == 600


def test_the_models_are_let_go_of_in_the_end() -> None:
    workspace, scorer = memory_workspace(), PriceScorer()
    launched(workspace)
    score(work(workspace, FrameInputs([bookings(0, 25)]), MemoryOutput(), NamedRuntime(price=scorer)))
    assert scorer.closed


def test_a_resumed_run_asks_the_releases_that_it_began_with(workspace: Workspace) -> None:
    inputs, output = FrameInputs([bookings(0, 25)]), MemoryOutput()

    class Stopped(Exception):
        pass

    def stop(run: ScoringRun) -> None:
        if run.chunks == 1:
            raise Stopped

    with pytest.raises(Stopped):
        score(work(workspace, inputs, output), told=stop)
    with workspace.metadata.begin() as transaction:
        old = msgspec.structs.replace(stored_release(workspace.artifacts), phase=Phase.RETIRED)
        transaction.put(old)
        transaction.put(stored_release(workspace.artifacts, "r0002"))
    found = score(work(workspace, inputs, output))
    assert found.resumed_at == 10
    assert set(answers_of(output)["release"]) == {"r0001"}
    assert answers_of(output).height == 22
    assert stored_predictions(workspace)["prediction_id"].n_unique() == 22


def test_no_more_than_two_chunks_are_held_however_long_the_file_is(workspace: Workspace) -> None:
    inputs, done = FrameInputs([bookings(0, 200), bookings(200, 205)]), 0

    def ahead(run: ScoringRun) -> None:
        nonlocal done
        done = run.rows
        assert inputs.read - done <= 20

    score(work(workspace, inputs, MemoryOutput()), told=ahead)
    assert done == inputs.read == 405


def test_the_logbook_tells_of_runs_without_their_rows(workspace: Workspace) -> None:
    found, _ = scored(workspace, FrameInputs([bookings(0, 25)]))
    with workspace.metadata.begin() as transaction:
        begun, finished = transaction.logbook()
    assert (begun.kind, finished.kind) == ("scoring begun", "scoring finished")
    assert begun.subject == finished.subject == found.run.run
    assert finished.body == {"rows": 25, "answered": 22, "refused": 3, "fallbacks": 0}


def test_runs_that_are_done_and_recorded_are_told(workspace: Workspace) -> None:
    assert finished_runs(workspace.metadata, "hotel") == frozenset()
    found, _ = scored(workspace, FrameInputs([bookings(0, 5)]))
    score(work(workspace, FrameInputs([bookings(0, 5)]), MemoryOutput("/tried"), recorded=False))
    assert finished_runs(workspace.metadata, "hotel") == {found.run.run}


def test_a_row_number_is_that_of_the_row_in_all_files(workspace: Workspace) -> None:
    frame = pl.DataFrame([row(0), row(1, price=-5.0), row(2)])
    _, output = scored(workspace, FrameInputs([bookings(10, 12, bad_every=0), frame]))
    assert [one["row"] for one in output.refused] == [13]
    assert output.refused[0]["file_row"] == 1
