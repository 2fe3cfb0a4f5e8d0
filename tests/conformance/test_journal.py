"""Every journal keeps the promises of its port."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.errors import JournalUnavailable
from seatrial.ports.journal import JournalReader, JournalWriter, Segment
from tests.fakes.journal import MemoryJournal, MemoryJournalWriter


class Case(NamedTuple):
    reader: JournalReader
    writer: Callable[[], JournalWriter]
    kill: Callable[[JournalWriter], None]


def _files(folder: Path) -> Case:
    return Case(FileJournalReader(folder), lambda: FileJournalWriter(folder), _free_lock)


def _free_lock(writer: JournalWriter) -> None:
    """What the system does when a process is killed."""
    assert isinstance(writer, FileJournalWriter)
    for segment in writer._segments.values():
        segment.leave()
    writer._let_go()


def _memory(_: Path) -> Case:
    journal = MemoryJournal()
    return Case(journal, journal.writer, _die)


def _die(writer: JournalWriter) -> None:
    assert isinstance(writer, MemoryJournalWriter)
    writer.die()


@pytest.fixture(params=[_files, _memory], ids=["files", "fake"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    made: Case = request.param(tmp_path / "journal")
    return made


def _contents(segments: list[Segment]) -> list[tuple[int, str, list[bytes]]]:
    return [(segment.number, segment.kind, list(segment.records)) for segment in segments]


def test_a_journal_that_nobody_wrote_is_empty(case: Case) -> None:
    assert case.reader.sealed() == []


def test_sealed_records_come_back_in_order_by_kind(case: Case) -> None:
    writer = case.writer()
    writer.append("predictions", [b"a", b"", b"\0" * 9])
    writer.append("outcomes", [b"o"])
    writer.append("predictions", [b"b"])
    writer.seal()
    segments = case.reader.sealed()
    assert _contents(segments) == [(1, "predictions", [b"a", b"", b"\0" * 9, b"b"]), (2, "outcomes", [b"o"])]
    assert [segment.cut_bytes for segment in segments] == [0, 0]
    writer.close()


def test_what_a_living_writer_has_open_is_not_touched(case: Case) -> None:
    writer = case.writer()
    writer.append("predictions", [b"a"])
    assert case.reader.sealed() == []
    writer.append("predictions", [b"b"])
    writer.seal()
    assert _contents(case.reader.sealed()) == [(1, "predictions", [b"a", b"b"])]
    writer.close()


def test_a_segment_stays_until_it_is_discarded(case: Case) -> None:
    writer = case.writer()
    for record in (b"a", b"b"):
        writer.append("predictions", [record])
        writer.seal()
    first, second = case.reader.sealed()
    assert case.reader.sealed() == [first, second]
    case.reader.discard(first)
    case.reader.discard(first)
    assert case.reader.sealed() == [second]
    writer.close()


def test_a_segment_that_is_set_aside_is_handed_out_no_more_and_the_others_are(case: Case) -> None:
    writer = case.writer()
    for record in (b"a", b"b"):
        writer.append("predictions", [record])
        writer.seal()
    first, second = case.reader.sealed()
    case.reader.aside(first, "it does not decode")
    case.reader.aside(first, "it does not decode")
    assert case.reader.sealed() == [second]
    case.reader.discard(first)
    case.reader.discard(second)
    case.reader.aside(second, "gone already")
    assert case.reader.sealed() == []
    writer.close()


def test_numbers_rise_for_ever(case: Case) -> None:
    writer = case.writer()
    seen = []
    for _ in range(3):
        writer.append("predictions", [b"a"])
        writer.append("outcomes", [b"a"])
        writer.seal()
        for segment in case.reader.sealed():
            seen.append(segment.number)
            case.reader.discard(segment)
    assert seen == [1, 2, 3, 4, 5, 6]
    writer.close()


def test_sealing_nothing_leaves_nothing(case: Case) -> None:
    writer = case.writer()
    writer.seal()
    writer.append("predictions", [])
    writer.seal()
    writer.close()
    assert case.reader.sealed() == []


def test_closing_seals_and_ends(case: Case) -> None:
    writer = case.writer()
    writer.append("predictions", [b"a"])
    writer.close()
    writer.close()
    assert _contents(case.reader.sealed()) == [(1, "predictions", [b"a"])]
    with pytest.raises(JournalUnavailable):
        writer.append("predictions", [b"b"])


def test_what_a_dead_writer_left_is_recovered_once(case: Case) -> None:
    dead, living = case.writer(), case.writer()
    dead.append("predictions", [b"a", b"b"])
    dead.append("outcomes", [b"o"])
    living.append("predictions", [b"not yet"])
    case.kill(dead)
    segments = case.reader.sealed()
    assert _contents(segments) == [(1, "predictions", [b"a", b"b"]), (2, "outcomes", [b"o"])]
    for segment in segments:
        case.reader.discard(segment)
    assert case.reader.sealed() == []
    living.close()
    assert _contents(case.reader.sealed()) == [(1, "predictions", [b"not yet"])]


def test_writers_have_ids_of_their_own_in_order_of_their_starts(case: Case) -> None:
    writers = [case.writer() for _ in range(3)]
    for index, writer in enumerate(writers):
        writer.append("predictions", [b"%d" % index])
        writer.close()
    segments = case.reader.sealed()
    assert [list(segment.records) for segment in segments] == [[b"0"], [b"1"], [b"2"]]
    assert len({segment.writer for segment in segments}) == 3


def test_the_files_of_closed_writers_do_not_pile_up(tmp_path: Path) -> None:
    case = _files(tmp_path)
    for _ in range(3):
        writer = case.writer()
        writer.append("predictions", [b"a"])
        writer.close()
    for segment in case.reader.sealed():
        case.reader.discard(segment)
    case.reader.sealed()
    assert list(tmp_path.iterdir()) == []


def test_segments_that_the_living_have_open_are_named_until_they_are_sealed(case: Case) -> None:
    assert case.reader.being_written() == frozenset()
    writer, other = case.writer(), case.writer()
    writer.append("predictions", [b"a"])
    (first,) = case.reader.being_written()
    other.append("outcomes", [b"b"])
    assert first in case.reader.being_written()
    writer.seal()
    (second,) = case.reader.being_written()
    assert first != second
    case.kill(other)
    assert case.reader.being_written() == frozenset()


def without_ann(record: bytes) -> bytes | None:
    """The record without the name, or None when it is nothing else."""
    return record.replace(b"ann", b"") or None


def test_what_was_set_aside_is_rewritten_record_by_record(case: Case) -> None:
    writer = case.writer()
    writer.append("predictions", [b"ann", b"ben", b"ann+eve"])
    writer.append("outcomes", [b"ann"])
    writer.seal()
    for segment in case.reader.sealed():
        case.reader.aside(segment, "no such column")
    writer.append("predictions", [b"ann", b"eve"])
    writer.seal()
    assert case.reader.forget(without_ann) == 3
    assert case.reader.forget(without_ann) == 0
    seen: list[bytes] = []

    def looked_at(record: bytes) -> bytes:
        seen.append(record)
        return record

    assert case.reader.forget(looked_at) == 0
    assert seen == [b"ben", b"+eve"]
    assert _contents(case.reader.sealed()) == [(3, "predictions", [b"ann", b"eve"])]
    writer.close()


def test_in_an_empty_journal_there_is_nothing_to_forget(case: Case) -> None:
    assert case.reader.forget(lambda record: None) == 0
